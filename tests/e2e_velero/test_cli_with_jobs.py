"""The real velero CLI against pinnace as it is installed: what it asks for is made by Jobs on a real kubelet."""

import gzip
import re
import tarfile

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase
from e2e_velero import many_kinds
from e2e_velero.velero_program import Velero, lines_of
from integration.s3_fixtures import open_bucket
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, DELETE_BACKUP_REQUESTS, PODS, SCHEDULES
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials", "filled")

_TIME = r"\S+ \S+ \+0000 UTC"


@pytest.fixture(scope="module")
def created(velero_on_node: Velero, filled: str) -> list[str]:
    """What `backup create --wait` printed."""
    names = ",".join(many_kinds.namespaces(filled))
    return lines_of(velero_on_node.run("backup", "create", "by-cli", "--include-namespaces", names, "--wait"))


def store_of(installation: Installation, name: str) -> BackupStore:
    return BackupStore(open_bucket(installation.store_url), name)


def test_version(velero_on_node: Velero) -> None:
    *client, server = lines_of(velero_on_node.run("version", "--timeout", "60s"))
    assert client == ["Client:", "Version: v1.18.1", "Git commit: -", "Server:"]
    assert re.fullmatch(r"Version: v1\.18\.1\+pinnace\.[0-9.]+", server)


def test_backup_create_waits_for_the_job(created: list[str], on_node: Installation) -> None:
    assert created[0] == 'Backup request "by-cli" submitted successfully.'
    assert created[-1] == (
        "Backup completed with status: Completed. You may check for more information using the commands "
        "`velero backup describe by-cli` and `velero backup logs by-cli`."
    )
    [pod] = on_node.pods_of("by-cli")
    assert pod["spec"]["nodeName"] == on_node.cluster.cluster.nodes[0].name
    on_node.cluster.wait_for(
        PODS, pod["metadata"]["name"], namespace=NAMESPACE, until=lambda found: phase(found) == "Succeeded"
    )
    assert pinnace("backup", "verify", "by-cli", "--store", on_node.store_url).returncode == 0


@pytest.mark.usefixtures("created")
def test_backup_get(velero_on_node: Velero) -> None:
    header, row = lines_of(velero_on_node.run("backup", "get", "by-cli"))
    assert header == "NAME  STATUS  ERRORS  WARNINGS  CREATED  EXPIRES  STORAGE LOCATION  QUEUE POSITION  SELECTOR"
    assert re.fullmatch(rf"by-cli  Completed  0  0  {_TIME}  29d  default  <none>", row)


@pytest.mark.usefixtures("created")
def test_backup_describe(velero_on_node: Velero, on_node: Installation, filled: str) -> None:
    """Every item of the archive is named under its kind, and nothing is missing for want of a URL."""
    lines = lines_of(velero_on_node.run("backup", "describe", "by-cli", "--details"))
    count = on_node.wait("by-cli")["status"]["progress"]["itemsBackedUp"]
    assert "Phase:  Completed" in lines
    assert f"Included:  {', '.join(many_kinds.namespaces(filled))}" in lines
    assert f"Items backed up:  {count}" in lines
    assert "<error" not in "\n".join(lines)
    first, last = lines.index("Resource List:"), lines.index("Backup Volumes:")
    named = [line for line in lines[first:last] if line.startswith("- ")]
    assert len(named) == count
    assert f"- {filled}-app/values" in lines[lines.index("v1/ConfigMap:") :]
    assert f"- {filled}-data/db-0" in lines[lines.index("v1/Pod:") :]


@pytest.mark.usefixtures("created")
def test_backup_logs(velero_on_node: Velero, on_node: Installation) -> None:
    stored = store_of(on_node, "by-cli")
    log = velero_on_node.run("backup", "logs", "by-cli")
    assert log == gzip.decompress(stored.read(stored.keys.log)).decode()
    assert 'msg="Backed up a total of' in log


@pytest.mark.usefixtures("created")
def test_backup_download(velero_on_node: Velero, on_node: Installation) -> None:
    velero_on_node.run("backup", "download", "by-cli", "--output", "by-cli.tar.gz")
    stored, archive = store_of(on_node, "by-cli"), velero_on_node.home / "by-cli.tar.gz"
    assert archive.read_bytes() == stored.read(stored.keys.archive)
    with tarfile.open(archive) as members:
        names = [name for name in members.getnames() if "-preferredversion/" in name]
    assert len(names) == on_node.wait("by-cli")["status"]["progress"]["itemsBackedUp"]


