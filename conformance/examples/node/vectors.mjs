// The golden vectors against this implementation: rows, instants, reducer and lane table. `node vectors.mjs [FOLDER]` prints
// one JSON object and ends with 1 when something differs that is not explained here.

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { encode } from "./json.mjs";
import { instantOf } from "./instants.mjs";
import { BOARD, isNobody, laneOf, objection } from "./lanes.mjs";
import { reduce, snapshotOf } from "./reducer.mjs";
import { readRows } from "./rows.mjs";

const PROFILE = "contract-320";

/** What this implementation does otherwise, and why: the contract leaves it open, or an operation looks at it elsewhere. */
const DIFFERENCES = {
  "event_type decides, whatever else a row has": ["rows/event-type-on-a-lane-row"],
  "lines are of any length, values up to 200 levels deep": ["rows/overlong", "rows/depth-64"],
  "what evidence, review_result and delta hold is not looked into": [
    "rows/evidence-without-review", "rows/evidence-without-reference", "rows/review-result-without-verdict",
    "rows/delta-pid-words", "rows/delta-pid-float", "rows/delta-note-number", "rows/delta-refs-text",
    "rows/delta-review-without-reason", "rows/delta-review-null-actor", "reducer/review-result-extra-keys",
  ],
  "z in lower case is UTC": ["instants/lower-case-z"],
  "the slug of a snapshot is that of the directory": [
    "reducer/own-id-other-slug", "reducer/no-slug", "reducer/foreign-only", "reducer/empty", "reducer/annotations-only",
    "reducer/no-transitions",
  ],
  "no reason of a cancellation is kept": [
    "reducer/same-instant-by-id", "reducer/canceled", "reducer/canceled-by-a-program", "reducer/every-lane",
    "reducer/prototype-names",
  ],
  "a step back from for_review is a rejection, with or without a reference": ["reducer/back-without-a-review"],
  "uninitialized is no lane of a row": ["reducer/uninitialized"],
  "the number of a mission is shown as meta.json has it": ["reducer/number-in-digits", "reducer/number-in-the-slug"],
  "who acts is asked of every move, before the lane table": [
    "transitions/planned-to-claimed-without-actor", "transitions/planned-to-claimed-blank-actor",
    "transitions/for_review-to-in_review-without-actor", "transitions/for_review-to-in_review-blank-actor",
  ],
};

const bytesOf = ({ text, base64, pieces }) => {
  if (pieces) return Buffer.concat(pieces.map((piece) => Buffer.from(piece.text.repeat(piece.times))));
  return base64 === undefined ? Buffer.from(text) : Buffer.from(base64, "base64");
};

/** Return `value` with integers that are too large for a double as what they are. */
function whole(value) {
  if (Array.isArray(value)) return value.map(whole);
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.$integer === "string") return BigInt(value.$integer);
  const made = Object.create(null); // a key may be called __proto__
  for (const [key, item] of Object.entries(value)) made[key] = whole(item);
  return made;
}

// Each answers the input of a vector with `ok` or, where it refuses, with the line or nothing.
const ANSWERS = {
  rows({ log, recover }) {
    const { rows, problems } = readRows(bytesOf(log));
    if (problems.length && !recover) return { refused: problems[0].line };
    const found = rows.map(({ line, kind, data }) => ({
      line,
      kind,
      event_id: data.event_id ?? null,
      ...((kind === "lane" || kind === "annotation") && { wp_id: data.wp_id }),
    }));
    return { ok: { rows: found, ...(recover && { left_out: problems.map(({ line }) => line) }) } };
  },

  instants({ at }) {
    const instant = instantOf(at);
    if (instant === null) return { refused: 1 };
    const epoch = instantOf("1970-01-01T00:00:00Z").split(".")[0];
    const [seconds, fraction] = instant.split(".");
    const nanoseconds = (BigInt(seconds) - BigInt(epoch)) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
    return { ok: { nanoseconds: String(nanoseconds) } };
  },

  reducer({ log, meta, mission_slug: slug }) {
    const mission = { slug, meta, id: meta.mission_id ?? null };
    const { rows, problems } = readRows(bytesOf(log));
    if (problems.length) return { refused: problems[0].line };
    const reduced = reduce(rows, mission);
    if (reduced.problems.length) return { refused: reduced.problems[0].lines };
    const reports = reduced.reports.map(({ line }) => line);
    return { ok: { log: reduced.word, snapshot: snapshotOf(reduced, mission), reports } };
  },

  transitions({ from, to, force, subtasks_complete: complete, implementation_evidence_present: present, ...move }) {
    const refused = force
      ? isNobody(move.actor) || !move.reason?.trim() || !BOARD.includes(laneOf(to))
      : objection(laneOf(from), laneOf(to), move, () => (complete && present ? [] : ["T001"]));
    return refused ? { refused: null } : { ok: { from: laneOf(from), to: laneOf(to) } };
  },
};

/** Return what a vector expects in the terms of ANSWERS: codes are the reference's own. */
function expectedOf({ expected }) {
  const { ok, error } = expected.find(({ profiles }) => profiles.includes(PROFILE));
  if (error) return { refused: error.lines ?? error.line ?? null };
  const lines = (found) => found?.map(({ line }) => line);
  const { left_out: leftOut, reports, ...rest } = whole(ok);
  return { ok: { ...rest, ...(leftOut && { left_out: lines(leftOut) }), ...(reports && { reports: lines(reports) }) } };
}

function read(folder, name, digest) {
  const data = fs.readFileSync(path.join(folder, name));
  const found = crypto.createHash("sha256").update(data).digest("hex");
  if (digest && found !== digest) throw new Error(`${name} is not the file of the manifest`);
  return JSON.parse(data);
}

export function judge(folder) {
  const counts = {};
  const wrong = [];
  const known = new Set(Object.values(DIFFERENCES).flat());
  const explained = new Set();
  for (const { file, family, sha256 } of read(folder, "manifest.json").files) {
    if (!ANSWERS[family]) continue;
    const vectors = read(folder, file, sha256).vectors.filter(({ profiles }) => profiles.includes(PROFILE));
    counts[family] = vectors.length;
    for (const vector of vectors) {
      const [got, expected] = [encode(ANSWERS[family](vector.input)), encode(expectedOf(vector))];
      if (got === expected) continue;
      if (known.has(vector.id)) explained.add(vector.id);
      else wrong.push({ id: vector.id, got, expected });
    }
  }
  const leftOver = [...known].filter((id) => !explained.has(id));
  return { counts, explained: [...explained].sort(), wrong, left_over: leftOver };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const said = judge(process.argv[2] ?? path.join(here, "../../kitty_conformance/vectors"));
  console.log(JSON.stringify(said, null, 1));
  process.exitCode = said.wrong.length || said.left_over.length ? 1 : 0;
}
