"""The search for an order agrees with trying every order, and says in words why there is none."""

from __future__ import annotations

from itertools import combinations, permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_conformance.linearizability import HELD, Operation, Undecided, unexplained

LANES = ("planned", "claimed", "blocked")
ACTORS = ("a", "b")


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    asked = draw(st.integers(0, 9))
    result = draw(st.sampled_from(["moved", "stayed", "refused", "perhaps", "seen"]))
    legal = draw(st.sets(st.sampled_from(LANES)))
    return Operation(
        actor=draw(st.sampled_from(ACTORS)),
        work_package="WP01",
        to=draw(st.sampled_from(LANES)),
        result=result,
        asked=asked,
        answered=None if result == "perhaps" else asked + draw(st.integers(0, 5)),
        legal=legal,
        possible=legal | draw(st.sets(st.sampled_from(LANES))),
        from_lane=draw(st.sampled_from([None, *LANES])) if result == "moved" else None,
    )


def in_order(order: tuple[Operation, ...]) -> bool:
    """Say whether ``order`` keeps to the clock and every answer is right where it stands."""
    for number, later in enumerate(order):
        if any(later.answered is not None and later.answered < earlier.asked for earlier in order[:number]):
            return False
    lane, holder = "planned", None
    for operation in order:
        theirs = lane in HELD and holder != operation.actor
        match operation.result:
            case "moved" | "perhaps":
                if lane not in operation.possible or operation.from_lane not in (None, lane):
                    return False
                lane, holder = operation.to, operation.actor
            case "refused":
                if lane in operation.legal and lane != operation.to and not theirs:
                    return False
            case "stayed":
                if lane != operation.to or theirs:
                    return False
            case "seen":
                if lane != operation.to:
                    return False
    return True


def explained_by_trying(history: list[Operation]) -> bool:
    """Try every order, with and without what perhaps happened."""
    sure = [operation for operation in history if operation.result != "perhaps"]
    perhaps = [operation for operation in history if operation.result == "perhaps"]
    return any(
        in_order(order)
        for count in range(len(perhaps) + 1)
        for some in combinations(perhaps, count)
        for order in permutations([*sure, *some])
    )


@settings(max_examples=600)
@given(st.lists(operations(), max_size=5))
def test_the_search_agrees_with_trying_every_order(history: list[Operation]) -> None:
    assert (unexplained(history, {"WP01": "planned"}) is None) == explained_by_trying(history)


def crowd(rng: Random, clients: int, count: int) -> list[Operation]:
    """Return what ``clients`` were told by somebody who keeps to the rules, each asking ``count`` times."""
    history: list[Operation] = []
    lane, holder, now = "planned", None, 0.0
    step = {"planned": "claimed", "claimed": "blocked", "blocked": "planned"}
    # Everybody's request is open for as long as the others take one turn each.
    for turn in range(count):
        for client in rng.sample(range(clients), clients):
            actor = f"actor-{client}"
            to = rng.choice(LANES)
            legal = {source for source, target in step.items() if target == to}
            now += 1
            asked, answered = now - rng.random() * clients, now + rng.random() * clients
            asked = max(asked, turn * clients)
            answered = min(answered, (turn + 1) * clients + 0.5)
            if step[lane] == to:
                history.append(Operation(actor, "WP01", to, "moved", asked, answered, legal, legal, lane))
                lane, holder = to, actor
            else:
                result = "stayed" if lane == to and holder == actor else "refused"
                history.append(Operation(actor, "WP01", to, result, asked, answered, legal, legal))
    return history


@pytest.mark.parametrize("seed", range(5))
def test_eight_clients_with_32_operations_each_are_explained(seed: int) -> None:
    history = crowd(Random(seed), 8, 32)
    assert unexplained(history, {"WP01": "planned"}) is None

    wins = [number for number, operation in enumerate(history) if operation.result == "moved"]
    twice = history[wins[len(wins) // 2]]
    lied = [*history, Operation("liar", "WP01", twice.to, "moved", 300.0, 301.0, (), ["genesis"])]
    assert "liar asked at" in (unexplained(lied, {"WP01": "planned"}) or "")


def test_two_who_both_won_are_named() -> None:
    history = [
        Operation("ann", "WP01", "claimed", "moved", 1.0, 1.02, ["planned"], ["planned"], "planned"),
        Operation("bob", "WP01", "claimed", "moved", 1.01, 1.03, ["planned"], ["planned"], "planned"),
        Operation("eve", "WP02", "claimed", "refused", 1.01, 1.02, (), ()),
    ]
    assert unexplained(history, {"WP01": "planned", "WP02": "planned"}) == (
        "bob asked at 10.0 ms for WP01 -> claimed and was told at 30.0 ms: moved from planned; "
        "until then it can have been claimed, by ann, from where the request is not legal "
        "(ann asked at 0.0 ms for WP01 -> claimed and was told at 20.0 ms: moved from planned); "
        "no order of these explains the answer"
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Operation("bob", "WP01", "blocked", "refused", 2.0, 2.1, ["planned"], ["planned"]), "request is legal"),
        (Operation("bob", "WP01", "blocked", "moved", 2.0, 2.1, ["planned"], ["planned"], "claimed"), "not claimed"),
        (Operation("bob", "WP01", "claimed", "stayed", 2.0, 2.1, ["planned"], ["planned"]), "contradicts"),
        (Operation("bob", "WP01", "claimed", "seen", 2.0, 2.1), "WP01 is claimed on disk"),
    ],
    ids=["refused", "another lane", "stayed", "seen"],
)
def test_each_kind_of_answer_is_doubted_in_words(wrong: Operation, says: str) -> None:
    open_ = Operation("ann", "WP01", "planned", "perhaps", 1.0, None, ["blocked"], ["blocked"])
    witness = unexplained([open_, wrong], {"WP01": "planned"})
    assert witness is not None
    assert says in witness
    assert "meanwhile ann asked at 0.0 ms for WP01 -> planned and was not told what became of it" in witness


def test_what_may_have_happened_explains_what_was_seen() -> None:
    lost = Operation("ann", "WP01", "claimed", "perhaps", 1.0, None, ["planned"], ["planned"])
    seen = Operation("", "WP01", "claimed", "seen", 2.0, 2.0)
    assert unexplained([lost, seen], {"WP01": "planned"}) is None
    assert unexplained([seen], {"WP01": "planned"}) is not None


def test_a_search_that_takes_too_long_decides_nothing() -> None:
    with pytest.raises(Undecided, match="configurations"):
        unexplained(crowd(Random(1), 2, 2), {"WP01": "planned"}, seconds=-1)
