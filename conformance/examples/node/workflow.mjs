// The operations: what is asked of a mission, and what comes of it.

import crypto from "node:crypto";

import { encode, hasHalfCharacter } from "./json.mjs";
import { microsecondOf, spell } from "./instants.mjs";
import { BOARD, HELD, isNobody, laneOf, objection } from "./lanes.mjs";
import { locked } from "./lock.mjs";
import { missionAt, subtasksOf, taskOf } from "./places.mjs";
import { Problem } from "./problems.mjs";
import { isLater, reduce } from "./reducer.mjs";
import { isWorkPackage, rowOf } from "./rows.mjs";
import { append, bytesOf, endOf, understand, writeSnapshot } from "./store.mjs";

/** A row that is dated ahead by no more than this is followed at once; one dated further ahead stays in force. */
const SKEW = 1_000_000n; // microseconds
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Return a ULID: 48 bits of time, 80 of chance. */
function ulid() {
  let bits = (BigInt(Date.now()) << 80n) | BigInt(`0x${crypto.randomBytes(10).toString("hex")}`);
  let id = "";
  for (; id.length < 26; bits >>= 5n) id = CROCKFORD[Number(bits & 31n)] + id;
  return id;
}

// --- reading

/** Return what the log adds up to. Throws Problem for a line that is no row, unless it is to be left out. */
function stateOf(mission, bytes, { recover = false } = {}) {
  const { rows, problems } = understand(mission, bytes ?? Buffer.alloc(0));
  const reduced = reduce(rows, mission);
  const found = [...problems, ...reduced.problems].map((problem) => ({ diagnostic_code: "LOG_DAMAGED", ...problem }));
  if (found.length && !recover) {
    const [{ message, line, lines = [line] }] = found;
    throw new Problem("LOG_DAMAGED", message, { line, lines });
  }
  return { ...reduced, rows, leftOut: found };
}

export function open({ root, mission: slug }) {
  const mission = missionAt(root, slug);
  return { mission_slug: slug, mission_id: mission.id, status_events_path: mission.log, lock_path: mission.lock };
}

export function state({ root, mission: slug, recover }) {
  const mission = missionAt(root, slug);
  const bytes = bytesOf(mission);
  const { packages, reports, leftOut, word } = stateOf(mission, bytes, { recover });
  const moved = [...packages].filter(([, found]) => found.row);
  const lanes = Object.fromEntries(moved.map(([name, found]) => [name, found.lane]));
  return { log: bytes === null ? "missing" : word, lanes, reports, left_out: leftOut };
}

export function events({ root, mission: slug }) {
  const mission = missionAt(root, slug);
  const { rows } = stateOf(mission, bytesOf(mission));
  return { events: rows.map(({ line, kind, id }) => ({ line, kind, event_id: id })) };
}

export function materialize({ root, mission: slug }) {
  const mission = missionAt(root, slug);
  return locked(mission, () => {
    const reduced = stateOf(mission, bytesOf(mission));
    try {
      return { path: mission.snapshot, snapshot: writeSnapshot(mission, reduced) };
    } catch (error) {
      throw new Problem("WRITE_FAILED", `the snapshot cannot be written: ${error.code ?? error.message}`);
    }
  });
}

// --- writing

export const transition = (request) => moved(request, [request])[0];
export const batch = (request) => ({ transitions: moved(request, request.moves) });

/** Make all moves or none; return an answer for each. */
function moved(request, moves) {
  let known = { mission_slug: request.mission };
  let move = moves[0];
  try {
    if (hasHalfCharacter(moves)) throw new Problem("HALF_A_CHARACTER", "half a character cannot be stored; nothing was written");
    const mission = missionAt(request.root, request.mission);
    known = { ...known, mission_id: mission.id, status_events_path: mission.log };
    return locked(mission, () => {
      const before = bytesOf(mission);
      const { kept } = endOf(before ?? Buffer.alloc(0)); // a torn end is moved aside, and no obstacle
      let reduced = stateOf(mission, kept);
      const added = [];
      const answers = moves.map((one) => {
        move = one;
        const row = rowFor(mission, reduced, one);
        const from = reduced.packages.get(one.work_package)?.row ? reduced.packages.get(one.work_package).lane : "genesis";
        const answer = { work_package_id: one.work_package, from_lane: from, status_events_path: mission.log };
        if (row === null) return { changed: false, event_id: null, to_lane: from, ...answer };
        added.push(row);
        reduced = followed(mission, reduced, row);
        return { changed: true, event_id: row.event_id, to_lane: row.to_lane, ...answer };
      });
      if (added.length) append(mission, before, added, (now) => confirm(mission, now, added));
      return answers;
    });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const asked = { work_package_id: move.work_package, requested_lane: laneOf(move.to) };
    error.more = { ...known, ...asked, ...error.more };
    throw error;
  }
}

