"""Of an Indexed Job the run is index 0; a shard that failed for good is named with its reason."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pinnace.dispatcher.job_state import JobState, State, job_state
from pinnace.dispatcher.next_step import (
    Fail,
    NoteAttempt,
    NoteStart,
    Nothing,
    Observed,
    Record,
    Step,
    TakeFromBucket,
    next_step,
)
from pinnace.dispatcher.queue_order import QueuePlace
from unit.dispatcher.documents import NOW, backup, ended, job, job_condition, later, pod, waiting

_RUNS = {"running": {"startedAt": later(-470)}}
_SAID = '{"reason": "bucket b: s3:PutObject: denied"}'
_FAILED_INDEXES = ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
_SUCCESS = job_condition("SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 0")


def _pod(index: int, phase: str = "Running", state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return pod(phase, state or _RUNS, index=index, name=more.pop("name", f"pod-{index}"), **more)


def _failed(*, failed_indexes: str = "") -> dict[str, Any]:
    conditions = [job_condition(kind, *_FAILED_INDEXES) for kind in ("FailureTarget", "Failed")]
    return job(*conditions, shards=3, failed=3, failedIndexes=failed_indexes)


def _step(observed: dict[str, Any], *pods: dict[str, Any], phase: str = "InProgress", **status: Any) -> Step:
    return next_step(Observed(backup(phase, **status), observed, pods, place=QueuePlace(0), now=NOW))


_ALL_RUN = [_pod(0), _pod(1, created=-489), _pod(2, created=-489)]
_RUNNING = JobState(State.RUNNING, attempts=3, pod_name="pod-0", is_started=True)


def test_its_start_is_that_of_the_run() -> None:
    observed = job(shards=3, active=3)
    assert job_state(observed, _ALL_RUN, now=NOW) == _RUNNING
    assert _step(observed, *_ALL_RUN) == NoteStart("pod-0")
    waits = _pod(0, "Pending", waiting("ContainerCreating"), created=-5, scheduled=-4)
    assert not job_state(observed, [waits, *_ALL_RUN[1:]], now=NOW).is_started


def test_a_pod_of_a_shard_that_was_killed_is_the_next_attempt_of_that_shard_alone() -> None:
    killed = _pod(1, "Failed", ended(137), name="first-1")
    pods = [_pod(0), killed, _pod(1, failed_before=1, created=-10), _pod(2)]
    why = (
        "shard 1: pod first-1 was killed on node node-1 (exit code 137, SIGKILL): by somebody, by the node's kernel, "
        "or because it did not stop in time"
    )
    observed = job(shards=3, active=3, failed=1)
    state = job_state(observed, pods, now=NOW)
    assert state == replace(_RUNNING, attempt=2, last_reason=why, shard=1)
    assert _step(observed, *pods) == NoteAttempt(2, 3, why, 2)


def test_each_further_attempt_of_any_index_is_told_once() -> None:
    pods = [
        _pod(0, "Failed", ended(75, message='{"reason": "the API server was away"}', at=-100), name="first-0"),
        _pod(0, failed_before=1, created=-90),
        _pod(1, "Failed", ended(137, at=-200), name="first-1"),
        _pod(1, "Failed", ended(75, message=_SAID, at=-50), name="second-1", failed_before=1, created=-190),
        _pod(1, failed_before=2, created=-40),
        _pod(2),
    ]
    told = {"pinnace.io/started": "pod-0"}
    observed = job(shards=3, failed=3, annotations={**told, "pinnace.io/attempt": "3"})
    assert _step(observed, *pods) == NoteAttempt(3, 3, "shard 1: bucket b: s3:PutObject: denied", 4)
    observed = job(shards=3, failed=3, annotations={**told, "pinnace.io/attempt": "4"})
    assert _step(observed, *pods) == Nothing(30.0)


@pytest.mark.parametrize("pods_first", [True, False])
def test_a_shard_that_failed_for_good_is_named_and_not_those_that_were_told_to_stop(pods_first: bool) -> None:
    pods = [
        _pod(0, "Failed", ended(143), created=-480),
        _pod(1, "Failed", ended(1, message=_SAID), created=-490),
        _pod(2, "Failed", ended(143), created=-470),
    ]
    ordered = pods if pods_first else pods[::-1]
    state = job_state(_failed(failed_indexes="1"), ordered, now=NOW)
    reason = "shard 1: bucket b: s3:PutObject: denied"
    assert (state.state, state.reason, state.shard, state.pod_name) == (State.FAILED, reason, 1, "pod-1")
    assert _step(_failed(failed_indexes="1"), *ordered) == Fail(f"{reason} (attempt 1 of 3)", "pod-1")


def test_where_no_index_has_another_attempt_the_first_that_failed_is_named() -> None:
    """Then those that were told to stop are failed indexes, too."""
    pods = [
        _pod(0, "Failed", ended(143, at=-3)),
        _pod(1, "Failed", ended(1, message=_SAID, at=-2)),
        _pod(2, "Failed", ended(1, message='{"reason": "no upload"}', at=-1)),
    ]
    state = job_state(_failed(failed_indexes="0-2"), pods, now=NOW)
    assert (state.reason, state.shard) == ("shard 1: bucket b: s3:PutObject: denied", 1)


def test_a_run_that_failed_for_good_says_why_as_in_a_plain_job() -> None:
    pods = [_pod(0, "Failed", ended(1, message=_SAID), failed_before=1), _pod(1, "Failed", ended(143))]
    assert _step(_failed(failed_indexes="0"), *pods) == Fail("bucket b: s3:PutObject: denied (attempt 2 of 3)", "pod-0")


def test_a_shard_whose_pods_are_gone_is_named_all_the_same() -> None:
    state = job_state(_failed(failed_indexes="2"), [], now=NOW)
    assert state.reason == "shard 2: its pod is gone: somebody deleted it, or its node was removed"


def test_a_deadline_is_nobodys_shard() -> None:
    conditions = [job_condition(kind, "DeadlineExceeded", "too long") for kind in ("FailureTarget", "Failed")]
    pods = [_pod(0, "Failed", ended(143), failed_before=1), _pod(1, "Failed", ended(143))]
    state = job_state(job(*conditions, shards=3, failed=3), pods, now=NOW)
    assert (state.state, state.attempt, state.shard) == (State.FAILED, 2, 0)
    assert state.reason.startswith("the backup did not end within its deadline of 14400 s")


@pytest.mark.parametrize("conditions", [(), (_SUCCESS,)], ids=["before Kubernetes 1.31", "by its success policy"])
def test_it_is_complete_once_its_run_is(conditions: tuple[dict[str, Any], ...]) -> None:
    """Its other pods wait for a last phase, which nobody else would write if the run could not."""
    observed = job(*conditions, shards=3, active=2, completedIndexes="0")
    pods = [_pod(0, "Succeeded", ended(0, reason="Completed")), *_ALL_RUN[1:]]
    assert job_state(observed, pods, now=NOW).state is State.COMPLETE
    assert _step(observed, *pods) == TakeFromBucket()
    assert _step(observed, *pods, phase="Completed", completionTimestamp=later(-1)) == Record("pod-0")


def test_pods_that_end_with_the_job_are_no_attempts() -> None:
    pods = [_pod(0, "Succeeded", ended(0, reason="Completed")), _pod(1, "Failed", ended(143)), _pod(2)]
    for ending in (_SUCCESS, job_condition("FailureTarget", *_FAILED_INDEXES)):
        assert job_state(job(ending, shards=3, failed=1), pods, now=NOW).noted == 1


def test_a_run_out_of_memory_is_hopeless_and_a_shard_is_tried_again() -> None:
    """While a run lives nobody else may say that its backup has failed."""
    out = ended(137, reason="OOMKilled")
    of_run = job_state(job(shards=3), [_pod(0, "Failed", out, failed_before=1), _pod(1)], now=NOW)
    assert (of_run.state, of_run.attempt, of_run.shard) == (State.HOPELESS, 2, 0)
    of_shard = job_state(job(shards=3), [_pod(0), _pod(1, "Failed", out)], now=NOW)
    assert (of_shard.state, of_shard.attempt, of_shard.shard) == (State.RUNNING, 2, 1)
    assert of_shard.last_reason.startswith("shard 1: pod pod-1 was OOMKilled (exit code 137) at its memory limit")


def test_only_a_run_that_can_not_start_makes_its_job_stuck() -> None:
    """Whether a shard is needed at all the run alone knows."""
    lonely = {"scheduled": None, "created": -3600}
    assert job_state(job(shards=3), [_pod(0), _pod(1, "Pending", {}, **lonely)], now=NOW).state is State.RUNNING
    stuck = job_state(job(shards=3), [_pod(0, "Pending", {}, **lonely), _pod(1)], now=NOW + timedelta(minutes=1))
    assert stuck.state is State.STUCK
    assert stuck.reason.startswith("pod pod-0 found no node in 61 minutes")
