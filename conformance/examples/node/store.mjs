// The log on disk: read as it is, appended to in one piece or not at all (clauses STA-002, STA-003, STA-006, STA-009).

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { encode } from "./json.mjs";
import { Problem } from "./problems.mjs";
import { snapshotOf } from "./reducer.mjs";
import { RowError, lastLineOf, readRows, rowOf } from "./rows.mjs";

const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = fs.constants;
const NOTHING = Buffer.alloc(0);

/** What was understood of the log that was read last: only what came behind it is parsed again. */
let known = { file: "", bytes: NOTHING, rows: [], lines: 1 };

/** Return the bytes of the log, null when there is none. Throws Problem. */
export function bytesOf(mission) {
  try {
    return fs.readFileSync(mission.log);
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw new Problem("LOG_UNREADABLE", `the log cannot be read: ${error.code ?? error.message}`);
  }
}

/** Return rows and problems of a log; the same objects as before where the same bytes are still there. */
export function understand(mission, bytes) {
  const same = known.file === mission.log && bytes.subarray(0, known.bytes.length).equals(known.bytes);
  const before = same ? known : { bytes: NOTHING, rows: [], lines: 1 };
  const whole = bytes.subarray(0, lastLineOf(bytes));
  const added = readRows(whole, before.bytes.length, before.lines);
  const rows = [...before.rows, ...added.rows];
  if (!added.problems.length) known = { file: mission.log, bytes: whole, rows, lines: added.lines };
  const torn = readRows(bytes, whole.length, added.lines);
  return { rows: [...rows, ...torn.rows], problems: [...added.problems, ...torn.problems] };
}

/** Split a log into what stays, bytes that are torn, and what a new row needs in front of it. */
export function endOf(bytes) {
  const start = lastLineOf(bytes);
  const tail = bytes.subarray(start);
  if (!tail.length) return { kept: bytes, torn: NOTHING, glue: "" };
  try {
    rowOf(tail, 0);
    return { kept: bytes, torn: NOTHING, glue: "\n" };
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    return { kept: bytes.subarray(0, start), torn: tail, glue: "" };
  }
}

function writeAll(descriptor, bytes) {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done);
}

function syncFolder(file) {
  const folder = fs.openSync(path.dirname(file), "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

/** Write a file that is not there yet, durably; nothing of it stays when that fails. */
function writeNew(file, bytes) {
  const descriptor = fs.openSync(file, "wx", 0o644);
  try {
    writeAll(descriptor, bytes);
    fs.fsyncSync(descriptor);
  } catch (error) {
    fs.unlinkSync(file);
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Write the snapshot, unless it is there already; the old one or the new one is there at any moment. */
export function writeSnapshot(mission, reduced) {
  const snapshot = snapshotOf(reduced, mission);
  const bytes = Buffer.from(`${encode(snapshot)}\n`);
  if (fs.existsSync(mission.snapshot) && fs.readFileSync(mission.snapshot).equals(bytes)) return snapshot;
  const draft = `${mission.snapshot}.${crypto.randomUUID()}.tmp`;
  writeNew(draft, bytes);
  try {
    fs.renameSync(draft, mission.snapshot);
  } catch (error) {
    fs.unlinkSync(draft);
    throw error;
  }
  return snapshot;
}

/**
 * Append `rows` behind `before`, the bytes of the log or null, which the caller has read under the lock. `check` is given
 * what is on disk afterwards and throws when it is not content; then the log is put back as it was.
 */
export function append(mission, before, rows, check) {
  const { kept, torn, glue } = endOf(before ?? NOTHING);
  const added = Buffer.from(glue + rows.map((row) => `${encode(row)}\n`).join(""));
  let descriptor = null;
  try {
    if (torn.length) writeNew(`${mission.log}.torn-${crypto.randomUUID()}`, torn);
    descriptor = fs.openSync(mission.log, O_RDWR | O_APPEND | O_NOFOLLOW | (before ? 0 : O_CREAT | O_EXCL), 0o644);
    if (torn.length) fs.ftruncateSync(descriptor, kept.length);
    writeAll(descriptor, added);
    fs.fsyncSync(descriptor);
    if (!before) syncFolder(mission.log);
    const now = bytesOf(mission);
    if (!now?.equals(Buffer.concat([kept, added]))) throw new Error("the rows are not on the disk");
    check(now);
  } catch (error) {
    if (descriptor !== null) putBack(mission, descriptor, before, error);
    if (error instanceof Problem) throw error;
    throw new Problem("WRITE_FAILED", `append failed: ${error.code ?? error.message}; the log is as it was`);
  } finally {
    if (descriptor !== null) fs.closeSync(descriptor);
  }
}

function putBack(mission, descriptor, before, cause) {
  try {
    if (before) {
      const { kept, torn } = endOf(before);
      fs.ftruncateSync(descriptor, kept.length);
      writeAll(descriptor, torn);
      fs.fsyncSync(descriptor);
    } else {
      fs.unlinkSync(mission.log);
    }
    const now = bytesOf(mission);
    if (before ? now?.equals(before) : now === null) return;
  } catch {
    // Told below.
  }
  throw new Problem("WRITE_UNCERTAIN", `append failed: ${cause.code ?? cause.message}; and the log is not as it was`);
}
