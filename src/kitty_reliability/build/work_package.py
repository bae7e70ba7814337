"""A work package, verb by verb: ``m.wp("WP01").claim().start().submit().review().reject().rework().approve()``.

A verb writes the row that the lane table asks for and, when it is a verdict, the review artifact that the row refers
to. Both sources of a verdict agree unless a test says otherwise: ``artifact=False``, ``event=False``,
``artifact_verdict="rejected"`` (interop: sections 1.6, 2.3, 3.2, 9.2; clauses RAC-001 to RAC-005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.reviews import EVENT_VERDICTS, Verdict, latest_cycle

from .errors import BuildError
from .reviews import WrittenReview, artifact_directory, override_artifact, write_review

if TYPE_CHECKING:
    from .event_log import EventLog
    from .mission import Mission

__all__ = ["WorkPackageVerbs"]

#: The verbs of a life without accidents, and the lane that each leads to.
_LIFE: Final = {
    "plan": Lane.PLANNED,
    "claim": Lane.CLAIMED,
    "start": Lane.IN_PROGRESS,
    "submit": Lane.FOR_REVIEW,
    "review": Lane.IN_REVIEW,
    "approve": Lane.APPROVED,
    "done": Lane.DONE,
}


class WorkPackageVerbs:
    """One work package of a mission that was built. Every verb writes at once and returns the same object.

    Arguments:
        mission: where it is.
        work_package: its id.

    Raises:
        BuildError: the mission has no such work package; in a verb: the lane that it is in does not lead there.
    """

    def __init__(self, mission: Mission, work_package: str) -> None:
        self.directory = artifact_directory(mission, work_package)
        self.mission = mission
        self.id = work_package
        #: The artifacts that the verbs wrote, in order.
        self.artifacts: list[WrittenReview] = []

    @property
    def log(self) -> EventLog:
        """The log that the rows go to."""
        return self.mission.log

    @property
    def lane(self) -> Lane:
        """The lane that it was last moved to."""
        return self.log.lanes.get(self.id, Lane.GENESIS)

    # --- work

    def plan(self, **keys: Any) -> WorkPackageVerbs:
        """Enter the log: genesis -> planned."""
        return self._step("plan", Lane.PLANNED, (Lane.GENESIS,), keys)

    def claim(self, **keys: Any) -> WorkPackageVerbs:
        """planned -> claimed. ``keys`` here and below: keys of the row, such as ``actor=``."""
        return self._step("claim", Lane.CLAIMED, (Lane.PLANNED,), keys)

    def start(self, **keys: Any) -> WorkPackageVerbs:
        """claimed or blocked -> in_progress."""
        return self._step("start", Lane.IN_PROGRESS, (Lane.CLAIMED, Lane.BLOCKED), keys)

    def submit(self, **keys: Any) -> WorkPackageVerbs:
        """in_progress -> for_review."""
        return self._step("submit", Lane.FOR_REVIEW, (Lane.IN_PROGRESS,), keys)

    def review(self, **keys: Any) -> WorkPackageVerbs:
        """for_review -> in_review: a reviewer takes it."""
        return self._step("review", Lane.IN_REVIEW, (Lane.FOR_REVIEW,), keys)

    def rework(self) -> WorkPackageVerbs:
        """Do what is left until a reviewer has it again, from wherever a rejection or a blocker put it."""
        self._require("rework", (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.BLOCKED, Lane.FOR_REVIEW))
        if self.lane is Lane.PLANNED:
            self.claim()
        if self.lane in (Lane.CLAIMED, Lane.BLOCKED):
            self.start()
        if self.lane is Lane.IN_PROGRESS:
            self.submit()
        return self.review()

    # --- verdicts

    def reject(
        self,
        *,
        cycle: int | None = None,
        to: Literal["planned", "in_progress"] = "planned",
        force: bool = False,
        event: bool = True,
        artifact: bool = True,
        artifact_verdict: str = "rejected",
        shape: str = "eight-keys",
        **keys: Any,
    ) -> WorkPackageVerbs:
        """Send it back from in_review, or from approved.

        Arguments:
            cycle: the number of the artifact; one more than the highest when left out.
            force: a forced row, as ``move-task`` of released versions writes it; with it, from any lane.
            event: False: the row has no ``review_result``, which only a forced row may lack, so it is forced.
            artifact: False: no file; the row's reference then names none.
            artifact_verdict, shape: what the file says, and how, see ``build.reviews.SHAPES``.
        """
        if to not in ("planned", "in_progress"):
            raise BuildError(f"{self.id}: reject() leads to planned or in_progress, not to {to!r}")
        target = Lane(to)
        if not force:
            self._require("reject", (Lane.IN_REVIEW, Lane.APPROVED))
        written = self._artifact(artifact, cycle, artifact_verdict, shape)
        if force:
            keys = {"reason": f"backward rewind: {self.lane} -> {target}: rejected by the test", **keys}
        return self._verdict(target, Verdict.REJECTED, written, force=force, event=event, keys=keys)

    def approve(
        self,
        *,
        cycle: int | None = None,
        force: bool = False,
        event: bool = True,
        artifact: bool = True,
        artifact_verdict: str = "approved",
        shape: str = "eight-keys",
        **keys: Any,
    ) -> WorkPackageVerbs:
        """Approve it from in_review, or from in_progress; with ``force`` from any lane. Arguments as in ``reject``."""
        if not force:
            self._require("approve", (Lane.IN_REVIEW, Lane.IN_PROGRESS))
        written = self._artifact(artifact, cycle, artifact_verdict, shape)
        return self._verdict(Lane.APPROVED, Verdict.APPROVED, written, force=force, event=event, keys=keys)

    def override(self, *, complete: bool = True, event: bool = True, artifact: bool = True) -> WorkPackageVerbs:
        """Record that an arbiter let it pass although the latest review rejects it.

        Arguments:
            complete: False: the reason is missing, so that nothing is cleared.
            event: the annotation that newer versions look at. 3.2.0 cannot read a log that has one: for it say
                ``event=False``.
            artifact: the keys that 3.2.0 looks at, in the latest artifact if there is one.

        Raises:
            BuildError: no annotation is wanted and there is no artifact, so that nothing would be written.
        """
        self._require_somewhere("override", event=event, artifact=artifact)
        reason = "out of scope" if complete else ""
        if artifact:
            self._override_latest("arbiter", reason or None)
        if event:
            self.log.clock.tick()
            review = {"actor": "arbiter", "at": self.log.clock.text, "reason": reason, "wp_id": self.id}
            self.log.annotate(self.id, review=review)
        return self

    def withdraw_override(self, *, event: bool = True, artifact: bool = True) -> WorkPackageVerbs:
        """Take an override back, in the annotations and in the latest artifact; BuildError as in ``override``."""
        self._require_somewhere("withdraw_override", event=event, artifact=artifact)
        if artifact:
            self._override_latest(None, None)
        if event:
            self.log.annotate(self.id, review=dict.fromkeys(("actor", "at", "reason", "wp_id"), ""))
        return self

    # --- ends

    def block(self, **keys: Any) -> WorkPackageVerbs:
        """Put it aside. From in_review this is a verdict: an artifact and a result that asks for changes."""
        return self._leave("block", Lane.BLOCKED, keys)

    def cancel(self, **keys: Any) -> WorkPackageVerbs:
        """Give it up. From in_review this is a verdict, as with ``block``."""
        return self._leave("cancel", Lane.CANCELED, keys)

    def done(self, **keys: Any) -> WorkPackageVerbs:
        """approved -> done, as a merge does; from in_review with an approval of its own."""
        if self.lane is not Lane.IN_REVIEW:
            return self._step("done", Lane.DONE, (Lane.APPROVED, Lane.IN_REVIEW), keys)
        written = self._artifact(True, None, "approved", "eight-keys")
        return self._verdict(Lane.DONE, Verdict.APPROVED, written, force=False, event=True, keys=keys)

    # --- inside

    def _step(self, verb: str, target: Lane, sources: tuple[Lane, ...], keys: dict[str, Any]) -> WorkPackageVerbs:
        self._require(verb, sources)
        self._row(target, keys)
        return self

    def _row(self, target: Lane, keys: dict[str, Any]) -> None:
        for name in ("work_package", "to"):
            if name in keys:
                raise BuildError(f"{self.id}: {name}= is said by the verb; log.lane({self.id!r}, ...) takes any")
        self.log.lane(self.id, target, **keys)

    def _leave(self, verb: str, target: Lane, keys: dict[str, Any]) -> WorkPackageVerbs:
        sources = tuple(source for source, goal in EDGES if goal is target)
        if self.lane is not Lane.IN_REVIEW:
            return self._step(verb, target, sources, keys)
        written = self._artifact(True, None, "rejected", "eight-keys")
        return self._verdict(target, Verdict.REJECTED, written, force=False, event=True, keys=keys)

    def _verdict(
        self,
        target: Lane,
        verdict: Verdict,
        written: WrittenReview | None,
        *,
        force: bool,
        event: bool,
        keys: dict[str, Any],
    ) -> WorkPackageVerbs:
        forced = force or not event
        row: dict[str, Any] = {"actor": self.log.reviewer}
        if written is not None:
            reference = written.reference
        else:
            reference = "force-override" if forced else f"review:{self.id}:{self._reviews}"
        row["review_ref"] = reference
        if event:
            review = {"reviewer": self.log.reviewer, "verdict": str(EVENT_VERDICTS[verdict]), "reference": reference}
            row["review_result"] = review
            if verdict is Verdict.APPROVED:
                row["evidence"] = {"review": dict(review)}
        self._row(target, {"force": forced, **row, **keys})
        return self

    @property
    def _reviews(self) -> int:
        taken = [row for row in self.log.rows if row.get("wp_id") == self.id and row.get("to_lane") == "in_review"]
        return max(1, len(taken))

    def _artifact(self, wanted: bool, cycle: int | None, verdict: str, shape: str) -> WrittenReview | None:
        if not wanted:
            if cycle is not None:
                raise BuildError(f"{self.id}: cycle={cycle} names an artifact, and artifact=False asks for none")
            return None
        written = write_review(self.mission, self.id, number=cycle, verdict=verdict, shape=shape)
        self.artifacts.append(written)
        return written

    def _override_latest(self, actor: str | None, reason: str | None) -> None:
        path = latest_cycle(self.directory)
        if path is not None:
            override_artifact(path, actor, reason)

    def _require_somewhere(self, verb: str, *, event: bool, artifact: bool) -> None:
        if not event and not (artifact and latest_cycle(self.directory)):
            raise BuildError(
                f"{self.id} has no artifact for {verb}() to change; reject() first, or leave event=False out"
            )

    def _require(self, verb: str, sources: tuple[Lane, ...]) -> None:
        if self.lane in sources:
            return
        wanted = " or ".join(sources)
        raise BuildError(f"{self.id} is {self.lane}; {verb}() needs {wanted}{self._way(sources)}")

    def _way(self, sources: tuple[Lane, ...]) -> str:
        """Say which verbs lead from here to one of ``sources``, or that only force does."""
        if sources == (Lane.GENESIS,):
            return ", and nothing leads back there"
        if self.lane in (Lane.IN_REVIEW, Lane.APPROVED):
            for back in (Lane.PLANNED, Lane.IN_PROGRESS):
                if back in sources:
                    return f": reject(to='{back}') leads there"
        life = list(_LIFE.values())
        # A blocked one goes on where a claimed one does.
        here = Lane.CLAIMED if self.lane is Lane.BLOCKED else self.lane
        start = -1 if here is Lane.GENESIS else life.index(here) if here in life else len(life)
        for goal, lane in enumerate(life):
            if lane in sources and goal > start:
                verbs = [f"{name}()" for name in list(_LIFE)[start + 1 : goal + 1]]
                return f": {'.'.join(verbs)} leads there"
        return f"; only a forced row leads there: log.lane({self.id!r}, ..., force=True)"
