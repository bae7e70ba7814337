// The lane table: 29 edges, each with what has to be brought along (clause STA-007).

export const BOARD = [
  "planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done", "blocked", "canceled",
];
/** Lanes that a row may come from: `genesis` before the first row, `uninitialized` is a sentinel of readers. */
export const SOURCES = new Set([...BOARD, "genesis", "uninitialized"]);
/** Lanes in which a work package is in somebody's hand. */
export const HELD = new Set(["claimed", "in_progress", "in_review"]);

const blank = (text) => typeof text !== "string" || text.trim() === "";

/** Say whether `actor` names nobody: missing, blank, or an object of nothing but blanks. */
export const isNobody = (actor) => (typeof actor === "object" && actor !== null ? Object.values(actor).every(blank) : blank(actor));

const REVIEW = ["reviewer", "verdict", "reference"];
const approves = (evidence) =>
  !blank(evidence?.review?.reviewer) && !blank(evidence.review.reference) && evidence.review.verdict === "approved";

// Each guard returns what is missing, or nothing.
const free = () => undefined;
const workspace = (move) => (blank(move.workspace_context) ? "a workspace context" : undefined);
const reason = (move) => (blank(move.reason) ? "a reason" : undefined);
const reviewRef = (move) => (blank(move.review_ref) ? "a review reference" : undefined);
const evidence = (move) => (approves(move.evidence) ? undefined : "evidence of an approval by a reviewer, with a reference");

function concluded(move) {
  const result = move.review_result;
  if (REVIEW.some((key) => blank(result?.[key]))) return "a review result with reviewer, verdict and reference";
  if (move.review_ref != null && move.review_ref !== result.reference) return "the reference of this review result";
  const same = move.evidence == null || REVIEW.every((key) => move.evidence.review?.[key] === result[key]);
  return same ? undefined : "evidence that says what the review result says";
}

function approved(move) {
  const approval = move.evidence == null ? move.review_result?.verdict === "approved" : approves(move.evidence);
  return concluded(move) ?? (approval ? undefined : "an approving review");
}

/** Subtasks are looked up by the caller, who knows mission and log: `openSubtasks` lists those that are not done. */
const ready = (_, openSubtasks) => (openSubtasks().length ? `the subtasks ${openSubtasks().join(", ")} done` : undefined);

const TABLE = {
  genesis: { planned: free, canceled: free },
  planned: { claimed: free, blocked: free, canceled: free },
  claimed: { in_progress: workspace, blocked: free, canceled: free },
  in_progress: { for_review: ready, approved: evidence, planned: reason, blocked: free, canceled: free },
  for_review: { in_review: free, blocked: free, canceled: free },
  in_review: {
    approved, done: approved, in_progress: concluded, planned: concluded, blocked: concluded, canceled: concluded,
  },
  approved: { done: evidence, in_progress: reviewRef, planned: reviewRef, blocked: free, canceled: free },
  blocked: { in_progress: free, canceled: free },
};

/** Return the lane that a request means: trimmed, in lower case, `doing` by its name of today. */
export function laneOf(text) {
  const lane = text.trim().toLowerCase();
  return lane === "doing" ? "in_progress" : lane;
}

/** Return why the unforced move from `from` to `to` is not allowed, nothing when it is. */
export function objection(from, to, move, openSubtasks) {
  const guard = TABLE[from]?.[to];
  if (guard === undefined) return `no edge leads from ${from} to ${to}`;
  const missing = guard(move, openSubtasks);
  return missing && `${from} -> ${to} needs ${missing}`;
}
