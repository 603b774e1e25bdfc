// A Node.js custom handler that does the provider's job, to compare the Rust one with.
//
// It serves the same function.json files, reads the same settings of a single customer, writes the same objects and
// sends the same messages. What a benchmark does not measure is left out: the registry of customers, Idempotency-Key,
// GetDeployment, Health, and all but the plainest answers to bad input.

import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { connect } from "./bus.js";
import { readDeploymentStatus, sendDeploymentCommand } from "./functions.js";
import { DeploymentStore } from "./store.js";

const settings = process.env;
const bus = await connect(settings);
const store = new DeploymentStore(new URL(settings.DeploymentStoreUri));
const functions = {
  "/SendDeploymentCommand": ({ Data }) => sendDeploymentCommand(Data.req, settings.CustomerId, bus, store),
  "/ReadDeploymentStatus": () => readDeploymentStatus(bus, store),
};

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    const json = JSON.stringify(body);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(json) });
    response.end(json);
  };
  try {
    const invoke = functions[request.url];
    if (request.method !== "POST" || !invoke) {
      request.resume();
      // The host's probe is a GET; any answer means ready.
      answer(request.url === "/" ? 200 : 404, {});
      return;
    }
    const Outputs = await invoke(JSON.parse(await text(request)));
    answer(200, { Outputs, Logs: [], ReturnValue: null });
  } catch (error) {
    console.log(JSON.stringify({ level: "ERROR", url: request.url, error: String(error) }));
    answer(500, { error: String(error) });
  }
});
server.listen(Number(settings.FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1");
