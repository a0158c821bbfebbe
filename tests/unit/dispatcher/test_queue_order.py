"""Backups start in their order, never more at once than allowed, and never two that share a namespace."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnace.dispatcher.queue_order import QueuePlace, queue_places, wanted_namespaces

_EXISTING = ("default", "kube-system", "shop-eu", "shop-us", "team-a", "team-b")


def _backup(
    name: str, *includes: str, phase: str = "", position: int = 0, created: int = 0, excludes: Sequence[str] = ()
) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if phase:
        status["phase"] = phase
    if position:
        status["queuePosition"] = position
    return {
        "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:{created:02d}Z"},
        "spec": {"includedNamespaces": list(includes), "excludedNamespaces": list(excludes)},
        "status": status,
    }


def _positions(
    *backups: dict[str, Any], concurrent: int = 1, with_jobs: Sequence[str] = (), existing: Sequence[str] = _EXISTING
) -> dict[str, int]:
    """The position of each; 0 may start."""
    places = queue_places(
        backups, existing_namespaces=existing, concurrent_backups=concurrent, with_jobs=with_jobs
    )  # fmt: skip
    return {name: place.position for name, place in places.items()}


def test_position_nought_may_start() -> None:
    assert [QueuePlace(position).may_start for position in (0, 1, 2)] == [True, False, False]


@pytest.mark.parametrize(
    ("includes", "excludes", "wanted"),
    [
        ((), (), _EXISTING),
        (("*",), (), _EXISTING),
        (("",), (), _EXISTING),
        (("shop-*",), (), ("shop-eu", "shop-us")),
        (("shop-?u", "team-[ab]"), ("team-b",), ("shop-eu", "team-a")),
        ((), ("kube-*", "shop-*"), ("default", "team-a", "team-b")),
        (("gone",), (), ("gone",)),
        (("gone*",), (), ()),
    ],
)
def test_globs_are_those_namespaces_that_exist_now(
    includes: tuple[str, ...], excludes: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert wanted_namespaces(_backup("b", *includes, excludes=excludes), existing=_EXISTING) == frozenset(wanted)


def test_a_backup_without_a_spec_wants_everything() -> None:
    assert wanted_namespaces({"metadata": {"name": "b"}}, existing=_EXISTING) == frozenset(_EXISTING)


def test_the_oldest_starts_and_the_others_wait_in_the_order_in_which_they_were_made() -> None:
    assert _positions(
        _backup("c", "team-a", created=3), _backup("b", "team-b", created=2), _backup("a", created=1)
    ) == {
        "a": 0,
        "b": 1,
        "c": 2,
    }


def test_backups_of_the_same_second_are_ordered_by_name() -> None:
    assert _positions(_backup("b"), _backup("a")) == {"a": 0, "b": 1}


def test_as_many_start_as_are_allowed() -> None:
    backups = [_backup(name, name) for name in ("shop-eu", "shop-us", "team-a", "team-b")]
    assert _positions(*backups, concurrent=3) == {"shop-eu": 0, "shop-us": 0, "team-a": 0, "team-b": 1}


@pytest.mark.parametrize("phase", ["InProgress", "ReadyToStart"])
def test_those_that_run_count(phase: str) -> None:
    assert _positions(_backup("runs", "team-a", phase=phase), _backup("new", "team-b"))["new"] == 1


@pytest.mark.parametrize(
    "phase",
    [
        "Completed", "PartiallyFailed", "Failed", "FailedValidation", "Deleting", "Finalizing",
        "FinalizingPartiallyFailed", "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed",
    ],
)  # fmt: skip
def test_those_that_list_nothing_any_more_neither_count_nor_have_a_place(phase: str) -> None:
    assert _positions(_backup("old", phase=phase, position=1), _backup("new")) == {"new": 0}


@pytest.mark.parametrize("phase", ["", "New", "Queued"])
def test_all_phases_before_the_start_wait_alike(phase: str) -> None:
    assert _positions(_backup("runs", phase="InProgress"), _backup("b", phase=phase)) == {"b": 1}


def test_one_that_another_server_made_ready_may_start() -> None:
    assert _positions(_backup("ready", phase="ReadyToStart"), _backup("new")) == {"ready": 0, "new": 1}


@pytest.mark.parametrize(
    ("running", "waiting", "position"),
    [
        (("team-a",), ("team-a",), 1),
        (("team-a",), ("team-b",), 0),
        (("*",), ("team-a",), 1),
        ((), ("team-a",), 1),
        (("team-a",), ("*",), 1),
        (("team-*",), ("team-a", "shop-eu"), 1),
        (("team-*",), ("shop-*",), 0),
        (("t*-a",), ("team-?",), 1),
        (("gone",), ("gone",), 1),
        (("gone*",), ("*",), 0),
    ],
)
def test_one_that_shares_a_namespace_with_one_that_runs_waits(
    running: tuple[str, ...], waiting: tuple[str, ...], position: int
) -> None:
    places = _positions(_backup("runs", *running, phase="InProgress"), _backup("new", *waiting), concurrent=9)
    assert places == {"new": position}


def test_one_that_shares_no_namespace_passes_one_that_must_wait() -> None:
    backups = [
        _backup("runs", "team-a", phase="InProgress"),
        _backup("first", "team-a", phase="Queued", position=1),
        _backup("second", "team-b", phase="Queued", position=2),
    ]
    assert _positions(*backups, concurrent=2) == {"first": 1, "second": 0}


def test_one_that_shares_a_namespace_with_one_that_waits_before_it_does_not_pass_it() -> None:
    backups = [
        _backup("runs", "team-a", phase="InProgress"),
        _backup("first", "team-a", "team-b", phase="Queued", position=1),
        _backup("second", "team-b", phase="Queued", position=2),
        _backup("third", "shop-*", phase="Queued", position=3),
    ]
    assert _positions(*backups, concurrent=3) == {"first": 1, "second": 2, "third": 0}


def test_a_free_place_goes_to_the_first_that_can_use_it() -> None:
    backups = [_backup(f"b{n}", name, phase="Queued", position=n) for n, name in ((2, "team-a"), (1, "team-b"))]
    assert _positions(*backups) == {"b1": 0, "b2": 1}


def test_positions_are_counted_anew_without_gaps_and_new_ones_come_last() -> None:
    backups = [
        _backup("runs", phase="InProgress"),
        _backup("newer", created=5),
        _backup("new", phase="New", created=4),
        _backup("eighth", phase="Queued", position=8, created=3),
        _backup("third", phase="Queued", position=3, created=9),
    ]
    assert _positions(*backups) == {"third": 1, "eighth": 2, "new": 3, "newer": 4}


def test_one_whose_job_exists_counts_as_running_before_its_phase_says_so() -> None:
    backups = [
        _backup("earlier", "team-a", phase="Queued", position=1),
        _backup("begun", "team-b", phase="Queued", position=2),
    ]
    assert _positions(*backups) == {"earlier": 0, "begun": 1}
    assert _positions(*backups, with_jobs=["begun"]) == {"begun": 0, "earlier": 1}


def test_one_that_is_being_deleted_has_no_place_and_one_that_still_runs_keeps_its_own() -> None:
    dying, running = _backup("dying"), _backup("runs", "team-a", phase="InProgress")
    for each in (dying, running):
        each["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    assert _positions(dying, running, _backup("new", "team-a"), concurrent=5) == {"new": 1}


_PATTERNS = st.lists(st.sampled_from(["*", "team-*", "shop-?u", "team-a", "team-b", "default", "gone"]), max_size=2)
_PHASES = st.sampled_from(["", "New", "Queued", "InProgress", "ReadyToStart", "Completed"])


@st.composite
def _queues(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(min_value=0, max_value=8))
    return [
        _backup(
            f"b{number}",
            *draw(_PATTERNS),
            phase=draw(_PHASES),
            position=draw(st.integers(min_value=0, max_value=9)),
            created=draw(st.integers(min_value=0, max_value=5)),
        )
        for number in range(count)
    ]


def _named(backups: list[dict[str, Any]], *phases: str) -> list[str]:
    return [each["metadata"]["name"] for each in backups if each["status"].get("phase", "") in phases]


@given(_queues(), st.integers(min_value=1, max_value=4))
def test_starting_never_makes_more_run_than_allowed_nor_two_that_overlap(
    backups: list[dict[str, Any]], concurrent: int
) -> None:
    by_name = {each["metadata"]["name"]: each for each in backups}
    running = _named(backups, "InProgress", "ReadyToStart")
    started = [
        name
        for name, position in _positions(*backups, concurrent=concurrent).items()
        if position == 0 and name not in running
    ]
    assert not started or len(running) + len(started) <= concurrent
    wanted = {name: wanted_namespaces(by_name[name], existing=_EXISTING) for name in (*running, *started)}
    overlapping = [
        (name, other) for name in started for other in wanted if other != name and wanted[name] & wanted[other]
    ]
    assert overlapping == []


@given(_queues(), st.integers(min_value=1, max_value=4))
def test_positions_of_those_that_wait_are_one_to_n(backups: list[dict[str, Any]], concurrent: int) -> None:
    positions = sorted(position for position in _positions(*backups, concurrent=concurrent).values() if position)
    assert positions == list(range(1, len(positions) + 1))


@given(_queues(), st.integers(min_value=1, max_value=4), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_everyone_starts_in_the_end_and_none_is_passed_by_one_that_it_shares_a_namespace_with(
    backups: list[dict[str, Any]], concurrent: int, random: Any
) -> None:
    """Play it through: write what the places say, let any one that runs end, and again."""
    wanted = {each["metadata"]["name"]: wanted_namespaces(each, existing=_EXISTING) for each in backups}
    waiting = _named(backups, "", "New", "Queued")
    queued: list[str] = []
    started: list[str] = []
    for _ in range(3 * len(backups) + 1):
        for name, position in _positions(*backups, concurrent=concurrent).items():
            status = next(each["status"] for each in backups if each["metadata"]["name"] == name)
            if position == 0:
                started += [name] if name in waiting else []
                status |= {"phase": "InProgress", "queuePosition": 0}
            else:
                queued += [name] if name not in queued else []
                status |= {"phase": "Queued", "queuePosition": position}
        if running := _named(backups, "InProgress"):
            ended = random.choice(running)
            next(each["status"] for each in backups if each["metadata"]["name"] == ended)["phase"] = "Completed"
    assert sorted(started) == sorted(waiting)
    passed = [
        (name, later)
        for index, name in enumerate(queued)
        for later in queued[index + 1 :]
        if wanted[name] & wanted[later] and started.index(later) < started.index(name)
    ]
    assert passed == []
