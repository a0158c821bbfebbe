"""Why a pod of a Job ended, or will not start by itself: one sentence for a person, decided purely.

The words are those that the kubelet, the scheduler and the controllers of Kubernetes 1.31 to 1.35 write.
"""

import signal
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher import termination

__all__ = ["end_reason", "is_out_of_memory", "phase", "stuck_reason", "was_told_to_stop"]

_STUCK_AFTER = {
    "unscheduled": timedelta(minutes=10),
    "image": timedelta(minutes=5),
    "container": timedelta(minutes=2),
    "start": timedelta(minutes=5),
    "lost": timedelta(minutes=5),
}
"""How long a pod may wait for what may still come by itself: a node, a registry, a Secret, a volume, its kubelet."""

_IMAGE_REASONS = frozenset(
    {
        "ErrImageNeverPull", "ErrImagePull", "ImageInspectError", "ImagePullBackOff", "InvalidImageName",
        "RegistryUnavailable", "SignatureValidationFailed",
    }
)  # fmt: skip
_CONTAINER_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})

_DISRUPTIONS = {
    "DeletionByTaintManager": "node {node} of pod {pod} was lost, or tainted as NoExecute",
    "DeletionByPodGC": "node {node} of pod {pod} was lost",
    "EvictionByEvictionAPI": "pod {pod} was evicted from node {node}, as a drain does",
    "PreemptionByScheduler": "pod {pod} had to give way to one of a higher priority; "
    "give podSpec.priorityClassName in ConfigMap pinnace-job",
}
"""By the reason of the condition DisruptionTarget; TerminationByKubelet says all in its message."""

_SIGNAL_BASE = 128
_STOPPED_BY_SIGTERM = 143
_KILLED = 137


