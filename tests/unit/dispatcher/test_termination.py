"""What a Job's process hands over is read as it was written, and nothing that comes instead breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.dispatcher import termination
from pinnace.dispatcher.termination import MOST_BYTES, Termination

_COUNTS = st.integers(min_value=0, max_value=2**53)
_TERMINATIONS = st.builds(
    Termination,
    reason=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    archive_bytes=_COUNTS,
    item_count=_COUNTS,
    page_bytes=_COUNTS,
    list_seconds=st.floats(min_value=0, max_value=1e9),
    throttled_count=_COUNTS,
)


@given(_TERMINATIONS)
def test_what_is_written_is_read(written: Termination) -> None:
    assert termination.read(termination.write(written)) == written


@given(_TERMINATIONS, st.text(min_size=1, max_size=20), st.integers(min_value=1, max_value=2000))
def test_a_long_reason_loses_its_end_and_nothing_else(written: Termination, unit: str, times: int) -> None:
    reason = unit * times
    text = termination.write(Termination(**{**vars(written), "reason": reason}))
    read = termination.read(text)
    assert len(text.encode()) <= MOST_BYTES
    assert reason.encode(errors="replace").decode().startswith(read.reason)
    assert Termination(**{**vars(read), "reason": written.reason}) == written


def test_a_reason_of_wide_letters_is_cut_only_as_far_as_is_needed() -> None:
    text = termination.write(Termination(reason="ü" * 5000, item_count=3))
    assert MOST_BYTES - 8 < len(text.encode()) <= MOST_BYTES


def test_a_message_is_one_line_of_json_without_what_is_nought() -> None:
    written = Termination(archive_bytes=9, item_count=2, page_bytes=30, list_seconds=1.5)
    assert termination.write(written) == '{"archive_bytes": 9, "item_count": 2, "page_bytes": 30, "list_seconds": 1.5}'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", Termination()),
        ("  \n", Termination()),
        ("{}", Termination()),
        ("Traceback (most recent call last):\n  File x\nValueError: odd\n", Termination(reason="ValueError: odd")),
        ('{"reason": "cut of', Termination(reason='{"reason": "cut of')),
        ("[1, 2]", Termination(reason="[1, 2]")),
        ('{"level": "error", "msg": "odd"}', Termination(reason='{"level": "error", "msg": "odd"}')),
        ('{"item_count": 4, "of_a_later_version": 1}', Termination(item_count=4)),
        ('{"reason": 5, "item_count": "4", "page_bytes": true, "archive_bytes": null}', Termination()),
        ('{"throttled_count": -1, "list_seconds": NaN, "archive_bytes": Infinity}', Termination()),
        ('{"list_seconds": 2, "item_count": 3.0}', Termination(list_seconds=2.0, item_count=3)),
        ('{"a":' * 100_000, Termination(reason='{"a":' * 100_000)),
    ],
)
def test_a_message_that_is_not_as_it_should_be(message: str, expected: Termination) -> None:
    assert termination.read(message) == expected


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_read(message: str) -> None:
    assert isinstance(termination.read(message), Termination)


@given(st.dictionaries(st.sampled_from(list(vars(Termination()))), st.none() | st.booleans() | st.floats() | st.text()))
def test_values_of_any_type_leave_numbers_that_a_counter_takes(document: dict[str, Any]) -> None:
    read = termination.read(json.dumps(document))
    counts = (read.archive_bytes, read.item_count, read.page_bytes, read.throttled_count)
    assert all(type(count) is int and count >= 0 for count in counts)
    assert type(read.list_seconds) is float
    assert 0 <= read.list_seconds < float("inf")


@pytest.mark.parametrize(
    ("message", "is_spoken"), [('{"reason": "x"}', True), ("{}", True), ("x", False), ('{"msg": "x"}', False)]
)
def test_a_message_of_the_process_is_told_from_a_log(message: str, is_spoken: bool) -> None:
    assert termination.is_spoken(message) is is_spoken


def _pod(created: str, *containers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    statuses = [{"name": name, "state": state} for name, state in containers]
    return {"metadata": {"name": "p", "creationTimestamp": created}, "status": {"containerStatuses": statuses}}


def _ended(reason: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "message": termination.write(Termination(reason=reason))}}


def test_the_last_pod_that_ended_is_asked_and_only_its_backup_container() -> None:
    pods = [
        _pod("2026-01-01T00:01:00Z", ("proxy", _ended("not ours")), ("backup", _ended("second"))),
        _pod("2026-01-01T00:02:00Z", ("backup", {"running": {}})),
        _pod("2026-01-01T00:00:00Z", ("backup", _ended("first"))),
    ]
    assert termination.of_pods(pods) == Termination(reason="second")


def test_pods_that_did_not_end_hand_nothing_over() -> None:
    assert termination.of_pods([{"metadata": {"name": "p"}}, _pod("2026-01-01T00:00:00Z")]) == Termination()


def test_of_an_indexed_job_the_run_has_the_figures_and_every_pod_its_refusals() -> None:
    def of_index(index: int, created: str, message: str) -> dict[str, Any]:
        pod = _pod(created, ("backup", {"terminated": {"exitCode": 0, "message": message}}))
        pod["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
        return pod

    pods = [
        of_index(0, "2026-01-01T00:00:00Z", '{"archive_bytes": 7, "throttled_count": 1}'),
        of_index(1, "2026-01-01T00:00:01Z", '{"throttled_count": 2}'),
        of_index(2, "2026-01-01T00:00:01Z", '{"reason": "the bucket was away"}'),
        of_index(2, "2026-01-01T00:00:02Z", '{"throttled_count": 4}'),
    ]
    assert termination.of_job(pods) == Termination(archive_bytes=7, throttled_count=7)
    assert termination.of_job(pods[1:]) == Termination(throttled_count=6)
