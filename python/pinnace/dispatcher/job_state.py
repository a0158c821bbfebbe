"""What a Job and its pods say of a backup, decided purely: it runs, it can't start, it ended, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from pinnace.dispatcher import termination

__all__ = ["JobState", "State", "job_state"]

_STUCK_AFTER = {
    "unschedulable": timedelta(minutes=10),
    "image": timedelta(minutes=5),
    "container": timedelta(minutes=2),
    "creating": timedelta(minutes=5),
}
"""How long a pod may wait for what may still come by itself: a node, a registry, a Secret, a volume."""

_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONTAINER_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


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
    """Read the Job and its pods.

    A Job is HOPELESS where another attempt can't end better (OOMKilled at the same limit), though it would be made.
    `missing_secret` names a Secret that the pod waits for, of which the pod itself says nothing.
    """
    spec, status = job.get("spec") or {}, job.get("status") or {}
    attempts = int(spec.get("backoffLimit", 0)) + 1
    ordered = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    ended = [pod for pod in ordered if _phase(pod) in ("Failed", "Succeeded")]
    live = [pod for pod in ordered if _phase(pod) not in ("Failed", "Succeeded")]
    last = ended[-1] if ended else None
    last_reason = _pod_reason(last, job=job) if last is not None else ""
    base = JobState(
        State.RUNNING,
        attempt=min(int(status.get("failed") or 0) + 1, attempts),
        attempts=attempts,
        last_reason=last_reason,
        pod_name=str(ordered[-1]["metadata"]["name"]) if ordered else "",
        is_started=any(_phase(pod) != "Pending" for pod in ordered),
    )
    if _condition(status, "Complete"):
        return replace(base, state=State.COMPLETE)
    if failed := _condition(status, "Failed"):
        reason = _failed_reason(failed, job=job, last_reason=last_reason)
        return replace(base, state=State.FAILED, attempt=max(int(status.get("failed") or 0), 1), reason=reason)
    if spec.get("suspend"):
        return replace(base, state=State.SUSPENDED)
    if last is not None and _is_out_of_memory(last):
        return replace(base, state=State.HOPELESS, attempt=len(ended), reason=last_reason)
    for pod in live:
        if reason := _stuck_reason(pod, now=now, missing_secret=missing_secret):
            return replace(base, state=State.STUCK, reason=reason)
    return base


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    found = [c for c in status.get("conditions") or () if c.get("type") == kind and c.get("status") == "True"]
    return found[0] if found else None


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (pod.get("status") or {}).get("containerStatuses") or ()


def _terminated(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in _containers(pod):
        if ended := (container.get("state") or {}).get("terminated"):
            return ended  # type: ignore[no-any-return]
    return {}


def _is_out_of_memory(pod: Mapping[str, Any]) -> bool:
    return _terminated(pod).get("reason") == "OOMKilled"


def _memory_limit(job: Mapping[str, Any]) -> str:
    for container in job["spec"]["template"]["spec"]["containers"]:
        return str(((container.get("resources") or {}).get("limits") or {}).get("memory", ""))
    return ""


def _pod_reason(pod: Mapping[str, Any], *, job: Mapping[str, Any]) -> str:
    """One sentence about the end of a pod; what its process said of itself comes first."""
    name, status, ended = pod["metadata"]["name"], pod.get("status") or {}, _terminated(pod)
    if _is_out_of_memory(pod):
        return (
            f"pod {name} was OOMKilled (exit code {ended.get('exitCode', 137)}) at its memory limit of "
            f"{_memory_limit(job)}; raise resources.limits.memory in ConfigMap pinnace-job"
        )
    if status.get("reason") == "Evicted":
        return f"pod {name} was evicted: {status.get('message') or 'the node ran short of something'}"
    disrupted = _condition(status, "DisruptionTarget")
    if disrupted and disrupted.get("reason") in ("DeletionByTaintManager", "DeletionByPodGC"):
        return f"the node of pod {name} was lost: {disrupted.get('message') or disrupted.get('reason')}"
    if disrupted:
        return f"pod {name} was disrupted: {disrupted.get('message') or disrupted.get('reason')}"
    said = termination.read(str(ended.get("message") or ""))
    if said.reason and ended.get("exitCode") not in (137, 143):
        return said.reason
    if ended:
        signal = {137: " (SIGKILL)", 143: " (SIGTERM)"}.get(int(ended.get("exitCode", 0)), "")
        return f"pod {name} ended with exit code {ended.get('exitCode')}{signal} without saying why"
    return f"pod {name} failed: {status.get('message') or status.get('reason') or 'no reason is given'}"


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


def _stuck_reason(pod: Mapping[str, Any], *, now: datetime, missing_secret: str) -> str:
    """Why a pod that waits will not start by itself; "" while it may."""
    name = pod["metadata"]["name"]
    created = datetime.fromisoformat(str(pod["metadata"]["creationTimestamp"]))
    waited = now - created
    scheduled = [c for c in (pod.get("status") or {}).get("conditions") or () if c.get("type") == "PodScheduled"]
    if scheduled and scheduled[0].get("status") == "False":
        if waited < _STUCK_AFTER["unschedulable"]:
            return ""
        return f"pod {name} found no node in {_minutes(waited)}: {scheduled[0].get('message', '')}".rstrip(": ")
    if missing_secret and waited >= _STUCK_AFTER["container"]:
        return f"pod {name} can't start: Secret {missing_secret} does not exist; create it, or correct the location"
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
        if reason in _IMAGE_REASONS and waited >= _STUCK_AFTER["image"]:
            return f"image {container.get('image')} can't be pulled for pod {name}: {message or reason}"
        if reason in _CONTAINER_REASONS and waited >= _STUCK_AFTER["container"]:
            return f"pod {name} can't start: {reason}: {message}"
        if reason == "ContainerCreating" and waited >= _STUCK_AFTER["creating"]:
            return f"pod {name} is not created after {_minutes(waited)}; look at `kubectl describe pod {name}`"
    return ""


def _minutes(waited: timedelta) -> str:
    return f"{int(waited.total_seconds() // 60)} minutes"