def test_backup_delete(velero_on_node: Velero, on_node: Installation, filled: str) -> None:
    velero_on_node.run("backup", "create", "gone", "--include-namespaces", f"{filled}-batch", "--wait")
    assert store_of(on_node, "gone").has_objects()
    printed = lines_of(velero_on_node.run("backup", "delete", "gone", "--confirm"))
    assert printed[0] == 'Request to delete backup "gone" submitted successfully.'
    cluster = on_node.cluster
    requests = Objects(cluster.client, DELETE_BACKUP_REQUESTS, namespace=NAMESPACE)
    cluster.wait_until(
        lambda: cluster.get(BACKUPS, "gone", namespace=NAMESPACE) is None and not requests.list(), "the backup to go"
    )
    assert "not found" in velero_on_node.run("backup", "get", "gone", status=1)
    assert not store_of(on_node, "gone").has_objects()
    cluster.wait_until(lambda: on_node.job_of("gone") is None and not on_node.pods_of("gone"), "its Job to go")


def test_schedule_create_get_and_pause_and_a_backup_from_it(
    velero_on_node: Velero, on_node: Installation, filled: str
) -> None:
    created = velero_on_node.run(
        "schedule", "create", "weekly", "--schedule", "0 3 * * 0", "--include-namespaces", f"{filled}-app", "--ttl",
        "48h", "--selector", "app=web",
    )  # fmt: skip
    assert created == 'Schedule "weekly" created successfully.\n'
    on_node.cluster.wait_for(
        SCHEDULES, "weekly", namespace=NAMESPACE, until=lambda found: phase(found) == "Enabled", what="to be Enabled"
    )
    header, row = lines_of(velero_on_node.run("schedule", "get", "weekly"))
    assert header == "NAME  STATUS  CREATED  SCHEDULE  BACKUP TTL  LAST BACKUP  SELECTOR  PAUSED"
    assert re.fullmatch(rf"weekly  Enabled  {_TIME}  0 3 \* \* 0  48h0m0s  n/a  app=web  false", row)
    assert velero_on_node.run("schedule", "pause", "weekly").splitlines()[-1] == "Schedule weekly paused successfully"
    assert lines_of(velero_on_node.run("schedule", "get", "weekly"))[1].endswith("  true")

    printed = velero_on_node.run("backup", "create", "by-hand", "--from-schedule", "weekly", "--wait")
    assert "Backup completed with status: Completed." in printed
    backup = on_node.wait("by-hand")
    assert backup["metadata"]["labels"]["velero.io/schedule-name"] == "weekly"
    assert (backup["spec"]["ttl"], backup["spec"]["includedNamespaces"]) == ("48h0m0s", [f"{filled}-app"])
    contents = pinnace("backup", "contents", "by-hand", "--store", on_node.store_url).stdout.split()
    assert f"deployments.apps/{filled}-app/web" in contents
    assert f"configmaps/{filled}-app/values" not in contents


def test_backup_location_create_and_get_and_a_backup_into_it(
    velero_on_node: Velero, on_node: Installation, filled: str
) -> None:
    config = f"region=us-east-1,s3ForcePathStyle=true,s3Url={on_node.server.url}"
    printed = velero_on_node.run(
        "backup-location", "create", "second", "--provider", "aws", "--bucket", on_node.bucket, "--prefix", "second",
        "--config", config, "--credential", "cloud-credentials=cloud",
    )  # fmt: skip
    assert printed == 'Backup storage location "second" configured successfully.\n'
    on_node.cluster.wait_for(
        BACKUP_STORAGE_LOCATIONS, "second", namespace=NAMESPACE, what="to be Available", timeout_seconds=120,
        until=lambda found: phase(found) == "Available",
    )  # fmt: skip
    header, row = lines_of(velero_on_node.run("backup-location", "get", "second"))
    assert header == "NAME  PROVIDER  BUCKET/PREFIX  PHASE  LAST VALIDATED  ACCESS MODE  DEFAULT"
    assert re.fullmatch(rf"second  aws  {on_node.bucket}/second  Available  {_TIME}  ReadWrite", row)
    velero_on_node.run(
        "backup", "create", "elsewhere", "--storage-location", "second", "--include-namespaces", f"{filled}-batch",
        "--wait",
    )  # fmt: skip
    assert phase(on_node.wait("elsewhere")) == "Completed"
    url = on_node.server.store_url(on_node.bucket, "second")
    assert pinnace("backup", "verify", "elsewhere", "--store", url).returncode == 0
