"""Manifests from options: those of the kustomize base, but for what the options say."""

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinnace.cluster import kubectl
from pinnace.hooks.allowed import AllowedHooks
from pinnace.install import manifests
from pinnace.install.options import InstallOptions, Location
from pinnace.install.render import obsolete, render

_K8S = Path(__file__).parents[3] / "k8s"


def identity(document: dict[str, Any]) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def without_kinds(options: InstallOptions) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {identity(d): d for d in render(options) if d["kind"] != "CustomResourceDefinition"}


def built(folder: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    documents = yaml.safe_load_all(kubectl.run("kustomize", str(folder), kubeconfig=Path(os.devnull)))
    return {identity(document): document for document in documents}


def test_without_options_it_is_what_kustomize_builds() -> None:
    expected = built(_K8S / "crds") | built(_K8S / "base")
    assert {identity(document): document for document in render(InstallOptions())} == expected


@pytest.mark.parametrize(
    ("components", "options"),
    [
        (["hooks-annotations"], {"hooks": AllowedHooks.ANNOTATIONS}),
        (["hooks-off"], {"hooks": AllowedHooks.OFF}),
        (["csi-snapshots-off"], {"csi_snapshots": False}),
        (["hooks-off", "csi-snapshots-off"], {"hooks": AllowedHooks.OFF, "csi_snapshots": False}),
    ],
)
def test_with_other_options_it_is_what_kustomize_builds_with_that_component(
    components: list[str], options: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "k8s").symlink_to(_K8S)
    overlay = {"resources": ["k8s/base"], "components": [f"k8s/components/{name}" for name in components]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    expected, rendered = built(tmp_path), without_kinds(InstallOptions(**options))
    for documents in (expected, rendered):
        pod = documents["Deployment", "velero", "pinnace-dispatcher"]["spec"]["template"]["spec"]
        pod["containers"][0]["env"].sort(key=lambda variable: variable["name"])
    assert rendered == expected


def test_without_hooks_there_is_no_account_that_may_run_commands_and_an_earlier_one_goes() -> None:
    options = InstallOptions(hooks=AllowedHooks.OFF, namespace="other")
    with_hooks = [key for key in without_kinds(options) if "hooks" in key[2]]
    assert with_hooks == [("ServiceAccount", "other", "pinnace-backup-hooks-snapshots")]
    assert [identity(document) for document in obsolete(options)] == [
        ("ServiceAccount", "other", "pinnace-backup-hooks"),
        ("ClusterRoleBinding", "", "pinnace-backup-hooks-other"),
        ("RoleBinding", "other", "pinnace-backup-hooks"),
    ]
    assert [obsolete(InstallOptions(hooks=hooks)) for hooks in (AllowedHooks.SPEC, AllowedHooks.ANNOTATIONS)] == [
        [],
        [],
    ]
    assert obsolete(InstallOptions(crds_only=True)) == []


def test_without_csi_snapshots_there_is_no_account_that_may_make_one_and_an_earlier_one_goes() -> None:
    options = InstallOptions(csi_snapshots=False, namespace="other")
    assert [key for key in without_kinds(options) if "snapshots" in key[2]] == []
    assert [identity(document) for document in obsolete(options)] == [
        ("ServiceAccount", "other", "pinnace-backup-snapshots"),
        ("ServiceAccount", "other", "pinnace-backup-hooks-snapshots"),
        ("ClusterRoleBinding", "", "pinnace-backup-snapshots-other"),
        ("RoleBinding", "other", "pinnace-backup-snapshots"),
        ("ClusterRoleBinding", "", "pinnace-dispatcher-snapshots-other"),
    ]


def test_the_namespace_comes_first_and_the_kinds_before_what_is_of_them() -> None:
    kinds = [document["kind"] for document in render(InstallOptions(location=Location("b", credentials=b"c")))]
    assert kinds[0] == "Namespace"
    assert kinds[1:14] == ["CustomResourceDefinition"] * 13
    assert kinds[-3:] == ["Service", "Secret", "BackupStorageLocation"]


def test_only_the_kinds_can_be_had() -> None:
    assert render(InstallOptions(crds_only=True)) == manifests.crds()


def test_another_namespace_is_everywhere_and_its_bindings_are_its_own() -> None:
    default, other = without_kinds(InstallOptions()), without_kinds(InstallOptions(namespace="other"))
    assert "velero" not in {namespace for _, namespace, _ in other}
    assert {subject["namespace"] for d in other.values() for subject in d.get("subjects", ())} == {"other"}
    names = {kind: sorted(n for k, _, n in other if k == kind) for kind in ("Namespace", "ClusterRoleBinding")}
    assert names == {
        "Namespace": ["other"],
        "ClusterRoleBinding": [
            "pinnace-backup-hooks-other",
            "pinnace-backup-other",
            "pinnace-backup-snapshots-other",
            "pinnace-dispatcher-other",
            "pinnace-dispatcher-snapshots-other",
        ],
    }
    roles = [("ClusterRole", "", "pinnace-backup"), ("ClusterRole", "", "pinnace-dispatcher")]
    assert [other[role] for role in roles] == [default[role] for role in roles]


def test_the_image_is_the_dispatchers_and_the_jobs() -> None:
    documents = without_kinds(InstallOptions(image="registry.example/pinnace@sha256:1"))
    [container] = documents["Deployment", "velero", "pinnace-dispatcher"]["spec"]["template"]["spec"]["containers"]
    named = [variable["value"] for variable in container["env"] if variable["name"] == "PINNACE_JOB_IMAGE"]
    assert [container["image"], *named] == ["registry.example/pinnace@sha256:1"] * 2


def test_what_the_dispatcher_is_to_do_otherwise_is_a_flag_of_it() -> None:
    def args(options: InstallOptions) -> list[str]:
        deployment = without_kinds(options)["Deployment", "velero", "pinnace-dispatcher"]
        found: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        return found

    assert args(InstallOptions()) == ["dispatcher"]
    assert args(InstallOptions(retention_guard=False)) == ["dispatcher", "--no-retention-guard"]
    assert args(InstallOptions(garbage_collection_frequency="10m")) == [
        "dispatcher",
        "--garbage-collection-frequency=10m",
    ]
    assert args(InstallOptions(job_shards=4)) == ["dispatcher", "--job-shards=4"]
    assert args(InstallOptions(job_list_encoding="json")) == ["dispatcher", "--job-list-encoding=json"]


def test_annotations_are_on_all_service_accounts() -> None:
    documents = without_kinds(InstallOptions(service_account_annotations={"a/role": "r"}))
    accounts = [d["metadata"] for (kind, _, _), d in documents.items() if kind == "ServiceAccount"]
    assert {account["name"]: account["annotations"] for account in accounts} == {
        "pinnace-backup": {"a/role": "r"},
        "pinnace-backup-hooks": {"a/role": "r"},
        "pinnace-backup-hooks-snapshots": {"a/role": "r"},
        "pinnace-backup-snapshots": {"a/role": "r"},
        "pinnace-dispatcher": {"a/role": "r"},
    }


def test_a_location_with_credentials_names_its_secret() -> None:
    location = Location("b", prefix="p/q", config={"region": "r"}, ca_cert=b"CA", credentials=b"[default]")
    documents = without_kinds(InstallOptions(namespace="other", location=location))
    labels = {"app.kubernetes.io/part-of": "pinnace"}
    assert documents["Secret", "other", "cloud-credentials"] == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "cloud-credentials", "namespace": "other", "labels": labels},
        "type": "Opaque",
        "data": {"cloud": b64encode(b"[default]").decode()},
    }
    assert documents["BackupStorageLocation", "other", "default"] == {
        "apiVersion": "velero.io/v1",
        "kind": "BackupStorageLocation",
        "metadata": {"name": "default", "namespace": "other", "labels": labels},
        "spec": {
            "provider": "aws",
            "default": True,
            "objectStorage": {"bucket": "b", "prefix": "p/q", "caCert": b64encode(b"CA").decode()},
            "config": {"region": "r"},
            "credential": {"name": "cloud-credentials", "key": "cloud"},
        },
    }


def test_a_location_without_credentials_has_no_secret_and_names_none() -> None:
    documents = without_kinds(InstallOptions(location=Location("b")))
    assert [key for key in documents if key[0] == "Secret"] == []
    assert documents["BackupStorageLocation", "velero", "default"]["spec"] == {
        "provider": "aws",
        "default": True,
        "objectStorage": {"bucket": "b"},
    }
