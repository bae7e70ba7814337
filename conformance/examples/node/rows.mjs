// The lines of an event log, and what each of them is (clauses LOG-006 to LOG-009).

import { JsonError, encode, hasHalfCharacter, isObject, parse } from "./json.mjs";
import { instantOf } from "./instants.mjs";
import { BOARD, SOURCES } from "./lanes.mjs";

export class RowError extends Error {}

const NEWLINE = 0x0a;
const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const ACTOR_KEYS = "model,profile,role,tool";
const RETROSPECTIVES = new Set(["RetrospectiveCaptured", "RetrospectiveCaptureFailed", "RetrospectiveSkipped"]);

const text = (value) => typeof value === "string";
const optional = (check) => (value) => value === undefined || value === null || check(value);
const actor = (value) =>
  text(value) ||
  (isObject(value) && String(Object.keys(value).sort()) === ACTOR_KEYS && Object.values(value).every(optional(text)));

/** Say whether `value` is the id of a work package: a name and never a path. */
export const isWorkPackage = (value) => text(value) && NAME.test(value);

const COMMON = { wp_id: isWorkPackage, at: (value) => text(value) && instantOf(value) !== null, actor };
const LANE = {
  ...COMMON,
  event_id: (value) => text(value) && value !== "",
  from_lane: (value) => SOURCES.has(value),
  to_lane: (value) => BOARD.includes(value),
  force: (value) => typeof value === "boolean",
  execution_mode: text,
  mission_slug: optional(text),
  mission_id: optional(text),
  reason: optional(text),
  review_ref: optional(text),
  evidence: optional(isObject),
  policy_metadata: optional(isObject),
  review_result: optional(isObject),
};
const subtasks = (value) => isObject(value) && Object.values(value).every((lane) => BOARD.includes(lane));
const ANNOTATION = {
  ...COMMON,
  event_id: (value) => text(value) && ID.test(value),
  delta: (value) => isObject(value) && optional(subtasks)(value.subtasks),
};
const OTHER = { event_id: optional(text), at: optional(text) };

function kindOf(data) {
  if (data.kind === "annotation") return "annotation";
  if (data.kind !== undefined && data.kind !== null) throw new RowError(`its kind, ${encode(data.kind)}, is unknown`);
  if (text(data.event_name) && data.event_name.startsWith("retrospective.")) return "retrospective";
  if (RETROSPECTIVES.has(data.type)) return "retrospective";
  if (!("event_type" in data)) return "lane";
  return text(data.event_type) && data.event_type.startsWith("DecisionPoint") ? "decision" : "lifecycle";
}

/** Return the row that the bytes of one line are, null for a blank one. Throws RowError. */
export function rowOf(bytes, line) {
  let data;
  try {
    const source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (/^[ \t\r]*$/.test(source)) return null;
    data = parse(source);
  } catch (error) {
    if (error instanceof JsonError) throw new RowError(`it is not JSON: ${error.message}`);
    if (error instanceof TypeError) throw new RowError("it is not UTF-8");
    throw error;
  }
  if (!isObject(data)) throw new RowError("it is no object");
  if (hasHalfCharacter(data)) throw new RowError("it holds half a character");
  const kind = kindOf(data);
  const shape = { lane: LANE, annotation: ANNOTATION }[kind] ?? OTHER;
  for (const [key, check] of Object.entries(shape)) {
    if (!check(data[key])) throw new RowError(`its ${key} is ${key in data ? "wrong" : "missing"}`);
  }
  const instant = (text(data.at) && instantOf(data.at)) || "";
  return { line, kind, data, id: data.event_id ?? null, instant, content: encode(data) };
}

/** Return where the last line of `bytes` begins. */
export const lastLineOf = (bytes) => bytes.lastIndexOf(NEWLINE) + 1;

/**
 * Return the rows of a log, and a problem for each line that is none. A line ends at a newline and nowhere else.
 * `from` and `line` say where to begin, and the number of that line.
 */
export function readRows(bytes, from = 0, line = 1) {
  const rows = [];
  const problems = [];
  for (let start = from; start < bytes.length; line += 1) {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found < 0 ? bytes.length : found;
    try {
      const row = rowOf(bytes.subarray(start, end), line);
      if (row) rows.push(row);
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      problems.push({ line, message: `line ${line} is no row: ${error.message}` });
    }
    start = end + 1;
  }
  return { rows, problems, lines: line };
}
