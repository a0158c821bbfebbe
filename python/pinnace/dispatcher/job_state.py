"""What a Job and its pods say of a backup, decided purely: it runs, it can't start, it ended, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from pinnace.dispatcher import pod_reason

__all__ = ["JobState", "State", "job_state"]

_NO_POD_AFTER = timedelta(minutes=5)
"""How long a Job may be without any pod; the Job controller tries again after 1 s, 2 s, 4 s and so on."""

_ENDED = ("Failed", "Succeeded")


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
    """`reason` is a sentence for a person; `attempt` counts from 1; `last_reason` is why the attempt before ended."""

    state: State
    attempt: int = 1
    attempts: int = 1
    reason: str = ""
    last_reason: str = ""
    pod_name: str = ""
    is_started: bool = False


def job_state(
    job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], *, now: datetime, missing_secret: str = ""
) -> JobState:
    """Read the Job and its pods; pods of another Job are passed over.

    A Job is HOPELESS where another attempt can't end better (OOMKilled at the same limit), though it would be made.
    `missing_secret` names a Secret that the pod waits for, of which the pod itself says nothing.
    Complete and Failed come when no pod runs any more; until then SuccessCriteriaMet and FailureTarget say what will
    come (Kubernetes 1.31), and the Job counts as RUNNING: a pod that ends may still commit.
    """
    spec, status = job.get("spec") or {}, job.get("status") or {}
    ordered = sorted(_own(job, pods), key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    base = _running(job, ordered)
    ended = [pod for pod in ordered if pod_reason.phase(pod) in _ENDED]
    if _condition(status, "Complete"):
        return replace(base, state=State.COMPLETE)
    if failed := _condition(status, "Failed"):
        reason = _failed_reason(failed, job=job, last_reason=base.last_reason)
        return replace(base, state=State.FAILED, attempt=max(int(status.get("failed") or 0), 1), reason=reason)
    if spec.get("suspend"):
        return replace(base, state=State.SUSPENDED)
    if ended and pod_reason.is_out_of_memory(ended[-1]):
        attempt = max(int(status.get("failed") or 0), len(ended))
        return replace(base, state=State.HOPELESS, attempt=attempt, reason=base.last_reason)
    for pod in ordered:
        if pod in ended:
            continue
        if reason := pod_reason.stuck_reason(pod, now=now, missing_secret=missing_secret):
            return replace(base, state=State.STUCK, reason=reason)
    if not ordered and (reason := _no_pod_reason(job, now=now)):
        return replace(base, state=State.STUCK, reason=reason)
    return base


def _running(job: Mapping[str, Any], ordered: Sequence[Mapping[str, Any]]) -> JobState:
    """The state if nothing is wrong."""
    status = job.get("status") or {}
    attempts = int((job.get("spec") or {}).get("backoffLimit", 0)) + 1
    failed_count = int(status.get("failed") or 0)
    # With FailureTarget the pod that still ends is counted as failed already, and no other follows.
    attempt = max(failed_count, 1) if _condition(status, "FailureTarget") else failed_count + 1
    last_reason = "its pod is gone: somebody deleted it, or its node was removed" if failed_count else ""
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
