"""A sentence about a pod names the pod or node, what happened to it, and what to do; a cluster wrote the documents."""

import json
from typing import Any

import pytest

from pinnace.dispatcher import pod_reason
from unit.dispatcher.documents import NOW, POD_NAME, ended, later, pod, waiting


def _disruption(reason: str, message: str) -> dict[str, Any]:
    return {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": later(-20),
    }


_SPOKEN = json.dumps({"reason": "bucket prod: s3:PutObject denied; grant it to role writer", "throttled_count": 3})
_ABORTED = json.dumps({"reason": "interrupted by signal 15; uploads were aborted and nothing is visible"})
_TOO_MUCH = 'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi". '
_NOT_FOUND = 'exec: "pinnace": executable file not found in $PATH'
_TRACEBACK = "Traceback (most recent call last):\n  File x, line 1\nMemoryError\n"


@pytest.mark.parametrize(
    ("failed", "sentence"),
    [
        pytest.param(
            pod("Failed", ended(137, reason="OOMKilled")),
            f"pod {POD_NAME} was OOMKilled (exit code 137) at its memory limit of 192Mi; "
            "raise resources.limits.memory in ConfigMap pinnace-job",
            id="out of memory",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(143),
                _disruption("TerminationByKubelet", "The node was low on resource: memory."),
                reason="Evicted",
                message="The node was low on resource: memory. Threshold quantity: 100Mi, available: 50004Ki. ",
            ),
            f"pod {POD_NAME} was evicted from node node-1: The node was low on resource: memory. "
            "Threshold quantity: 100Mi, available: 50004Ki; "
            "free that node, or choose another by podSpec in ConfigMap pinnace-job",
            id="evicted by the kubelet",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(137),
                reason="Evicted",
                message=_TOO_MUCH,
            ),
            f'pod {POD_NAME} was evicted from node node-1: Usage of EmptyDir volume "tmp" exceeds the limit "64Mi"',
            id="evicted for its own use of disk, without a condition",
        ),
        pytest.param(
            pod("Failed", None, reason="Evicted"),
            f"pod {POD_NAME} was evicted from node node-1: the node ran short of something; "
            "free that node, or choose another by podSpec in ConfigMap pinnace-job",
            id="evicted without a message",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(143, message=_ABORTED),
                _disruption("EvictionByEvictionAPI", "Eviction API: evicting"),
            ),
            f"pod {POD_NAME} was evicted from node node-1, as a drain does (Eviction API: evicting)",
            id="drained: the cause comes before what the process said of its end",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(143, message=_ABORTED),
                _disruption("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
            ),
            f"node node-1 of pod {POD_NAME} was lost, or tainted as NoExecute "
            "(Taint manager: deleting due to NoExecute taint)",
            id="taint manager",
        ),
        pytest.param(
            pod("Failed", {"running": {}}, _disruption("DeletionByPodGC", "PodGC: node no longer exists")),
            f"node node-1 of pod {POD_NAME} was lost (PodGC: node no longer exists)",
            id="node deleted: nobody ever wrote how the container ended",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(143),
                _disruption(
                    "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"
                ),
            ),
            f"pod {POD_NAME} had to give way to one of a higher priority; give podSpec.priorityClassName in ConfigMap "
            "pinnace-job (default-scheduler: preempting to accommodate a higher priority pod)",
            id="preempted",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(143),
                _disruption("TerminationByKubelet", "Pod was terminated in response to imminent node shutdown."),
                reason="Terminated",
                message="Pod was terminated in response to imminent node shutdown.",
            ),
            f"pod {POD_NAME} was stopped on node node-1 (Pod was terminated in response to imminent node shutdown)",
            id="node shut down",
        ),
        pytest.param(
            pod("Failed", ended(75, message=_SPOKEN)),
            "bucket prod: s3:PutObject denied; grant it to role writer",
            id="what the process says of itself stands alone",
        ),
        pytest.param(
            pod("Failed", ended(1, message=_TRACEBACK)),
            f"pod {POD_NAME} ended with exit code 1; its last line: MemoryError",
            id="a log in place of a message",
        ),
        pytest.param(
            pod("Failed", ended(1)),
            f"pod {POD_NAME} ended with exit code 1 without saying why",
            id="no message at all",
        ),
        pytest.param(
            pod("Failed", ended(139)),
            f"pod {POD_NAME} ended with exit code 139 (SIGSEGV) without saying why",
            id="a signal has its name",
        ),
        pytest.param(
            pod("Failed", ended(255)),
            f"pod {POD_NAME} ended with exit code 255 without saying why",
            id="a code above 128 that is no signal",
        ),
        pytest.param(
            pod("Failed", ended(137)),
            f"pod {POD_NAME} was killed on node node-1 (exit code 137, SIGKILL): by somebody, by the node's kernel, "
            "or because it did not stop in time",
            id="SIGKILL without out-of-memory",
        ),
        pytest.param(
            pod("Failed", ended(137, message="level=info msg=listing pods\n")),
            f"pod {POD_NAME} was killed on node node-1 (exit code 137, SIGKILL): by somebody, by the node's kernel, "
            "or because it did not stop in time; its last line: level=info msg=listing pods",
            id="SIGKILL leaves the log's last line",
        ),
        pytest.param(
            pod("Failed", ended(143, message=_ABORTED), deleted=-1),
            f"pod {POD_NAME} was told to stop (exit code 143, SIGTERM): somebody deleted it, or its Job",
            id="pod deleted by hand",
        ),
        pytest.param(
            pod("Failed", ended(128, reason="StartError", message=_NOT_FOUND)),
            f'pod {POD_NAME} can\'t run its program: exec: "pinnace": executable file not found in $PATH; '
            "correct the image of the Jobs",
            id="another image",
        ),
        pytest.param(
            pod(
                "Failed",
                ended(
                    137,
                    reason="ContainerStatusUnknown",
                    message="The container could not be located when the pod was terminated",
                ),
            ),
            f"the end of pod {POD_NAME} is not known: node node-1 was restarted, or lost its container",
            id="node restarted",
        ),
        pytest.param(
            pod("Failed", None, reason="OutOfcpu", message="Pod was rejected: Node didn't have enough resource: cpu"),
            f"pod {POD_NAME} failed on node node-1: OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu",
            id="refused by the kubelet",
        ),
        pytest.param(
            pod("Failed"),
            f"pod {POD_NAME} failed on node node-1: no reason is given",
            id="nothing is known",
        ),
    ],
)
def test_how_a_pod_ended(failed: dict[str, Any], sentence: str) -> None:
    assert pod_reason.end_reason(failed, memory_limit="192Mi") == sentence


