// One writer a mission at a time, without the system's advisory locks, which Node's library does not have.
//
// The lock is a file. It is written under another name and linked into place, so it is never seen half-written. It says who
// holds it: a process by its id and the moment it started, for ids are used again. Whose holder is gone is removed.

import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { Problem } from "./problems.mjs";

export const VARIABLE = "KITTY_NODE_LOCK_SECONDS";
export const SECONDS = Number(process.env[VARIABLE]) > 0 ? Number(process.env[VARIABLE]) : 10;

const PAUSE_MS = 5;
const own = { pid: process.pid, started: startOf(process.pid) };

/** Return when a process started, in the system's own words; null when it has ended. A zombie has ended. */
function startOf(pid) {
  try {
    if (process.platform === "linux") {
      // The name of the program, in brackets, may hold blanks and brackets itself.
      const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
      return /[ZX]/.test(fields[0]) ? null : fields[19];
    }
    const [state, ...started] = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim().split(/\s+/);
    return state.startsWith("Z") ? null : started.join(" ");
  } catch {
    return null;
  }
}

function holderOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null; // released meanwhile, or nothing of ours: never taken over
  }
}

const isGone = (holder) => Number.isSafeInteger(holder?.pid) && startOf(holder.pid) !== holder.started;

/** Make `file` ours, if it is not there, with a token that no other lock has; say whether that came about. */
function made(file, token = crypto.randomUUID()) {
  const draft = `${file}.${token}.new`;
  if (fs.existsSync(file)) return false;
  try {
    fs.writeFileSync(draft, JSON.stringify({ ...own, token }), { flag: "wx" });
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/**
 * Remove the lock of a holder that is gone. Of all who see it, one at a time may look again and remove it: else the second
 * would remove the lock that the first has taken since. Who dies while doing so is in nobody's way either.
 */
function clear(file, holder) {
  const turn = `${file}.${holder.token}`;
  if (!made(turn)) {
    const other = holderOf(turn);
    if (isGone(other)) clear(turn, other);
    return;
  }
  try {
    drop(file, holder.token);
  } finally {
    fs.unlinkSync(turn);
  }
}

/** Remove `file` if it is still the lock with `token`. */
function drop(file, token) {
  if (holderOf(file)?.token === token) fs.unlinkSync(file);
}

/** Take the lock, and return its token. */
function take(mission) {
  const token = crypto.randomUUID();
  const folder = path.dirname(mission.lock);
  fs.mkdirSync(folder, { recursive: true });
  if (fs.realpathSync(folder) !== folder) throw new Problem("MISSION_OUTSIDE", "the folder of the locks is behind a link");
  const until = performance.now() + SECONDS * 1000;
  while (!made(mission.lock, token)) {
    const holder = holderOf(mission.lock);
    if (isGone(holder)) clear(mission.lock, holder);
    if (performance.now() > until) {
      const who = holder?.pid ? `process ${holder.pid}` : "something that left no name";
      const text = `the lock ${path.basename(mission.lock)} was held by ${who} for ${SECONDS} s`;
      throw new Problem("LOCK_BUSY", text, { lock_path: mission.lock });
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS * (1 + Math.random()));
  }
  return token;
}

/** Return what `work` returns; nobody else writes this mission meanwhile. Throws Problem after `SECONDS` in vain. */
export function locked(mission, work) {
  let token;
  try {
    token = take(mission);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("WRITE_FAILED", `the lock cannot be taken: ${error.code ?? error.message}`);
  }
  try {
    return work();
  } finally {
    drop(mission.lock, token);
  }
}
