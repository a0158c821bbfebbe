"""What a Job and its pods say of a backup, decided purely: it runs, it can't start, it ended, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from pinnace.dispatcher import job_index, pod_reason, termination

__all__ = ["JobState", "State", "job_state"]

_NO_POD_AFTER = timedelta(minutes=5)
"""How long a Job may be without any pod; the Job controller tries again after 1 s, 2 s, 4 s and so on."""

_ENDED = ("Failed", "Succeeded")
_ENDING = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
_GONE = "its pod is gone: somebody deleted it, or its node was removed"


class State(Enum):
    """How far a Job is."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    STUCK = "stuck"
    HOPELESS = "hopeless"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class JobState:
    """`reason` is a sentence for a person; `attempt` counts from 1; `last_reason` is why the attempt before ended.

    Of an Indexed Job both are those of index `shard`, of which a pod failed last; `failed_elsewhere` counts the pods
    that failed of all other indexes.
    """

    state: State
    attempt: int = 1
    attempts: int = 1
    reason: str = ""
    last_reason: str = ""
    pod_name: str = ""
    is_started: bool = False
    shard: int = 0
    failed_elsewhere: int = 0

    @property
    def noted(self) -> int:
        """What is noted of attempts: it grows with each further one, of whichever index."""
        return self.attempt + self.failed_elsewhere