def test_the_end_of_an_injected_container_is_not_taken_for_the_backups() -> None:
    failed = pod("Failed", ended(1, message=_SPOKEN))
    proxy = {"name": "proxy", "state": ended(137, reason="OOMKilled")}
    failed["status"]["containerStatuses"].insert(0, proxy)
    assert pod_reason.end_reason(failed, memory_limit="192Mi").startswith("bucket prod")


_NO_NODE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: "
    "3 No preemption victims found for incoming pod.",
    "lastProbeTime": None,
    "lastTransitionTime": later(-590),
}
_BACK_OFF = 'Back-off pulling image "registry.example/pinnace:1": ErrImagePull: not found'
_CREATING = waiting("ContainerCreating")


def _scheduled(seconds_ago: float, state: dict[str, Any] | None = None) -> dict[str, Any]:
    return pod("Pending", state, created=-3600, scheduled=-seconds_ago)


@pytest.mark.parametrize(
    ("stuck", "sentence"),
    [
        pytest.param(
            pod("Pending", None, _NO_NODE, created=-600, scheduled=None),
            f"pod {POD_NAME} found no node in 10 minutes: 0/3 nodes are available: 3 Insufficient memory. preemption: "
            "0/3 nodes are available: 3 No preemption victims found for incoming pod; "
            "make room, or change podSpec or resources in ConfigMap pinnace-job",
            id="no node",
        ),
        pytest.param(
            pod("Pending", None, created=-660, scheduled=None),
            f"pod {POD_NAME} found no node in 11 minutes: no scheduler has looked at it; "
            "make room, or change podSpec or resources in ConfigMap pinnace-job",
            id="no scheduler",
        ),
        *(
            pytest.param(
                _scheduled(300, waiting(reason, _BACK_OFF)),
                f"image registry.example/pinnace:1 can't be pulled for pod {POD_NAME}: {_BACK_OFF}; "
                "correct the image of the Jobs, or give podSpec.imagePullSecrets in ConfigMap pinnace-job",
                id=reason,
            )
            for reason in (
                "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
                "RegistryUnavailable", "SignatureValidationFailed",
            )
        ),
        pytest.param(
            _scheduled(120, waiting("CreateContainerConfigError", 'secret "token" not found')),
            f'pod {POD_NAME} can\'t start: CreateContainerConfigError: secret "token" not found; '
            "correct the image of the Jobs, or env in ConfigMap pinnace-job",
            id="a Secret of the environment",
        ),
        pytest.param(
            _scheduled(120, waiting("CreateContainerError")),
            f"pod {POD_NAME} can't start: CreateContainerError: no reason is given; "
            "correct the image of the Jobs, or env in ConfigMap pinnace-job",
            id="the container can't be made",
        ),
        pytest.param(
            _scheduled(300, _CREATING),
            f"pod {POD_NAME} did not start on node node-1 in 5 minutes; `kubectl get events --field-selector "
            f"involvedObject.name={POD_NAME}` says what it waited for",
            id="a volume that can't be mounted",
        ),
        pytest.param(
            _scheduled(360),
            f"pod {POD_NAME} did not start on node node-1 in 6 minutes; `kubectl get events --field-selector "
            f"involvedObject.name={POD_NAME}` says what it waited for",
            id="a kubelet that never saw it",
        ),
        *(
            pytest.param(
                pod(phase, state, deleted=-300),
                f"node node-1 of pod {POD_NAME} was lost: the pod had to stop 5 minutes ago, and nothing says that it "
                "did; it may still write, so there is no other attempt; delete the node and create the backup again",
                id=f"node lost while {phase}",
            )
            for phase, state in (("Running", {"running": {"startedAt": later(-470)}}), ("Pending", _CREATING))
        ),
    ],
)  # fmt: skip
def test_why_a_pod_does_not_go_on(stuck: dict[str, Any], sentence: str) -> None:
    assert pod_reason.stuck_reason(stuck, now=NOW, missing_secret="") == sentence


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(pod("Pending", None, _NO_NODE, created=-599, scheduled=None), id="a node may come"),
        pytest.param(_scheduled(299, waiting("ErrImagePull", _BACK_OFF)), id="the registry may come back"),
        pytest.param(_scheduled(119, waiting("CreateContainerConfigError")), id="the Secret may be made"),
        pytest.param(_scheduled(299, _CREATING), id="the volume may come"),
        pytest.param(_scheduled(1, _CREATING), id="a node that came after an hour has only begun"),
        pytest.param(_scheduled(1), id="just scheduled"),
        pytest.param(pod("Running", {"running": {}}, deleted=-299), id="the kubelet may report the end"),
        pytest.param(pod("Running", {"running": {}}, deleted=20), id="in its grace period"),
        pytest.param(pod("Running", {"running": {}}, created=-90000, scheduled=-90000), id="runs for a day"),
        pytest.param({"metadata": {"name": "p", "creationTimestamp": later(-1)}}, id="nothing is known of it yet"),
    ],
)
def test_a_pod_may_wait_for_what_may_come(patient: dict[str, Any]) -> None:
    assert pod_reason.stuck_reason(patient, now=NOW, missing_secret="") == ""


_NO_SECRET = (
    f"pod {POD_NAME} can't start: Secret cloud-credentials does not exist; create it, or correct the "
    "credential of the backup storage location"
)


@pytest.mark.parametrize(
    ("seconds_ago", "sentence"),
    [
        (120, _NO_SECRET),
        (119, ""),
    ],
)
def test_a_missing_secret_of_which_the_pod_says_nothing_is_named(seconds_ago: float, sentence: str) -> None:
    waits = _scheduled(seconds_ago, _CREATING)
    assert pod_reason.stuck_reason(waits, now=NOW, missing_secret="cloud-credentials") == sentence


def test_a_secret_deleted_in_mid_run_stops_no_pod_that_runs() -> None:
    runs = pod("Running", {"running": {}}, created=-3600, scheduled=-3600)
    assert pod_reason.stuck_reason(runs, now=NOW, missing_secret="cloud-credentials") == ""
