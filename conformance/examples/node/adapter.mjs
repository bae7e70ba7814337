#!/usr/bin/env node
// A second implementation of the workflow contract, on Node's standard library.
//
//   adapter.mjs                       answers requests, one JSON object a line, until its stdin ends
//   adapter.mjs json|text REQUEST     does one request, prints the answer, ends with 0, or 1 when it was not done

import { fileURLToPath } from "node:url";

import { encode, parse } from "./json.mjs";
import { SECONDS, VARIABLE } from "./lock.mjs";
import { Problem } from "./problems.mjs";
import { batch, events, materialize, open, state, transition } from "./workflow.mjs";

const NEWLINE = 0x0a;

const hello = () => ({
  name: "kitty-node",
  version: "0.1",
  protocol: 1,
  profile: "contract-320",
  capabilities: ["write", "events", "snapshot", "batch", "recovery", "surface"],
  typical_seconds: 0.05,
  lock_seconds: SECONDS,
  lock_variable: VARIABLE,
});

const SURFACES = new Set(["transition", "batch", "state", "materialize"]);

function surface({ request, format }) {
  if (!SURFACES.has(request.operation)) return null;
  const argv = [process.execPath, fileURLToPath(import.meta.url), format ?? "json", encode(request)];
  return { argv, env: {}, cwd: request.root };
}

const OPERATIONS = { hello, open, transition, batch, state, events, materialize, surface };

/** Return the one outcome of a request, as `{ok: ...}` and its like. */
function answer(request) {
  const operation = Object.hasOwn(OPERATIONS, request.operation) ? OPERATIONS[request.operation] : () => null;
  if (request.commit) return { unsupported: { reason: "it does not commit" } };
  try {
    const value = operation(request);
    return value === null ? { unsupported: { reason: `${request.operation} is not offered` } } : { ok: value };
  } catch (error) {
    if (error instanceof Problem) return { [error.outcome]: error.diagnostic() };
    process.stderr.write(`${error.stack}\n`);
    return { unknown: { message: `a fault of this program: ${error.message}`.toWellFormed() } };
  }
}

function reply(line) {
  const { id, ...request } = parse(new TextDecoder().decode(line));
  process.stdout.write(`${encode({ id, ...answer(request) })}\n`);
}

function serve() {
  let parts = []; // a long line comes in many
  process.stdin.on("data", (chunk) => {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      reply(Buffer.concat([...parts, chunk.subarray(start, end)]));
      parts = [];
    }
    parts.push(chunk.subarray(start));
  });
}

function run(format, text) {
  const [[outcome, value]] = Object.entries(answer(parse(text)));
  const lines = Object.entries(value).map(([key, item]) => `${key}: ${encode(item)}`);
  const shown = format === "json" ? encode(value) : lines.join("\n");
  (outcome === "ok" || format === "json" ? process.stdout : process.stderr).write(`${shown}\n`);
  process.exitCode = outcome === "ok" ? 0 : 1;
}

if (process.argv.length > 2) run(...process.argv.slice(2));
else serve();
