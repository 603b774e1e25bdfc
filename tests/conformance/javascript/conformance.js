// Runs the cases with Microsoft's unmodified JavaScript SDK against the namespace that the environment names.
//
// One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
// counts. A case has the same name in all languages, in the spelling of Python.

import { createRequire } from "node:module";
import { CASES } from "./cases.js";
import { MORE_CASES } from "./more_cases.js";
import { SESSION_CASES } from "./session_cases.js";
import { World } from "./world.js";

const lock = createRequire(import.meta.url)("./package-lock.json");
const version = (name) => `${name} ${lock.packages[`node_modules/${name}`].version}`;

/** The function's name with words apart: `carries200Kilobytes` is `carries_200_kilobytes`. */
const nameOf = (run) => run.name.replace(/[A-Z]|\d+/g, "_$&").toLowerCase();

const world = new World();
let passed = 0;
let failed = 0;
for (const run of [...CASES[world.way], ...MORE_CASES, ...SESSION_CASES]) {
  try {
    await run(world);
    passed += 1;
    console.log(`ok ${nameOf(run)}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${nameOf(run)}: ${`${error.name}: ${error.message}`.replace(/\s+/g, " ")}`);
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
