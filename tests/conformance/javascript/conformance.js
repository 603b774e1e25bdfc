// Runs the cases with Microsoft's unmodified JavaScript SDK against the namespace that the environment names.
//
// One line a case, `ok NAME` or `not ok NAME: reason`; the last line is JSON with the versions and the counts.

import { createRequire } from "node:module";
import { CASES } from "./cases.js";
import { World } from "./world.js";

const lock = createRequire(import.meta.url)("./package-lock.json");
const version = (name) => `${name} ${lock.packages[`node_modules/${name}`].version}`;

const world = new World();
let passed = 0;
let failed = 0;
for (const run of CASES[world.way]) {
  try {
    await run(world);
    passed += 1;
    console.log(`ok ${run.name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${run.name}: ${`${error.name}: ${error.message}`.replace(/\s+/g, " ")}`);
    await world.drain().catch((reason) => console.log(`# the queues could not be emptied: ${reason}`));
  }
}
const summary = {
  sdk: `${version("@azure/service-bus")}, ${version("@azure/identity")}`,
  runtime: `Node.js ${process.version}`,
  way: world.way,
  passed,
  failed,
};
console.log(JSON.stringify(summary));
process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
