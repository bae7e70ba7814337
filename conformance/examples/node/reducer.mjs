// Rows in, lanes and snapshot out (clauses LOG-001 to LOG-005, LOG-010 to LOG-012).

import { BOARD } from "./lanes.mjs";

const compare = (one, other) => (one < other ? -1 : Number(one > other));
const inOrder = (one, other) => compare(one.instant, other.instant) || compare(one.id ?? "", other.id ?? "");

/** Say whether row `one` counts later than row `other`. */
export const isLater = (one, other) => inOrder(one, other) > 0;

const isReview = (data) => data.from_lane === "in_review" || data.from_lane === "for_review";
const rejects = (data) => isReview(data) && (data.to_lane === "planned" || data.to_lane === "in_progress");
const approves = (data) => data.to_lane === "approved" || data.to_lane === "done";
const bootstraps = (data) =>
  data.to_lane === "planned" && (data.from_lane === "genesis" || (data.from_lane === "planned" && data.force));

function isForeign(data, mission) {
  if (data.mission_id && mission.id) return data.mission_id !== mission.id;
  const slug = data.mission_slug ?? data.feature_slug;
  return Boolean(slug) && slug !== mission.slug && slug !== mission.meta.mission_slug && slug !== mission.meta.slug;
}

/** Return the distinct rows, and a problem for each event id that stands for two contents. */
function distinct(rows) {
  const seen = new Map();
  const problems = [];
  const kept = rows.filter((row) => {
    const earlier = row.id === null ? undefined : seen.get(row.id);
    if (row.id !== null && !earlier) seen.set(row.id, row);
    if (earlier && earlier.content !== row.content) {
      const lines = [earlier.line, row.line];
      problems.push({ line: row.line, lines, message: `lines ${lines.join(" and ")} share the event id ${row.id} and differ` });
    }
    return !earlier;
  });
  return { kept, problems };
}

/**
 * Reduce `rows` for `mission`.
 *
 * Returns packages: work package -> {row in force, lane, forced, slots}; rows of lanes in the order in which they count;
 * reports about rows of other missions; problems; and the kind of log that it is (LOG-012).
 */
export function reduce(rows, mission) {
  const { kept, problems } = distinct(rows);
  const foreign = kept.filter((row) => row.kind === "lane" && isForeign(row.data, mission));
  const strangers = new Set(foreign);
  const of = (kind) => kept.filter((row) => row.kind === kind && !strangers.has(row)).sort(inOrder);
  const lanes = of("lane");
  const annotations = of("annotation");
  const packages = new Map();
  for (const row of lanes) {
    const before = packages.get(row.data.wp_id) ?? { forced: 0, slots: {} };
    packages.set(row.data.wp_id, outranked(before, row) ? before : applied(before, row));
  }
  for (const row of annotations) {
    const found = packages.get(row.data.wp_id) ?? { lane: "uninitialized", row: null, forced: 0, slots: {} };
    packages.set(row.data.wp_id, { ...found, slots: annotated(found.slots, row.data.delta) });
  }
  return {
    problems,
    packages,
    lanes,
    retrospectives: of("retrospective"),
    word: word(rows, lanes, annotations),
    reports: foreign.map(({ line, data }) => ({
      line,
      diagnostic_code: "ROW_OF_ANOTHER_MISSION",
      message: `line ${line} is a row of another mission and moves nothing here`,
      work_package_id: data.wp_id,
    })),
  };
}

/** At one instant a rejection outranks the approvals, whichever row has the higher id. */
const outranked = (before, row) => before.rejected === row.instant && approves(row.data);

function applied(before, row) {
  const { data } = row;
  const slots = { ...before.slots };
  if (data.review_result || data.from_lane === "in_review") slots.review_result = data.review_result ?? null;
  if (data.from_lane === "planned" && data.to_lane === "claimed") {
    for (const key of ["shell_pid", "shell_pid_created_at", "agent"]) {
      if (data.policy_metadata?.[key]) slots[key] = data.policy_metadata[key];
    }
  }
  const rejected = rejects(data) ? row.instant : before.rejected;
  return { lane: data.to_lane, row, forced: before.forced + data.force, rejected, slots };
}

const REPLACED = [
  "shell_pid", "shell_pid_created_at", "agent", "assignee", "role", "agent_profile", "agent_profile_version", "model", "provider",
];

function annotated(before, delta) {
  const slots = { ...before };
  if (delta.release_runtime_claim === true) Object.assign(slots, { agent: null, shell_pid: null, shell_pid_created_at: null });
  for (const key of REPLACED) if (delta[key] != null && delta[key] !== "") slots[key] = delta[key];
  if (delta.note) slots.notes = [...(slots.notes ?? []), delta.note];
  if (delta.subtasks) slots.subtasks = { ...slots.subtasks, ...delta.subtasks };
  const refs = delta.tracker_refs_replace ?? (delta.tracker_refs && [...(slots.tracker_refs ?? []), ...delta.tracker_refs]);
  if (refs) slots.tracker_refs = [...new Set(refs)];
  if (delta.review) slots.review = Object.values(delta.review).some(Boolean) ? delta.review : null;
  return slots;
}

function word(rows, lanes, annotations) {
  if (lanes.length) return lanes.every((row) => bootstraps(row.data)) ? "bootstrap-only" : "active";
  if (annotations.length) return "annotations-only";
  return rows.length ? "no-transitions" : "empty";
}

const nameOf = (actor) => (typeof actor === "string" ? actor : (actor.tool ?? actor.role ?? ""));

/** Return the snapshot: a function of the log and of `meta.json` alone (LOG-011). */
export function snapshotOf(reduced, mission) {
  const newest = reduced.lanes.at(-1)?.data;
  const packages = Object.create(null);
  for (const [name, { lane, row, forced, slots }] of reduced.packages) {
    packages[name] = {
      ...slots,
      lane,
      actor: row && nameOf(row.data.actor),
      last_transition_at: row && row.data.at,
      last_event_id: row && row.id,
      force_count: forced,
    };
  }
  const inLane = (lane) => Object.values(packages).filter((found) => found.lane === lane).length;
  const retrospective = retrospectiveOf(reduced.retrospectives);
  return {
    event_count: reduced.lanes.length,
    last_event_id: newest?.event_id ?? null,
    materialized_at: newest?.at ?? "",
    mission_number: String(mission.meta.mission_number ?? ""),
    mission_slug: mission.slug,
    mission_type: mission.meta.mission_type ?? "",
    summary: Object.fromEntries(BOARD.map((lane) => [lane, inLane(lane)])),
    work_packages: packages,
    ...(retrospective && { retrospective }),
  };
}

function retrospectiveOf(rows) {
  const named = rows.filter((row) => typeof row.data.event_name === "string");
  if (!named.length) return null;
  const last = (pattern) => named.findLast((row) => pattern.test(row.data.event_name))?.data;
  const count = (what) => named.filter((row) => row.data.event_name === `retrospective.proposal.${what}`).length;
  const [total, applied, rejected] = ["generated", "applied", "rejected"].map(count);
  return {
    status: last(/^retrospective\.(completed|skipped|failed)$/)?.event_name.slice("retrospective.".length) ?? "pending",
    mode: last(/^retrospective\.requested$/)?.payload?.mode ?? null,
    record_path: last(/^retrospective\.completed$/)?.payload?.record_path ?? null,
    proposals_total: total,
    proposals_applied: applied,
    proposals_rejected: rejected,
    proposals_pending: total - applied - rejected,
  };
}
