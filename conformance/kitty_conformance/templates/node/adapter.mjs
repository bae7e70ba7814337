// An adapter: what kitty-conform asks, and what your implementation answers.
//
//   kitty-conform run "exec:node adapter.mjs"

const operations = {
  // What you claim in `capabilities` is judged; what you do not claim is not applicable.
  hello: () => ({
    ok: { name: "my-implementation", version: "0.1", protocol: 1, profile: "contract-320", capabilities: [] },
  }),
  // 1. `state` is asked of everybody: read the log of request.mission in request.root, and
  //        return { ok: { log: "active", lanes: { WP01: "claimed" } } };
  //    A log that you refuse: return { failed: { message: "line 7 is not JSON", line: 7 } };
  // 2. `open`, in the same way.
  // 3. Claim "write" and answer `transition`; then "events", "snapshot" and what else you have.
};

function reply(line) {
  const { id, ...request } = JSON.parse(line);
  const operation = Object.hasOwn(operations, request.operation) ? operations[request.operation] : null;
  const outcome = operation?.(request) ?? { unsupported: { reason: `${request.operation} is not there yet` } };
  process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`);
}

// One request a line, until stdin ends. Stderr is free text.
let rest = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (let end; (end = rest.indexOf("\n")) >= 0; rest = rest.subarray(end + 1)) reply(rest.toString("utf8", 0, end));
});
