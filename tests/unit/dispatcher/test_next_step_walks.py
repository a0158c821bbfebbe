"""Killed after any of its writes, the dispatcher ends where it would have ended: one Job, the right phase."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnace.dispatcher.next_step import Nothing
from unit.dispatcher.small_world import Cut, World

_ENOUGH = 400
_FATES: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    # name: (what each attempt does, the phase in which it must end)
    "completes": ((("starts", "commits:Completed", "writes:Completed", "exits:0"),), "Completed"),
    "partially fails": (
        (("starts", "commits:PartiallyFailed", "writes:PartiallyFailed", "exits:0"),), "PartiallyFailed"
    ),
    "fails and says so": ((("starts", "writes:Failed", "exits:1"),), "Failed"),
    "fails and can't say so": ((("starts", "exits:1"),), "Failed"),
    "can't write its last status": ((("starts", "commits:Completed", "exits:0"),), "Completed"),
    "is killed after it committed, in its only chance": (
        (("starts", "exits:137"), ("starts", "exits:137"), ("starts", "commits:Completed", "exits:137")), "Completed"
    ),
    "is killed after it committed, and the next attempt finds that": (
        (("starts", "commits:Completed", "exits:137"), ("starts", "writes:Completed", "exits:0")), "Completed"
    ),
    "is evicted once": (
        (("starts", "exits:143"), ("starts", "commits:Completed", "writes:Completed", "exits:0")), "Completed"
    ),
    "finds the bucket away in each attempt": ((("starts", "exits:75"),) * 3, "Failed"),
    "runs out of memory": ((("starts", "exits:oom"), ("starts", "commits:Completed", "exits:0")), "Failed"),
    "finds no image": ((("waits:ImagePullBackOff",),), "Failed"),
    "finds its image late": (
        (("waits:ErrImagePull", "starts", "commits:Completed", "writes:Completed", "exits:0"),), "Completed"
    ),
    "loses its node": ((("starts", "lost"),), "Failed"),
}  # fmt: skip


def _walk(world: World, turns: Iterator[bool]) -> None:
    """Let the dispatcher and the others take turns until nothing is left to do for a quarter of an hour."""
    idle_rounds = 0
    for _ in range(_ENOUGH):
        happened = next(turns) and world.happen()
        step = world.step()
        with contextlib.suppress(Cut):
            world.perform(step)
        if not happened and isinstance(step, Nothing):
            idle_rounds += not world.happen()
            world.pass_time()
        else:
            idle_rounds = 0
        if idle_rounds > 30:
            return
    raise AssertionError(f"it does not come to rest: {step}")


def _always() -> Iterator[bool]:
    while True:
        yield True


def _end(world: World) -> tuple[int, str, int]:
    assert world.backup is not None
    return world.jobs_made, world.backup["status"]["phase"], world.pods_resumed_without_rights


def _walked(fate: str, *, cuts: frozenset[int] = frozenset(), turns: Iterator[bool] | None = None) -> World:
    world = World(*_FATES[fate][0], cuts=cuts)
    _walk(world, turns or _always())
    return world


@pytest.mark.parametrize("fate", _FATES)
def test_cut_after_any_single_write_it_ends_as_if_it_had_not_been(fate: str) -> None:
    whole = _walked(fate)
    assert _end(whole) == (1, _FATES[fate][1], 0)
    ends = {cut: _walked(fate, cuts=frozenset({cut})) for cut in range(1, whole.writes + 1)}
    assert {cut: _end(world) for cut, world in ends.items()} == dict.fromkeys(ends, (1, _FATES[fate][1], 0))
    assert {cut: set(world.told) for cut, world in ends.items()} == {cut: set(whole.told) for cut in ends}


@given(
    st.sampled_from(sorted(_FATES)),
    st.frozensets(st.integers(min_value=1, max_value=25)),
    st.lists(st.booleans(), min_size=_ENOUGH, max_size=_ENOUGH),
)
@settings(max_examples=100, deadline=None)
def test_cut_again_and_again_and_in_any_order_of_events_it_ends_the_same(
    fate: str, cuts: frozenset[int], turns: list[bool]
) -> None:
    assert _end(_walked(fate, cuts=cuts, turns=iter(turns))) == (1, _FATES[fate][1], 0)


@pytest.mark.parametrize("fate", _FATES)
def test_at_the_end_nothing_is_left_that_runs(fate: str) -> None:
    world = _walked(fate)
    live = [pod["metadata"]["name"] for pod in world.pods if pod["status"]["phase"] in ("Pending", "Running")]
    assert live == []


@pytest.mark.parametrize("fate", [fate for fate in _FATES if fate != "loses its node"])
def test_an_end_is_recorded_only_when_the_pod_has_handed_over_its_figures(fate: str) -> None:
    assert _walked(fate).ends_recorded_before_the_pod_ended == 0


def test_what_a_person_is_told_of_a_backup_that_was_evicted_once() -> None:
    assert _walked("is evicted once").told == ["Started", "Attempt 2", "Completed"]


@pytest.mark.parametrize("after", range(1, 8))
def test_a_backup_deleted_at_any_point_leaves_no_job(after: int) -> None:
    world = World(("starts", "commits:Completed", "writes:Completed", "exits:0"), cuts=frozenset({after}))
    deleted = False
    for _ in range(_ENOUGH):
        world.happen()
        try:
            world.perform(world.step())
        except Cut:
            world.backup, deleted = None, True
    assert (deleted, world.job, world.pods) == (True, None, [])


@pytest.mark.parametrize("after", range(2, 6))
def test_a_job_deleted_by_hand_fails_a_backup_that_has_begun_and_is_not_made_again(after: int) -> None:
    world = World(("starts", "commits:Completed", "writes:Completed", "exits:0"), cuts=frozenset({after}))
    for _ in range(_ENOUGH):
        try:
            world.perform(world.step())
        except Cut:
            world.job, world.pods = None, []
        world.happen()
    assert _end(world) == (1, "Failed", 0)