def job_state(
    job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], *, now: datetime, missing_secret: str = ""
) -> JobState:
    """Read the Job and its pods; pods of another Job are passed over.

    A Job is HOPELESS where another attempt can't end better (OOMKilled at the same limit), though it would be made.
    `missing_secret` names a Secret that the pod waits for, of which the pod itself says nothing.
    Complete and Failed come when no pod runs any more; until then SuccessCriteriaMet and FailureTarget say what will
    come (Kubernetes 1.31), and the Job counts as RUNNING: a pod that ends may still commit.
    An Indexed Job is COMPLETE once its index 0 is, the only one that commits; whether the pods of the others can start
    is index 0's to judge, which alone knows whether it needs them.
    """
    every = sorted(_own(job, pods), key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    ordered = [pod for pod in every if job_index.index_of(pod) == 0]
    base = _indexed_running(job, every) if job_index.is_indexed(job) else _running(job, ordered)
    if (over := _over(job, every, base=base)) is not None:
        return over
    if (job.get("spec") or {}).get("suspend"):
        return replace(base, state=State.SUSPENDED)
    ended = [pod for pod in ordered if pod_reason.phase(pod) in _ENDED]
    if ended and pod_reason.is_out_of_memory(ended[-1]):
        return _hopeless(job, ended, base=base)
    for pod in ordered:
        if pod in ended:
            continue
        if reason := pod_reason.stuck_reason(pod, now=now, missing_secret=missing_secret):
            return replace(base, state=State.STUCK, reason=reason)
    if not ordered and (reason := _no_pod_reason(job, now=now)):
        return replace(base, state=State.STUCK, reason=reason)
    return base


def _over(job: Mapping[str, Any], every: Sequence[Mapping[str, Any]], *, base: JobState) -> JobState | None:
    """The state where nothing more will be made."""
    status = job.get("status") or {}
    if _condition(status, "Complete"):
        return replace(base, state=State.COMPLETE)
    if failed := _condition(status, "Failed"):
        if job_index.is_indexed(job):
            base = _indexed_failed(job, every, base=base)
        else:
            base = replace(base, attempt=max(int(status.get("failed") or 0), 1))
        return replace(base, state=State.FAILED, reason=_failed_reason(failed, job=job, last_reason=base.last_reason))
    if job_index.is_indexed(job) and 0 in job_index.indexes(status.get("completedIndexes")):
        return replace(base, state=State.COMPLETE)
    return None


def _hopeless(job: Mapping[str, Any], ended: Sequence[Mapping[str, Any]], *, base: JobState) -> JobState:
    if job_index.is_indexed(job):
        base = _of_index(job, ended[-1], base=base)
    else:
        failed_count = int((job.get("status") or {}).get("failed") or 0)
        base = replace(base, attempt=max(failed_count, len(ended)))
    return replace(base, state=State.HOPELESS, reason=base.last_reason)


def _running(job: Mapping[str, Any], ordered: Sequence[Mapping[str, Any]]) -> JobState:
    """The state if nothing is wrong."""
    status = job.get("status") or {}
    attempts = int((job.get("spec") or {}).get("backoffLimit", 0)) + 1
    failed_count = int(status.get("failed") or 0)
    # With FailureTarget the pod that still ends is counted as failed already, and no other follows.
    attempt = max(failed_count, 1) if _condition(status, "FailureTarget") else failed_count + 1
    last_reason = _GONE if failed_count else ""
    for pod in ordered:
        if pod_reason.phase(pod) == "Failed":
            last_reason = pod_reason.end_reason(pod, memory_limit=_memory_limit(job))
    return JobState(
        State.RUNNING,
        attempt=min(attempt, attempts),
        attempts=attempts,
        last_reason=last_reason,
        pod_name=str(ordered[-1]["metadata"]["name"]) if ordered else "",
        is_started=any(pod_reason.phase(pod) != "Pending" for pod in ordered),
    )


def _indexed_running(job: Mapping[str, Any], every: Sequence[Mapping[str, Any]]) -> JobState:
    """The same of an Indexed Job, of which each index has attempts of its own."""
    status = job.get("status") or {}
    attempts = int(job["spec"].get("backoffLimitPerIndex") or 0) + 1
    runs = [pod for pod in every if job_index.index_of(pod) == 0]
    base = JobState(
        State.RUNNING,
        attempts=attempts,
        pod_name=str(runs[-1]["metadata"]["name"]) if runs else "",
        is_started=any(pod_reason.phase(pod) != "Pending" for pod in runs),
    )
    failed = [pod for pod in every if pod_reason.phase(pod) == "Failed"]
    if not failed or any(_condition(status, kind) for kind in _ENDING):
        # What ends now is told to stop, which is nobody's attempt.
        return base
    counts = {job_index.index_of(pod): job_index.failed_count(pod) + 1 for pod in failed}
    state = _of_index(job, max(failed, key=_ended_at), base=base)
    return replace(
        state,
        pod_name=base.pod_name,
        attempt=min(state.attempt + 1, attempts),
        failed_elsewhere=sum(counts.values()) - counts[state.shard],
    )


def _indexed_failed(job: Mapping[str, Any], every: Sequence[Mapping[str, Any]], *, base: JobState) -> JobState:
    """Of the indexes that failed, the one that did so first, and not since the Job told its pods to stop."""
    failed = [pod for pod in every if pod_reason.phase(pod) == "Failed"]
    indexes = job_index.indexes((job.get("status") or {}).get("failedIndexes"))
    newest = {job_index.index_of(pod): pod for pod in failed}
    candidates = [pod for index, pod in newest.items() if index in indexes]
    if not candidates and indexes:
        return replace(base, shard=min(indexes), last_reason=f"{_shard(min(indexes))}{_GONE}")
    if not candidates:
        return _of_index(job, newest[0], base=base) if 0 in newest else base
    first = min(candidates, key=lambda pod: (pod_reason.was_told_to_stop(pod), _ended_at(pod)))
    return _of_index(job, first, base=base)


def _of_index(job: Mapping[str, Any], failed: Mapping[str, Any], *, base: JobState) -> JobState:
    """Tell of the index of a pod that failed."""
    index = job_index.index_of(failed)
    return replace(
        base,
        shard=index,
        attempt=job_index.failed_count(failed) + 1,
        last_reason=_shard(index) + pod_reason.end_reason(failed, memory_limit=_memory_limit(job)),
        pod_name=str(failed["metadata"]["name"]),
    )


def _shard(index: int) -> str:
    """How a sentence about an index begins; that of the run is about the backup."""
    return f"shard {index}: " if index else ""


def _ended_at(pod: Mapping[str, Any]) -> str:
    """When it ended; of one that was evicted only when it was made."""
    return str(termination.terminated(pod).get("finishedAt") or pod["metadata"].get("creationTimestamp", ""))


def _own(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the pods of an earlier Backup of the same name, which may still be ending."""
    uid = job["metadata"].get("uid")
    owners = [{owner.get("uid") for owner in pod["metadata"].get("ownerReferences") or ()} for pod in pods]
    return [pod for pod, uids in zip(pods, owners, strict=True) if not uids or uid in uids]


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    found = [c for c in status.get("conditions") or () if c.get("type") == kind and c.get("status") == "True"]
    return found[0] if found else None


def _memory_limit(job: Mapping[str, Any]) -> str:
    for container in job["spec"]["template"]["spec"]["containers"]:
        return str(((container.get("resources") or {}).get("limits") or {}).get("memory", ""))
    return ""


def _failed_reason(condition: Mapping[str, Any], *, job: Mapping[str, Any], last_reason: str) -> str:
    if condition.get("reason") == "DeadlineExceeded":
        seconds = job["spec"].get("activeDeadlineSeconds")
        return (
            f"the backup did not end within its deadline of {seconds} s; "
            "raise activeDeadlineSeconds in ConfigMap pinnace-job"
        )
    return (
        last_reason or f"the Job failed: {condition.get('message') or condition.get('reason') or 'no reason is given'}"
    )


def _no_pod_reason(job: Mapping[str, Any], *, now: datetime) -> str:
    """Why a Job whose pod the API server refuses will not go on; the Job's own status does not say it."""
    status, name = job.get("status") or {}, job["metadata"]["name"]
    started = status.get("startTime")
    if not started or status.get("active") or status.get("failed"):
        return ""
    if now - datetime.fromisoformat(str(started)) < _NO_POD_AFTER:
        return ""
    return (
        f"Job {name} got no pod: a quota, pod security or a missing service account forbids it; "
        f"`kubectl get events --field-selector involvedObject.name={name}` says which"
    )
