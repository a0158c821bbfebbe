"""What can't be used in the ConfigMap is named; nothing of it is dropped in silence."""

import pytest

from pinnace.dispatcher.job_overrides import JobOverrides, read_overrides
from pinnace.errors import UsageError

_ALL = """
labels: {team: storage, kueue.x-k8s.io/queue-name: backups}
annotations: {note: "1"}
podLabels: {mesh: "off"}
podAnnotations: {sidecar.istio.io/inject: "false"}
podSpec:
  nodeSelector: {disk: fast}
  tolerations: [{key: backup, operator: Exists}]
  imagePullSecrets: [{name: registry}]
resources: {limits: {memory: 512Mi, cpu: null}, requests: {cpu: 100m}}
env:
- {name: HTTPS_PROXY, value: "http://proxy:3128"}
- name: TOKEN
  valueFrom: {secretKeyRef: {name: s, key: k}}
attempts: 5
activeDeadlineSeconds: 7200
shards: 32
"""


@pytest.mark.parametrize(
    "config_map", [None, {}, {"data": None}, {"data": {}}, {"data": {"job.yaml": ""}}, {"data": {"job.yaml": "{}"}}]
)
def test_without_anything_in_it_nothing_is_changed(config_map: dict[str, object] | None) -> None:
    assert read_overrides(config_map) == JobOverrides()


def test_every_key_is_read() -> None:
    assert read_overrides({"data": {"job.yaml": _ALL}}) == JobOverrides(
        labels={"team": "storage", "kueue.x-k8s.io/queue-name": "backups"},
        annotations={"note": "1"},
        pod_labels={"mesh": "off"},
        pod_annotations={"sidecar.istio.io/inject": "false"},
        pod_spec={
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "backup", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "registry"}],
        },
        resources={"limits": {"memory": "512Mi", "cpu": None}, "requests": {"cpu": "100m"}},
        env=[
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        attempts=5,
        deadline_seconds=7200,
        shards=32,
    )


_POD_FIELDS = (
    "affinity, dnsConfig, dnsPolicy, hostAliases, imagePullSecrets, nodeName, nodeSelector, preemptionPolicy, "
    "priorityClassName, runtimeClassName, schedulerName, terminationGracePeriodSeconds, tolerations, "
    "topologySpreadConstraints"
)


_KNOWN = (
    "activeDeadlineSeconds, annotations, attempts, env, labels, podAnnotations, podLabels, podSpec, resources, shards"
)


def _refused(field: str) -> str:
    return (
        f"podSpec.{field}: can't be changed, since isolation and rights rest on it, or there is no such field; "
        f"those that can are {_POD_FIELDS}"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1]", "not a mapping"),
        ("just text", "not a mapping"),
        ("label: {}", f"label: no such key; known are {_KNOWN}"),
        ("{1: a, zebra: b}", f"1: no such key; known are {_KNOWN}"),
        ("labels: [a]", "labels: a mapping is wanted"),
        ("labels:", "labels: a mapping is wanted"),
        ("labels: {a: true}", "labels.a: True is no text; put it in quotes"),
        ("annotations: {a: 1}", "annotations.a: 1 is no text; put it in quotes"),
        ("podLabels: {1: a}", "podLabels.1: 'a' is no text; put it in quotes"),
        ("podAnnotations: {a: [b]}", "podAnnotations.a: ['b'] is no text; put it in quotes"),
        ("podSpec: [a]", "podSpec: a mapping is wanted"),
        *(
            (f"podSpec: {{nodeSelector: {{}}, {field}: x}}", _refused(field))
            for field in (
                "containers", "initContainers", "volumes", "restartPolicy", "serviceAccountName", "serviceAccount",
                "securityContext", "hostNetwork", "hostPID", "activeDeadlineSeconds", "automountServiceAccountToken",
                "nodeSelecter",
            )
        ),
        ("podSpec: {tolerations: }", "podSpec.tolerations: a list is wanted"),
        ("resources: 512Mi", "resources: a mapping is wanted"),
        ("resources: {limit: {}}", "resources.limit: no such key; known are limits, requests"),
        ("resources: {limits: 512Mi}", "resources.limits: a mapping is wanted"),
        ("env: {A: b}", "env: a list of name and value is wanted"),
        ("env: [A]", "env: a list of name and value is wanted"),
        ("env: [{value: b}]", "env: a list of name and value is wanted"),
        ("env: [{name: A, value: 1}]", "env: A: 1 is no text; put it in quotes"),
        *(
            (f"env: [{{name: {name}, value: x}}]", f"env: {name}: can't be changed, since it says whose Job it is")
            for name in (
                "PINNACE_NAMESPACE", "PINNACE_BACKUP_UID", "PINNACE_ATTEMPT_ID", "PINNACE_SHARDS",
                "JOB_COMPLETION_INDEX",
            )
        ),
        ("attempts: 0", "attempts: a whole number of 1 or more is wanted"),
        ("attempts: true", "attempts: a whole number of 1 or more is wanted"),
        ("attempts: 1.5", "attempts: a whole number of 1 or more is wanted"),
        ("shards: 0", "shards: a whole number from 1 to 32 is wanted"),
        ("shards: 33", "shards: a whole number from 1 to 32 is wanted"),
        ("activeDeadlineSeconds: 4h", "activeDeadlineSeconds: a whole number of 1 or more is wanted"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_overrides({"data": {"job.yaml": text}})
    assert str(raised.value) == f"ConfigMap pinnace-job: job.yaml: {complaint}"


def test_text_that_is_no_yaml_is_refused_with_the_place() -> None:
    with pytest.raises(UsageError) as raised:
        read_overrides({"data": {"job.yaml": "labels: {a"}})
    assert str(raised.value).startswith("ConfigMap pinnace-job: job.yaml: not YAML: while parsing a flow mapping")
    assert "line 1, column 9" in str(raised.value)


def test_a_misnamed_key_of_the_config_map_is_named() -> None:
    with pytest.raises(UsageError) as raised:
        read_overrides({"data": {"job.yml": "attempts: 2"}})
    assert str(raised.value) == "ConfigMap pinnace-job: job.yml: no such key; only job.yaml is read"
