// Everything that can go wrong, with the outcome it is, the clause behind it and what to do about it.

const CODES = {
  MISSION_UNKNOWN: ["refused", "STA-007", "name a directory below kitty-specs that has a meta.json"],
  MISSION_OUTSIDE: ["refused", "SEC-003", "put the mission's files where the links lead from"],
  COORDINATION_MISSING: ["refused", "STA-005", "check the coordination branch out again with git worktree add"],
  WORK_PACKAGE_UNKNOWN: ["refused", "STA-007", "write its task file first, or correct the id"],
  LANE_UNKNOWN: ["refused", "STA-007", "use a lane of the board"],
  FORCE_UNEXPLAINED: ["refused", "STA-007", "say who forces it, and for what reason"],
  ACTOR_MISSING: ["refused", "STA-007", "say who moves it"],
  TRANSITION_ILLEGAL: ["refused", "STA-007", "move along the lane table with what the guard needs, or force it"],
  HELD_BY_ANOTHER: ["refused", "STA-011", "agree with the holder, or take another work package"],
  HALF_A_CHARACTER: ["refused", "SEC-004", "send whole characters"],
  LOG_DAMAGED: ["failed", "LOG-007", "repair the lines that are named; a recovery read shows the rest"],
  LOG_UNREADABLE: ["failed", "STA-003", "make the log a readable file again"],
  LOG_OUTRANKS: ["failed", "STA-002", "set the clocks right, then ask again"],
  LOCK_BUSY: ["failed", "STA-008", "wait for the process that holds the lock, or end it"],
  WRITE_FAILED: ["failed", "STA-003", "make room or give access, then ask again"],
  WRITE_UNCERTAIN: ["unknown", "STA-006", "look at the end of the log before asking again"],
};

/** An operation that is not done: an outcome and its diagnostic. */
export class Problem extends Error {
  constructor(code, message, more = {}) {
    super(message);
    [this.outcome] = CODES[code];
    this.code = code;
    this.more = more;
  }

  /** Return the diagnostic, with what `known` says of mission and request (STA-003). */
  diagnostic(known = {}) {
    const [, clause, remediation] = CODES[this.code];
    return {
      message: this.message.toWellFormed(),
      diagnostic_code: this.code,
      violated_invariant: clause,
      remediation,
      ...known,
      ...this.more,
    };
  }
}
