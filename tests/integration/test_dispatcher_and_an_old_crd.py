"""The dispatcher beside the CRDs of Velero 1.9: it writes no phase and no field that they do not know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.cluster_fixtures import cluster_folder
from integration.dispatcher_process import Stage, phase
from integration.s3_fixtures import new_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import CRDS
from pinnace.cluster import kubectl, local_cluster

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_PHASES = (
    "New", "FailedValidation", "InProgress", "Uploading", "UploadingPartialFailure", "Completed", "PartiallyFailed",
    "Failed", "Deleting",
)  # fmt: skip
_NEWER = ("queuePosition", "hookStatus", "backupItemOperationsAttempted", "backupItemOperationsCompleted",
          "backupItemOperationsFailed")  # fmt: skip


def as_of_velero_1_9(crd: dict[str, Any]) -> dict[str, Any]:
    (version,) = crd["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    status["phase"]["enum"] = list(_PHASES)
    for name in _NEWER:
        del status[name]
    return crd


@pytest.fixture(scope="module")
def stage(s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster of its own, since kinds are the cluster's, and a dispatcher that runs one Backup at a time."""
    folder = tmp_path_factory.mktemp("old-crd")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        bucket = new_bucket(s3_server)
    with cluster_folder() as place:
        cluster = local_cluster.up(place)
        made = Stage(cluster.kubeconfig, "velero", folder, s3_server.url, bucket, _CREDENTIALS)
        try:
            made.make()
            made.start("--leader-election", is_ready=False)
            yield made
        finally:
            made.end()


def install_old(kubeconfig: Path, folder: Path) -> None:
    old = as_of_velero_1_9(yaml.safe_load((CRDS / "backups.yaml").read_text()))
    (folder / "backups.yaml").write_text(yaml.safe_dump(old))
    # Velero 1.9 has these kinds too, with fewer fields; what is written into them is the same.
    others = [path for path in CRDS.glob("*.yaml") if path.stem not in ("backups", "kustomization")]
    files = [f"--filename={path}" for path in (folder / "backups.yaml", *others)]
    kubectl.run("create", *files, kubeconfig=kubeconfig)
    names = [f"crd/{path.stem}.velero.io" for path in (CRDS / "backups.yaml", *others)]
    kubectl.run("wait", *names, "--for=condition=Established", "--timeout=60s", kubeconfig=kubeconfig)


def test_a_dispatcher_that_comes_before_its_kinds_is_not_ready_and_waits_for_them(stage: Stage) -> None:
    dispatcher = stage.dispatchers[0]
    stage.wait(lambda: "install the CRDs" in dispatcher.log.read_text())
    assert dispatcher.asked("/readyz")[0] == 503
    assert dispatcher.asked("/healthz")[0] == 200
    install_old(stage.kubeconfig, stage.folder)
    stage.make_location("default")
    stage.wait(lambda: dispatcher.asked("/readyz")[0] == 200)
    assert dispatcher.process.poll() is None


def test_one_that_waits_has_no_phase_and_no_position(stage: Stage) -> None:
    stage.create("first", includedNamespaces=["a"])
    stage.wait_for_phase("first", "InProgress")
    stage.create("second", includedNamespaces=["b"])
    stage.new_pod("first")
    assert "status" not in stage.backup("second")
    assert stage.job_of("second") is None
    stage.complete("first")
    stage.wait_for_phase("second", "InProgress")
    stage.complete("second")
    stage.wait_until_recorded("second")


def test_one_that_is_refused_or_fails_says_so_in_words_that_the_crd_has(stage: Stage) -> None:
    stage.create("refused", storageLocation="nowhere")
    assert len(stage.wait_for_phase("refused", "FailedValidation")["status"]["validationErrors"]) == 1
    stage.create("failed", includedNamespaces=["c"])
    stage.end_pod(stage.new_pod("failed"), 1, message='{"reason": "the bucket is gone"}')
    stage.wait_for_phase("failed", "Failed")
    assert "the bucket is gone" in stage.backup("failed")["status"]["failureReason"]


def test_nothing_was_refused_by_the_server(stage: Stage) -> None:
    assert phase(stage.backup("failed")) == "Failed"
    log = stage.dispatchers[0].log.read_text()
    assert "does not know phase" not in log
    assert "Unsupported value" not in log
