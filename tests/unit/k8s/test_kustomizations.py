"""The kustomizations build, and what comes out is what the others rely on."""

import configparser
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinnace.cluster import kubectl

_ROOT = Path(__file__).parents[3]
_EXAMPLES = ("s3-secret", "s3-workload-identity", "seaweedfs")
_OVERLAYS = ("base", *(f"examples/{name}" for name in _EXAMPLES))


def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` prints."""
    return list(yaml.safe_load_all(kubectl.run("kustomize", str(folder), kubeconfig=Path(os.devnull))))


def of(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    [found] = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


def images(documents: list[dict[str, Any]]) -> dict[str, str]:
    """The dispatcher's image and the one that it gives to Jobs."""
    pod = of(documents, "Deployment", "pinnace-dispatcher")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [job_image] = [entry["value"] for entry in container["env"] if entry["name"] == "PINNACE_JOB_IMAGE"]
    return {"dispatcher": container["image"], "job": job_image}


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_jobs_run_the_dispatchers_image_which_is_of_this_version(overlay: str) -> None:
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert images(built(_ROOT / "k8s" / overlay)) == {"dispatcher": f"pinnace:{version}", "job": f"pinnace:{version}"}


def test_an_overlay_that_repeats_the_replacement_changes_both_images_and_the_namespace(tmp_path: Path) -> None:
    overlay = yaml.safe_load((_ROOT / "k8s/examples/s3-secret/kustomization.yaml").read_text())
    (tmp_path / "base").symlink_to(_ROOT / "k8s/base")
    overlay = {"resources": ["base"], "namespace": "other", "replacements": overlay["replacements"]}
    overlay["images"] = [{"name": "pinnace", "newName": "registry.example/pinnace", "newTag": "2"}]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = built(tmp_path)
    assert images(documents) == {"dispatcher": "registry.example/pinnace:2", "job": "registry.example/pinnace:2"}
    subjects = [subject for d in documents for subject in d.get("subjects", [])]
    assert {subject["namespace"] for subject in subjects} == {"other"}
    assert {d["metadata"].get("namespace", d["metadata"]["name"]) for d in documents if "Cluster" not in d["kind"]} == {
        "other"
    }


def test_the_dispatchers_pod_is_small_unprivileged_and_sees_no_variables_of_services() -> None:
    pod = of(built(_ROOT / "k8s/base"), "Deployment", "pinnace-dispatcher")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert (container["resources"]["limits"], container["resources"]["requests"]["memory"]) == (
        {"memory": "160Mi"},
        "160Mi",
    )
    assert container["args"] == ["dispatcher"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"health": 8081, "monitoring": 8085}


def test_a_role_for_workloads_is_on_all_service_accounts() -> None:
    accounts = [d for d in built(_ROOT / "k8s/examples/s3-workload-identity") if d["kind"] == "ServiceAccount"]
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/pinnace"}
    assert {account["metadata"]["name"]: account["metadata"].get("annotations") for account in accounts} == {
        "pinnace-backup": role,
        "pinnace-backup-hooks": role,
        "pinnace-backup-hooks-snapshots": role,
        "pinnace-backup-snapshots": role,
        "pinnace-dispatcher": role,
    }


@pytest.mark.parametrize("example", _EXAMPLES)
def test_the_location_finds_its_secret_if_it_names_one(example: str) -> None:
    documents = built(_ROOT / "k8s/examples" / example)
    location = of(documents, "BackupStorageLocation", "default")
    if credential := location["spec"].get("credential"):
        secret = of(documents, "Secret", credential["name"])
        assert (secret["metadata"]["namespace"], list(secret["data"])) == ("velero", [credential["key"]])
    else:
        assert [d for d in documents if d["kind"] == "Secret"] == []


@pytest.mark.parametrize("example", _EXAMPLES)
def test_the_first_backup_goes_to_the_examples_location(example: str) -> None:
    backup = yaml.safe_load((_ROOT / "k8s/examples" / example / "first-backup.yaml").read_text())
    location = of(built(_ROOT / "k8s/examples" / example), "BackupStorageLocation", "default")["metadata"]
    assert (backup["spec"]["storageLocation"], backup["metadata"]["namespace"]) == (
        location["name"],
        location["namespace"],
    )


def test_the_seaweedfs_example_has_one_key_on_both_sides() -> None:
    folder = _ROOT / "k8s/examples/seaweedfs"
    credentials = configparser.ConfigParser()
    credentials.read(folder / "credentials")
    [identity] = json.loads((folder / "identities.json").read_text())["identities"]
    bucket = of(built(folder), "BackupStorageLocation", "default")["spec"]["objectStorage"]["bucket"]
    assert identity["credentials"] == [
        {
            "accessKey": credentials["default"]["aws_access_key_id"],
            "secretKey": credentials["default"]["aws_secret_access_key"],
        }
    ]
    assert identity["actions"] == [f"{action}:{bucket}" for action in ("Read", "Write", "List", "Tagging")]


def test_without_csi_snapshots_no_account_may_make_any(tmp_path: Path) -> None:
    (tmp_path / "k8s").symlink_to(_ROOT / "k8s")
    overlay = {"resources": ["k8s/base"], "components": ["k8s/components/csi-snapshots-off"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = built(tmp_path)
    assert [d for d in documents if "snapshots" in d["metadata"]["name"]] == []
    pod = of(documents, "Deployment", "pinnace-dispatcher")["spec"]["template"]["spec"]
    assert {"name": "PINNACE_CSI_SNAPSHOTS", "value": "off"} in pod["containers"][0]["env"]


def test_the_flow_schema_is_for_the_lists_of_all_accounts_of_jobs(tmp_path: Path) -> None:
    (tmp_path / "k8s").symlink_to(_ROOT / "k8s")
    overlay = {"resources": ["k8s/base"], "components": ["k8s/components/flow-control"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = built(tmp_path)
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    [rule] = of(documents, "FlowSchema", "pinnace-backup")["spec"]["rules"]
    assert {subject["serviceAccount"]["name"] for subject in rule["subjects"]} == accounts - {"pinnace-dispatcher"}
    assert [each["verbs"] for each in rule["resourceRules"]] == [["list"]]
    level = of(documents, "FlowSchema", "pinnace-backup")["spec"]["priorityLevelConfiguration"]["name"]
    assert of(documents, "PriorityLevelConfiguration", level)["spec"]["type"] == "Limited"
