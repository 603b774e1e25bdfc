// The two functions whose rate is measured.

import { randomBytes, randomUUID } from "node:crypto";

const SCHEMA_VERSION = "1.0";
const EXPIRES_AFTER = 24 * 60 * 60 * 1000;
const TERMINAL = ["Succeeded", "Failed", "Rejected"];
const CONCURRENT = 64;
/** Milliseconds without a message after which the queue counts as empty. */
const IDLE = 500;

/** Records the intent, sends the command, answers 202. */
export async function sendDeploymentCommand(request, ourCustomer, { commands }, store) {
  const customerId = request.Params.customerId;
  if (customerId !== ourCustomer) {
    return { res: problem(404, "there is no such customer") };
  }
  let asked;
  try {
    asked = JSON.parse(request.Body ?? "");
  } catch {
    return { res: problem(400, "the body is not JSON") };
  }
  if (typeof asked?.action !== "string") {
    return { res: problem(400, "action must be a string") };
  }

  const deploymentId = randomUUID();
  const requestedAt = new Date();
  const intent = {
    deploymentId,
    customerId,
    action: asked.action,
    requestedAt: requestedAt.toISOString(),
    expiresAt: new Date(requestedAt.getTime() + EXPIRES_AFTER).toISOString(),
  };
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  await store.create(customerId, deploymentId, "requested", { ...intent, traceId });
  await commands.sendMessages({
    // A Buffer goes as the bytes it holds, as any other SDK would send JSON.
    body: Buffer.from(
      JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...intent, parameters: asked.parameters ?? {} }),
    ),
    messageId: deploymentId,
    correlationId: deploymentId,
    subject: "DeploymentCommand",
    contentType: "application/json",
    timeToLive: EXPIRES_AFTER,
    applicationProperties: { schemaVersion: SCHEMA_VERSION, traceparent: `00-${traceId}-${spanId}-01` },
  });

  const statusUrl = `${new URL(request.Url).pathname}/${deploymentId}`;
  return {
    res: {
      statusCode: 202,
      headers: { "Content-Type": "application/json", Location: statusUrl, "Retry-After": "5" },
      body: JSON.stringify({ deploymentId, customerId, statusUrl }),
    },
  };
}

/** Drains the status queue into the store, 64 messages at a time in flight, until it stays empty. */
export async function readDeploymentStatus({ statuses }, store) {
  let subscription;
  await new Promise((resolve, reject) => {
    let idle = setTimeout(resolve, IDLE);
    const processMessage = async (message) => {
      clearTimeout(idle);
      await settle(message, statuses, store);
      clearTimeout(idle);
      idle = setTimeout(resolve, IDLE);
    };
    const processError = async ({ error }) => {
      clearTimeout(idle);
      reject(error);
    };
    const options = { maxConcurrentCalls: CONCURRENT, autoCompleteMessages: false };
    subscription = statuses.subscribe({ processMessage, processError }, options);
  }).finally(() => subscription.close());
  return {};
}

/** Stores one status create-only, and only then completes its message. */
async function settle(message, statuses, store) {
  // The SDK has parsed the body, as it does with all that is JSON.
  const status = message.body;
  const { customerId, deploymentId, state } = status;
  if (!(await store.exists(customerId, deploymentId, "requested"))) {
    await statuses.deadLetterMessage(message, { deadLetterReason: "UnknownDeployment" });
    return;
  }
  const counts =
    !TERMINAL.includes(state) ||
    (await store.create(customerId, deploymentId, "outcome", { state })) ||
    (await store.read(customerId, deploymentId, "outcome")).state === state;
  if (counts) {
    const record = { ...status, recordedAt: new Date().toISOString() };
    await store.create(customerId, deploymentId, state.toLowerCase(), record);
  }
  await statuses.completeMessage(message);
}

function problem(status, detail) {
  return {
    statusCode: status,
    headers: { "Content-Type": "application/problem+json" },
    body: JSON.stringify({ type: "about:blank", status, detail }),
  };
}
