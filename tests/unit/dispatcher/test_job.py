"""A Backup and the settings in, one manifest out: the same for the same Backup, and never with more than it needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pinnace.dispatcher.job import EXIT_ANOTHER_ATTEMPT, JobSettings, StoreAccess, job_manifest, job_name, rights
from pinnace.dispatcher.job_overrides import JobOverrides
from pinnace.hooks.allowed import AllowedHooks

_UID = "5d9f6d0e-0b6e-4d0c-8a51-5f0a0a2f1c11"
_BACKUP: dict[str, Any] = {"metadata": {"name": "nightly", "namespace": "velero", "uid": _UID}, "spec": {}}
_SETTINGS = JobSettings(namespace="velero", image="registry.example/pinnace:1")
_ACCESS = StoreAccess(secret_name="cloud-credentials", secret_key="cloud")
_HOOKS = {"resources": [{"name": "h", "post": [{"exec": {"command": ["sync"]}}]}]}
_MANIFEST: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("job.yaml").read_text())


def _with(overrides: JobOverrides) -> dict[str, Any]:
    return job_manifest(_BACKUP, settings=_SETTINGS.with_overrides(overrides), access=_ACCESS)


def _expected() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_MANIFEST))
    return loaded


def _named(name: str, uid: str = _UID) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid}}


def test_the_whole_manifest() -> None:
    assert job_manifest(_BACKUP, settings=_SETTINGS, access=_ACCESS) == _MANIFEST


def test_without_a_secret_the_pod_has_its_own_identity_and_no_credentials_are_mounted() -> None:
    expected = _expected()
    pod = expected["spec"]["template"]["spec"]
    del pod["volumes"][1], pod["containers"][0]["volumeMounts"][1]
    assert job_manifest(_BACKUP, settings=_SETTINGS, access=StoreAccess()) == expected


def test_every_setting_has_its_place() -> None:
    settings = JobSettings(
        namespace="backups", image="other:2", image_pull_policy="Always", service_account="own", memory="1Gi", cpu="2",
        compression="fast", list_encoding="protobuf", attempts=1, deadline_seconds=60, grace_seconds=45,
        not_ready_toleration_seconds=5,
    )  # fmt: skip
    expected = _expected()
    expected["metadata"]["namespace"] = "backups"
    expected["spec"] |= {"backoffLimit": 0, "activeDeadlineSeconds": 60}
    pod = expected["spec"]["template"]["spec"]
    pod |= {"serviceAccountName": "own", "terminationGracePeriodSeconds": 45}
    for toleration in pod["tolerations"]:
        toleration["tolerationSeconds"] = 5
    container = pod["containers"][0]
    container |= {"image": "other:2", "imagePullPolicy": "Always"}
    container["env"][0]["value"] = "backups"
    container["env"][3]["value"] = "fast"
    container["env"][4]["value"] = "protobuf"
    container["resources"] = {"requests": {"memory": "1Gi", "cpu": "2"}, "limits": {"memory": "1Gi", "cpu": "2"}}
    assert job_manifest(_BACKUP, settings=settings, access=_ACCESS) == expected


@pytest.mark.parametrize(
    ("spec", "accounts"),
    [
        ({}, ("hooks", "plain", "plain")),
        ({"hooks": {}}, ("hooks", "plain", "plain")),
        ({"hooks": {"resources": [{"name": "h"}]}}, ("hooks", "plain", "plain")),
        ({"hooks": _HOOKS}, ("hooks", "hooks", "plain")),
        ({"hooks": _HOOKS, "excludedResources": ["po"]}, ("plain", "plain", "plain")),
        ({"hooks": _HOOKS, "includedResources": ["secrets", "Pod"]}, ("hooks", "hooks", "plain")),
        ({"hooks": _HOOKS, "includedResources": ["secrets"]}, ("plain", "plain", "plain")),
        ({"includedNamespaceScopedResources": ["p*"]}, ("hooks", "plain", "plain")),
        ({"excludedNamespaceScopedResources": ["*"]}, ("plain", "plain", "plain")),
    ],
)
def test_only_a_job_that_may_come_to_run_hooks_has_the_account_for_it(
    spec: dict[str, Any], accounts: tuple[str, ...]
) -> None:
    settings = JobSettings("velero", "i", service_account="plain", hooks_service_account="hooks")
    made = []
    for allowed in (AllowedHooks.ANNOTATIONS, AllowedHooks.SPEC, AllowedHooks.OFF):
        backup = {**_BACKUP, "spec": spec}
        job = job_manifest(backup, settings=replace(settings, hooks=allowed), access=StoreAccess())
        pod = job["spec"]["template"]["spec"]
        assert {"name": "PINNACE_HOOKS", "value": allowed.value} in pod["containers"][0]["env"]
        made.append(pod["serviceAccountName"])
    assert tuple(made) == accounts


@pytest.mark.parametrize(
    ("spec", "settings", "account"),
    [
        ({}, {}, "snapshots"),
        ({"snapshotVolumes": True, "includedResources": ["pvc"]}, {}, "snapshots"),
        ({"snapshotVolumes": False}, {}, "plain"),
        ({"includedResources": ["pods"]}, {}, "plain"),
        ({"excludedNamespaceScopedResources": ["persistentvolumeclaims"]}, {}, "plain"),
        ({}, {"csi_snapshots": False}, "plain"),
        ({}, {"hooks": AllowedHooks.ANNOTATIONS}, "both"),
        ({"snapshotVolumes": False}, {"hooks": AllowedHooks.ANNOTATIONS}, "hooks"),
    ],
)
def test_only_a_job_that_may_come_to_take_csi_snapshots_has_the_account_for_it(
    spec: dict[str, Any], settings: dict[str, Any], account: str
) -> None:
    accounts = JobSettings(
        "velero", "i", service_account="plain", hooks_service_account="hooks", snapshots_service_account="snapshots",
        hooks_snapshots_service_account="both",
    )  # fmt: skip
    backup = {**_BACKUP, "spec": spec}
    job = job_manifest(backup, settings=replace(accounts, **settings), access=StoreAccess(), serves_csi_snapshots=True)
    pod = job["spec"]["template"]["spec"]
    takes = "auto" if account in ("snapshots", "both") else "off"
    assert {"name": "PINNACE_CSI_SNAPSHOTS", "value": takes} in pod["containers"][0]["env"]
    assert pod["serviceAccountName"] == account


def test_overrides_are_merged_and_never_replace_what_finds_the_job() -> None:
    overrides = JobOverrides(
        labels={"team": "storage", "velero.io/backup-name": "other"},
        annotations={"note": "1"},
        pod_labels={"mesh": "off", "app.kubernetes.io/name": "other"},
        pod_annotations={"inject": "false"},
        pod_spec={
            "nodeSelector": {"disk": "fast"},
            "terminationGracePeriodSeconds": 60,
            "tolerations": [{"key": "backup", "operator": "Exists"}],
        },
        env=[{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        attempts=5,
        deadline_seconds=7200,
    )
    expected = _expected()
    expected["metadata"]["labels"]["team"] = "storage"
    expected["metadata"]["annotations"] = {"note": "1"}
    expected["spec"] |= {"backoffLimit": 4, "activeDeadlineSeconds": 7200}
    template = expected["spec"]["template"]
    template["metadata"]["labels"]["mesh"] = "off"
    template["metadata"]["annotations"] = {"inject": "false"}
    template["spec"] |= {"nodeSelector": {"disk": "fast"}, "terminationGracePeriodSeconds": 60}
    template["spec"]["tolerations"].append({"key": "backup", "operator": "Exists"})
    template["spec"]["containers"][0]["env"].append({"name": "HTTPS_PROXY", "value": "http://proxy:3128"})
    assert _with(overrides) == expected


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        ({}, {"memory": "192Mi", "cpu": "1"}, {"memory": "192Mi", "cpu": "1"}),
        ({"limits": {"memory": "1Gi"}}, {"memory": "1Gi", "cpu": "1"}, {"memory": "1Gi", "cpu": "1"}),
        ({"requests": {"cpu": "100m"}}, {"memory": "192Mi", "cpu": "100m"}, {"memory": "192Mi", "cpu": "1"}),
        (
            {"limits": {"cpu": None}, "requests": {"cpu": "250m"}},
            {"memory": "192Mi", "cpu": "250m"},
            {"memory": "192Mi"},
        ),
    ],
)
def test_requests_equal_limits_where_only_limits_are_given_and_null_takes_one_away(
    given: dict[str, Any], requests: dict[str, str], limits: dict[str, str]
) -> None:
    container = _with(JobOverrides(resources=given))["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"requests": requests, "limits": limits}


def test_several_pods_make_a_backup_by_an_indexed_job() -> None:
    expected = _expected()
    del expected["spec"]["backoffLimit"]
    expected["spec"] |= {
        "completionMode": "Indexed",
        "completions": 3,
        "parallelism": 3,
        "backoffLimitPerIndex": 2,
        "maxFailedIndexes": 0,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }
    expected["spec"]["podFailurePolicy"]["rules"][1]["action"] = "FailIndex"
    container = expected["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "PINNACE_SHARDS", "value": "3"})
    assert job_manifest(_BACKUP, settings=replace(_SETTINGS, shards=3), access=_ACCESS) == expected
    assert _with(JobOverrides(shards=3)) == expected
    expected["spec"]["backoffLimitPerIndex"] = 0
    assert _with(JobOverrides(shards=3, attempts=1)) == expected


def test_an_override_of_one_shard_gives_the_plain_job() -> None:
    settings = replace(_SETTINGS, shards=3).with_overrides(JobOverrides(shards=1))
    made = job_manifest(_BACKUP, settings=settings, access=_ACCESS)
    assert made == _MANIFEST


def test_overrides_leave_no_trace_in_the_next_job() -> None:
    _with(JobOverrides(pod_spec={"tolerations": [{"key": "x"}]}, labels={"a": "b"}, env=[{"name": "A", "value": "b"}]))
    assert _with(JobOverrides()) == _MANIFEST


def test_an_attempt_that_may_end_better_has_no_fatal_exit_code() -> None:
    fatal = _MANIFEST["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"]
    assert {EXIT_ANOTHER_ATTEMPT, 130, 137, 143} & set(fatal) == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "a-384d664d29"),
        ("shop.eu.2026", "shop-eu-2026-384d664d29"),
        ("x" * 49, "x" * 49 + "-384d664d29"),
        ("x" * 253, "x" * 49 + "-384d664d29"),
        ("x" * 48 + "." + "y" * 60, "x" * 48 + "-384d664d29"),
        ("x" * 47 + ".y.z", "x" * 47 + "-y-384d664d29"),
    ],
)
def test_the_jobs_name_is_the_backups_cut_and_a_hash_of_its_uid(name: str, expected: str) -> None:
    assert job_name(_named(name)) == expected


_LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(_LABEL, min_size=1, max_size=12).map(".".join), st.uuids().map(str))
def test_every_backups_name_gives_a_name_that_is_a_label_too(name: str, uid: str) -> None:
    made = job_name(_named(name, uid))
    assert len(f"{made}-31") <= 63, "the name of an Indexed Job's pod as a host"
    assert made.replace("-", "a").isalnum()
    assert made[0] != "-" != made[-1]
    assert made == made.lower()


def test_a_backup_made_again_and_one_with_a_long_common_beginning_have_jobs_of_their_own() -> None:
    names = [
        job_name(_named("nightly", "uid-1")),
        job_name(_named("nightly", "uid-2")),
        job_name(_named("x" * 60 + "1", "uid-3")),
        job_name(_named("x" * 60 + "2", "uid-4")),
    ]
    assert len(set(names)) == 4


def test_a_long_backup_name_is_shortened_in_the_label_as_velero_does_and_whole_in_the_arguments() -> None:
    name = "b" * 70
    manifest = job_manifest({"metadata": {"name": name, "uid": _UID}}, settings=_SETTINGS, access=_ACCESS)
    labels = (manifest["metadata"]["labels"], manifest["spec"]["template"]["metadata"]["labels"])
    assert [each["velero.io/backup-name"] for each in labels] == ["b" * 57 + "b94440"] * 2
    assert manifest["spec"]["template"]["spec"]["containers"][0]["args"] == ["backup", "job", name]


def test_the_rights_are_one_backup_and_go_with_the_job() -> None:
    job = {
        "metadata": {"name": "nightly-384d664d29", "uid": "job-uid"},
        "spec": {"template": {"spec": {"serviceAccountName": "of-the-job"}}},
    }
    metadata = {
        "name": "pinnace-nightly-384d664d29",
        "namespace": "velero",
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "nightly-384d664d29", "uid": "job-uid"}],
        "labels": {"app.kubernetes.io/name": "pinnace"},
    }
    assert rights(_BACKUP, settings=_SETTINGS, job=job) == (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": ["velero.io"],
                    "resources": ["backups"],
                    "resourceNames": ["nightly"],
                    "verbs": ["get", "patch"],
                }
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "pinnace-nightly-384d664d29",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "of-the-job", "namespace": "velero"}],
        },
    )
