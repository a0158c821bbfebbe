"""A Job counts as ended only when nothing of it can write any more, and its state says why it will not go on."""

from dataclasses import replace
from typing import Any

import pytest

from pinnace.dispatcher.job_state import JobState, State, job_state
from unit.dispatcher.documents import JOB_NAME, NOW, POD_NAME, ended, job, job_condition, later, pod, waiting

_RUNNING = JobState(State.RUNNING, attempt=1, attempts=3)
_LIVE = pod("Running", {"running": {"startedAt": later(-470)}})
_KILLED = pod("Failed", ended(137), name="first", created=-495)
_WHY_KILLED = (
    "pod first was killed on node node-1 (exit code 137, SIGKILL): by somebody, by the node's kernel, "
    "or because it did not stop in time"
)
_OOM = pod("Failed", ended(137, reason="OOMKilled"), name="first", created=-495)
_WHY_OOM = (
    "pod first was OOMKilled (exit code 137) at its memory limit of 192Mi; "
    "raise resources.limits.memory in ConfigMap pinnace-job"
)
_GONE = "its pod is gone: somebody deleted it, or its node was removed"
_DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
_WHY_DEADLINE = (
    "the backup did not end within its deadline of 14400 s; raise activeDeadlineSeconds in ConfigMap pinnace-job"
)
_BACKOFF = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_FAIL_JOB = (
    "PodFailurePolicy",
    "Container backup for pod velero/first failed with exit code 1 matching FailJob rule at index 1",
)
_SUSPENDED = job_condition("Suspended", "JobSuspended", "Job suspended")