/** Return the row that `move` adds, null when the work package is there already. Throws Problem. */
function rowFor(mission, reduced, move) {
  const name = move.work_package;
  const found = reduced.packages.get(name);
  const from = found?.row ? found.lane : "genesis";
  const to = laneOf(move.to);
  const task = isWorkPackage(name) ? taskOf(mission, name) : null;
  if (!isWorkPackage(name) || (task === null && !found?.row)) {
    throw new Problem("WORK_PACKAGE_UNKNOWN", `the mission has no work package ${encode(name)}`);
  }
  if (!BOARD.includes(to)) throw new Problem("LANE_UNKNOWN", `${encode(to)} is no lane of the board`);
  if (isNobody(move.actor)) throw new Problem("ACTOR_MISSING", `${name} -> ${to}: nobody is named as the actor`);
  if (move.force) {
    if (!move.reason?.trim()) throw new Problem("FORCE_UNEXPLAINED", `${name} -> ${to}: force needs a reason`);
  } else if (from === to) {
    const holder = encode(found.row.data.actor);
    if (HELD.has(to) && holder !== encode(move.actor)) {
      throw new Problem("HELD_BY_ANOTHER", `${name} is ${to} already: ${holder} holds it`, { holder: found.row.data.actor });
    }
    return null;
  } else {
    const open = () => openSubtasks(mission, task, found);
    const problem = objection(from, to, move, open);
    if (problem) throw new Problem("TRANSITION_ILLEGAL", `${name} is ${from}${holderText(found)}: ${problem}`);
  }
  return {
    actor: move.actor,
    at: momentBehind(found?.row),
    event_id: ulid(),
    evidence: move.evidence ?? null,
    execution_mode: move.execution_mode ?? "worktree",
    force: Boolean(move.force),
    from_lane: from,
    mission_id: mission.id ?? undefined,
    mission_slug: mission.slug,
    policy_metadata: move.policy_metadata ?? null,
    reason: move.reason ?? null,
    review_ref: move.review_ref ?? null,
    review_result: move.review_result ?? undefined,
    to_lane: to,
    wp_id: name,
  };
}

const holderText = (found) => (found?.row && HELD.has(found.lane) ? `, in the hand of ${encode(found.row.data.actor)}` : "");

function openSubtasks(mission, task, found) {
  const ids = task === null ? null : subtasksOf(task);
  if (ids === null) return ["that its task file does not list"];
  return ids.filter((id) => found.slots.subtasks?.[id] !== "done");
}

/** Return a moment for a row that is to count behind `row`. */
function momentBehind(row) {
  const now = BigInt(Date.now()) * 1000n;
  const after = row ? microsecondOf(row.instant) + 1n : now;
  return spell(after > now && after - now < SKEW ? after : now);
}

/** Return what the rows add up to with `data` behind them. Throws Problem when it would not be in force (STA-002). */
function followed(mission, reduced, data) {
  const row = rowOf(Buffer.from(encode(data)), 0);
  const before = reduced.packages.get(data.wp_id)?.row;
  if (before && !isLater(row, before)) {
    const { lane } = reduced.packages.get(data.wp_id);
    throw new Problem("LOG_OUTRANKS", `${data.wp_id} stays ${lane}: the row in force is dated ${before.data.at}, later than now`, { lane_in_force: lane });
  }
  const rows = [...reduced.rows, row];
  return { ...reduce(rows, mission), rows };
}

/** Judge what is on disk after an append: the rows are there, the lanes follow, and the snapshot says so. */
function confirm(mission, now, added) {
  const reduced = stateOf(mission, now);
  for (const { wp_id: name } of added) {
    const last = added.findLast((row) => row.wp_id === name);
    const found = reduced.packages.get(name);
    if (found?.row?.id !== last.event_id || found.lane !== last.to_lane) {
      throw new Problem("LOG_OUTRANKS", `${name} stays ${found?.lane}: the new row does not count`, { lane_in_force: found?.lane });
    }
  }
  writeSnapshot(mission, reduced);
}