def phase(pod: Mapping[str, Any]) -> str:
    """The pod's phase; Pending before any kubelet has seen it."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_out_of_memory(pod: Mapping[str, Any]) -> bool:
    """Whether the kernel ended it at its memory limit."""
    return termination.terminated(pod).get("reason") == "OOMKilled"


def was_told_to_stop(pod: Mapping[str, Any]) -> bool:
    """Whether it ended since somebody deleted it, or its Job; the reason is then elsewhere."""
    return termination.terminated(pod).get("exitCode") == _STOPPED_BY_SIGTERM


def end_reason(pod: Mapping[str, Any], *, memory_limit: str) -> str:
    """Say how a pod ended; what the cluster did to it comes before what its process said of that."""
    name, node = pod["metadata"]["name"], _node(pod)
    status, ended = pod.get("status") or {}, termination.terminated(pod)
    message = str(status.get("message") or "").strip().rstrip(".")
    if is_out_of_memory(pod):
        return (
            f"pod {name} was OOMKilled (exit code {ended.get('exitCode', _KILLED)}) at its memory limit of "
            f"{memory_limit}; raise resources.limits.memory in ConfigMap pinnace-job"
        )
    if status.get("reason") == "Evicted":
        return (
            f"pod {name} was evicted from node {node}: {message or 'the node ran short of something'}{_room(message)}"
        )
    if disrupted := _condition(pod, "DisruptionTarget", status="True"):
        return _disruption(disrupted, pod_name=name, node=node)
    if ended:
        return _process_end(ended, pod_name=name, node=node)
    what = ": ".join(text for text in (str(status.get("reason") or ""), message) if text)
    return f"pod {name} failed on node {node}: {what or 'no reason is given'}"


def stuck_reason(pod: Mapping[str, Any], *, now: datetime, missing_secret: str) -> str:
    """Say why a pod will neither start nor end by itself; "" while it may."""
    name, metadata = pod["metadata"]["name"], pod["metadata"]
    if metadata.get("deletionTimestamp"):
        # The timestamp includes the grace period: from then on only a kubelet that is away keeps the pod.
        waited = now - _time(metadata["deletionTimestamp"])
        if waited < _STUCK_AFTER["lost"]:
            return ""
        return (
            f"node {_node(pod)} of pod {name} was lost: the pod had to stop {_minutes(waited)} ago, and nothing says "
            "that it did; it may still write, so there is no other attempt; delete the node and create the backup again"
        )
    if phase(pod) != "Pending":
        return ""
    scheduled = _condition(pod, "PodScheduled", status="True")
    if not scheduled and not (pod.get("spec") or {}).get("nodeName"):
        return _unscheduled_reason(pod, waited=now - _time(metadata["creationTimestamp"]))
    # From when it had a node: a cluster that grows on demand may take minutes to have one.
    since = scheduled.get("lastTransitionTime") or metadata["creationTimestamp"]
    return _unstarted_reason(pod, waited=now - _time(since), missing_secret=missing_secret)


def _room(message: str) -> str:
    """What helps where the node was short; a pod that went over a limit of its own would do so elsewhere too."""
    if "exceeds the" in message:
        return ""
    return "; free that node, or choose another by podSpec in ConfigMap pinnace-job"


def _disruption(condition: Mapping[str, Any], *, pod_name: str, node: str) -> str:
    reason, message = str(condition.get("reason") or ""), str(condition.get("message") or "").strip().rstrip(".")
    what = _DISRUPTIONS.get(reason, "pod {pod} was stopped on node {node}").format(pod=pod_name, node=node)
    return f"{what} ({message or reason})"


def _process_end(ended: Mapping[str, Any], *, pod_name: str, node: str) -> str:
    """By exit code; a message of the process itself stands alone, since it names object, cause and fix."""
    code, message = int(ended.get("exitCode") or 0), str(ended.get("message") or "")
    if ended.get("reason") == "ContainerStatusUnknown":
        return f"the end of pod {pod_name} is not known: node {node} was restarted, or lost its container"
    if ended.get("reason") in ("StartError", "ContainerCannotRun"):
        return f"pod {pod_name} can't run its program: {message.strip()}; correct the image of the Jobs"
    if code == _STOPPED_BY_SIGTERM:
        return f"pod {pod_name} was told to stop (exit code 143, SIGTERM): somebody deleted it, or its Job"
    said = termination.read(message).reason
    if said and termination.is_spoken(message):
        return said
    if code == _KILLED:
        return (
            f"pod {pod_name} was killed on node {node} (exit code 137, SIGKILL): by somebody, by the node's kernel, "
            "or because it did not stop in time" + (f"; its last line: {said}" if said else "")
        )
    end = f"pod {pod_name} ended with exit code {code}{_signal(code)}"
    return f"{end}; its last line: {said}" if said else f"{end} without saying why"


def _unscheduled_reason(pod: Mapping[str, Any], *, waited: timedelta) -> str:
    if waited < _STUCK_AFTER["unscheduled"]:
        return ""
    refused = _condition(pod, "PodScheduled", status="False")
    message = str(refused.get("message") or "").strip().rstrip(".") or "no scheduler has looked at it"
    return (
        f"pod {pod['metadata']['name']} found no node in {_minutes(waited)}: {message}; "
        "make room, or change podSpec or resources in ConfigMap pinnace-job"
    )


def _unstarted_reason(pod: Mapping[str, Any], *, waited: timedelta, missing_secret: str) -> str:
    name = pod["metadata"]["name"]
    if missing_secret and waited >= _STUCK_AFTER["container"]:
        return (
            f"pod {name} can't start: Secret {missing_secret} does not exist; create it, or correct the credential of "
            "the backup storage location"
        )
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "").strip().rstrip(".")
        if reason in _IMAGE_REASONS and waited >= _STUCK_AFTER["image"]:
            return (
                f"image {container.get('image')} can't be pulled for pod {name}: {message or reason}; "
                "correct the image of the Jobs, or give podSpec.imagePullSecrets in ConfigMap pinnace-job"
            )
        if reason in _CONTAINER_REASONS and waited >= _STUCK_AFTER["container"]:
            return (
                f"pod {name} can't start: {reason}: {message or 'no reason is given'}; "
                "correct the image of the Jobs, or env in ConfigMap pinnace-job"
            )
    if waited < _STUCK_AFTER["start"]:
        return ""
    return (
        f"pod {name} did not start on node {_node(pod)} in {_minutes(waited)}; "
        f"`kubectl get events --field-selector involvedObject.name={name}` says what it waited for"
    )


def _condition(pod: Mapping[str, Any], kind: str, *, status: str) -> Mapping[str, Any]:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == status:
            return condition  # type: ignore[no-any-return]
    return {}


def _node(pod: Mapping[str, Any]) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "(none)")


def _signal(code: int) -> str:
    if code <= _SIGNAL_BASE:
        return ""
    try:
        return f" ({signal.Signals(code - _SIGNAL_BASE).name})"
    except ValueError:
        return ""


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _minutes(waited: timedelta) -> str:
    return f"{int(waited.total_seconds() // 60)} minutes"
