/* Runs pieces of JavaScript, each with the page's pure scripts loaded anew and in a world of its own; one process for all. */
"use strict";
const fs = require("node:fs");
const vm = require("node:vm");
const readline = require("node:readline");

const scripts = process.argv.slice(2).map((path) => new vm.Script(fs.readFileSync(path, "utf8"), { filename: path }));

/** Answer what the code gives to `output`, or how it failed. */
function run({ code, given }) {
  return new Promise((resolve) => {
    const failed = (error) => resolve({ error: String(error?.stack ?? error) });
    process.once("uncaughtException", failed);
    process.once("unhandledRejection", failed);
    const world = vm.createContext({ console, MessageChannel, performance: { now: () => performance.now() }, setImmediate, setTimeout });
    world.give = (text) => resolve({ value: text });
    world.given = JSON.stringify(given ?? null);
    const head = '"use strict"; const input = JSON.parse(given); const output = (value) => give(JSON.stringify(value ?? null));\n';
    try {
      for (const script of scripts) script.runInContext(world);
      vm.runInContext(head + code, world, { filename: "test.js" });
    } catch (error) {
      failed(error);
    }
  }).finally(() => process.removeAllListeners("uncaughtException").removeAllListeners("unhandledRejection"));
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  }
  process.exit(0);
})();