@pytest.mark.parametrize(
    ("observed", "pods", "expected"),
    [
        pytest.param(
            job(_SUSPENDED, suspend=True), [], replace(_RUNNING, state=State.SUSPENDED), id="made, not yet resumed"
        ),
        pytest.param(job(startTime=later(-1)), [], _RUNNING, id="resumed, no pod yet"),
        pytest.param(
            job(active=1, ready=0),
            [pod("Pending", waiting("ContainerCreating"), created=-5, scheduled=-4)],
            replace(_RUNNING, pod_name=POD_NAME),
            id="its pod starts",
        ),
        pytest.param(
            job(active=1, ready=1), [_LIVE], replace(_RUNNING, pod_name=POD_NAME, is_started=True), id="its pod runs"
        ),
        pytest.param(
            job(active=1, failed=1),
            [_LIVE, _KILLED],
            replace(_RUNNING, attempt=2, last_reason=_WHY_KILLED, pod_name=POD_NAME, is_started=True),
            id="its second attempt runs",
        ),
        pytest.param(
            job(failed=1),
            [_KILLED],
            replace(_RUNNING, attempt=2, last_reason=_WHY_KILLED, pod_name="first", is_started=True),
            id="between two attempts",
        ),
        pytest.param(
            job(active=1, failed=1),
            [_LIVE],
            replace(_RUNNING, attempt=2, last_reason=_GONE, pod_name=POD_NAME, is_started=True),
            id="its first pod is gone with its node",
        ),
        pytest.param(
            job(job_condition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")),
            [pod("Succeeded", ended(0, reason="Completed"))],
            replace(_RUNNING, pod_name=POD_NAME, is_started=True),
            id="SuccessCriteriaMet comes before Complete",
        ),
        pytest.param(
            job(
                job_condition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"),
                job_condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"),
                succeeded=1,
            ),
            [],
            replace(_RUNNING, state=State.COMPLETE),
            id="Complete",
        ),
    ],
)
def test_how_far_a_job_is(observed: dict[str, Any], pods: list[dict[str, Any]], expected: JobState) -> None:
    assert job_state(observed, pods, now=NOW) == expected


@pytest.mark.parametrize(
    ("cause", "failed", "pods", "attempt", "why"),
    [
        pytest.param(_BACKOFF, 3, [_KILLED], 3, _WHY_KILLED, id="attempts used up"),
        pytest.param(_BACKOFF, 3, [], 3, _GONE, id="attempts used up, pods gone"),
        pytest.param(
            _FAIL_JOB,
            1,
            [pod("Failed", ended(1, message='{"reason": "backup nightly already exists"}'))],
            1,
            "backup nightly already exists",
            id="a fatal exit code",
        ),
        pytest.param(_DEADLINE, 1, [_KILLED], 1, _WHY_DEADLINE, id="deadline in the first attempt"),
        pytest.param(_DEADLINE, 2, [], 2, _WHY_DEADLINE, id="deadline in the second attempt"),
        pytest.param(_DEADLINE, 0, [], 1, _WHY_DEADLINE, id="deadline before any pod"),
        pytest.param(
            ("OddReason", "odd message"), 0, [], 1, "the Job failed: odd message", id="a cause of a later Kubernetes"
        ),
        pytest.param(("", ""), 0, [], 1, "the Job failed: no reason is given", id="no cause"),
    ],
)
def test_a_failed_job_says_why_and_in_which_attempt(
    cause: tuple[str, str], failed: int, pods: list[dict[str, Any]], attempt: int, why: str
) -> None:
    observed = job(job_condition("FailureTarget", *cause), job_condition("Failed", *cause), failed=failed)
    state = job_state(observed, pods, now=NOW)
    assert (state.state, state.attempt, state.attempts, state.reason) == (State.FAILED, attempt, 3, why)


@pytest.mark.parametrize("cause", [_BACKOFF, _FAIL_JOB, _DEADLINE])
def test_a_job_that_will_fail_runs_until_its_pod_has_ended_and_makes_no_other_attempt(cause: tuple[str, str]) -> None:
    terminating = pod("Running", {"running": {"startedAt": later(-470)}}, deleted=20)
    state = job_state(job(job_condition("FailureTarget", *cause), failed=1, terminating=1), [terminating], now=NOW)
    assert state == replace(_RUNNING, last_reason=_GONE, pod_name=POD_NAME, is_started=True)


def test_a_condition_that_is_false_is_none() -> None:
    resumed = {**_SUSPENDED, "status": "False", "reason": "JobResumed"}
    not_failed = {**job_condition("Failed", *_BACKOFF), "status": "False"}
    assert job_state(job(resumed, not_failed, startTime=later(-1)), [], now=NOW) == _RUNNING


@pytest.mark.parametrize(
    ("failed", "pods", "attempt"),
    [(0, [_OOM], 1), (1, [_OOM], 1), (1, [_KILLED, {**_OOM, "metadata": {**_OOM["metadata"], "name": "first"}}], 2)],
)
def test_out_of_memory_is_hopeless_before_another_attempt_is_made(
    failed: int, pods: list[dict[str, Any]], attempt: int
) -> None:
    assert job_state(job(failed=failed), pods, now=NOW) == JobState(
        State.HOPELESS,
        attempt=attempt,
        attempts=3,
        reason=_WHY_OOM,
        last_reason=_WHY_OOM,
        pod_name="first",
        is_started=True,
    )


def test_a_pod_that_can_not_start_makes_its_job_stuck() -> None:
    waits = pod("Pending", waiting("ContainerCreating"), created=-200, scheduled=-190)
    state = job_state(job(active=1), [waits], now=NOW, missing_secret="cloud-credentials")
    reason = (
        f"pod {POD_NAME} can't start: Secret cloud-credentials does not exist; create it, or correct the credential of "
        "the backup storage location"
    )
    assert state == replace(_RUNNING, state=State.STUCK, reason=reason, pod_name=POD_NAME)


_NO_POD = (
    f"Job {JOB_NAME} got no pod: a quota, pod security or a missing service account forbids it; "
    f"`kubectl get events --field-selector involvedObject.name={JOB_NAME}` says which"
)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (job(startTime=later(-300)), replace(_RUNNING, state=State.STUCK, reason=_NO_POD)),
        (job(startTime=later(-299)), _RUNNING),
        (job(startTime=later(-300), active=1), _RUNNING),
        (job(startTime=None), _RUNNING),
    ],
    ids=["for five minutes", "not yet", "its pod was not seen yet", "its controller has not seen it"],
)
def test_a_job_whose_pod_is_refused_is_stuck(observed: dict[str, Any], expected: JobState) -> None:
    assert job_state(observed, [], now=NOW) == expected


def test_the_pods_of_another_job_say_nothing() -> None:
    other = pod("Failed", ended(137, reason="OOMKilled"), name="of-an-earlier-backup", job_uid="other")
    assert job_state(job(startTime=later(-1)), [other], now=NOW) == _RUNNING


def test_the_last_pod_is_the_one_that_was_made_last() -> None:
    pods = [pod("Failed", ended(1), name="b", created=-50), pod("Failed", ended(1), name="a", created=-40)]
    assert job_state(job(failed=2), pods, now=NOW).pod_name == "a"
