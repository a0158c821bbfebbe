"""Pinnace and the real Velero server on one cluster: the velero CLI shows the same of both, but for what is written.

Only names and times are normalised. What then differs stands in `DIFFERENCES`, with the words by which
docs/compatibility.md explains it; any other difference fails a test, and so does one of these that is gone.
"""

import difflib
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.installation import CREDENTIALS, NAMESPACE, Installation, phase
from e2e_velero import many_kinds
from e2e_velero.velero_program import Velero, lines_of, served
from integration.dispatcher_process import Stage
from pinnace.kube.kinds import SCHEDULES

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.timeout(1800)]

_NAMESPACE = "velero-beside"
_PREFIX = "theirs-beside"
_DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC")


@dataclass(frozen=True)
class Difference:
    """Lines that one of both prints and the other does not, as patterns; `explained` stands in compatibility.md."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    explained: str


_ATTEMPT = Difference(
    (r"Annotations:  pinnace\.io/attempt-id=\S+", r"velero\.io/resource-timeout=10m0s"),
    (r"Annotations:  velero\.io/resource-timeout=10m0s",),
    "one more annotation, `pinnace.io/attempt-id`",
)
DIFFERENCES = {
    "version --timeout 60s": (
        Difference(
            (r"Version: v1\.18\.1\+pinnace\.[0-9.]+",),
            (r"Version: v1\.18\.1",),
            "the API's version with ours as its build",
        ),
    ),
    "backup describe same --details": (_ATTEMPT,),
    "backup describe all": (
        _ATTEMPT,
        Difference(
            (r"Excluded cluster-scoped:  <none>",),
            (r"Excluded cluster-scoped:  volumesnapshotcontents\.snapshot\.storage\.k8s\.io",),
            "the two snapshot kinds are excluded",
        ),
        Difference(
            (r"Excluded namespace-scoped:  <none>",),
            (r"Excluded namespace-scoped:  volumesnapshots\.snapshot\.storage\.k8s\.io",),
            "the two snapshot kinds are excluded",
        ),
        Difference(
            (r"Total items to be backed up:  \d+", r"Items backed up:  \d+"),
            (r"Total items to be backed up:  \d+", r"Items backed up:  \d+"),
            "Velero 1.17.0 to 1.18.1 leave out most cluster-scoped kinds",
        ),
    ),
}


@dataclass(frozen=True)
class Both:
    """The CLI with each of the two."""

    ours: Velero
    theirs: Velero

    def run(self, *arguments: str) -> tuple[list[str], list[str]]:
        """What each printed, ours first, with names and times that can't be the same replaced."""
        return tuple(self._normal(each.run(*arguments)) for each in (self.ours, self.theirs))  # type: ignore[return-value]

    def _normal(self, printed: str) -> list[str]:
        lines = lines_of(_TIME.sub("<time>", printed))
        for name, meaning in ((_NAMESPACE, "<namespace>"), (f"/{_PREFIX}", "/<prefix>"), ("/ours", "/<prefix>")):
            lines = [line.replace(name, meaning) for line in lines]
        return [re.sub(rf"^Namespace:  {NAMESPACE}$", "Namespace:  <namespace>", line) for line in lines]


@pytest.fixture(scope="module")
def both(
    on_node: Installation, velero_on_node: Velero, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Both work, each in a namespace and on a prefix of its own; the same Backup and Schedule were asked of both."""
    folder = tmp_path_factory.mktemp("beside")
    stage = Stage(on_node.cluster.kubeconfig, _NAMESPACE, folder, on_node.server.url, on_node.bucket, CREDENTIALS)
    with served(velero_on_node, stage, locations={"default": _PREFIX}) as theirs:
        stage.wait(lambda: phase(stage.location("default")) == "Available", seconds=120)
        yield Both(velero_on_node, theirs)


@pytest.fixture(scope="module")
def created(both: Both, filled: str) -> tuple[list[str], list[str]]:
    """What `backup create --wait` printed for the same Backup; Events go on happening, and are left out."""
    names = ",".join(many_kinds.namespaces(filled))
    return both.run(
        "backup", "create", "same", "--include-namespaces", names, "--exclude-resources", "events", "--labels",
        "team=shop", "--ttl", "48h", "--wait",
    )  # fmt: skip


def assert_only_known(command: str, ours: list[str], theirs: list[str]) -> None:
    """The differences are those of the table, in its order, and each is explained."""
    blocks = [
        (tuple(ours[a:b]), tuple(theirs[c:d]))
        for tag, a, b, c, d in difflib.SequenceMatcher(a=ours, b=theirs, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    known = DIFFERENCES.get(command, ())
    assert len(blocks) == len(known), blocks
    text = _DOCUMENT.read_text()
    for block, difference in zip(blocks, known, strict=True):
        for lines, patterns in zip(block, (difference.ours, difference.theirs), strict=True):
            assert len(lines) == len(patterns), block
            for line, pattern in zip(lines, patterns, strict=True):
                assert re.fullmatch(pattern, line), block
        assert difference.explained in text


def test_backup_create(created: tuple[list[str], list[str]]) -> None:
    # A dot for each second of waiting.
    assert_only_known("backup create", *([re.sub(r"^\.+$", ".", line) for line in lines] for lines in created))


@pytest.mark.usefixtures("created")
@pytest.mark.parametrize(
    "command",
    [
        "version --timeout 60s",
        "backup get same",
        "backup describe same --details",
        "backup-location get default",
    ],
)
def test_what_is_shown(both: Both, command: str) -> None:
    assert_only_known(command, *both.run(*command.split()))


def test_plugins_are_those_that_a_backup_runs(both: Both) -> None:
    ours, theirs = both.run("plugin", "get")
    assert [line for line in ours if line not in theirs] == []
    more: dict[str, set[str]] = {}
    for name, kind in (line.split("  ") for line in theirs if line not in ours):
        more.setdefault(kind, set()).add(name)
    assert more.pop("BackupItemAction") == {"velero.io/crd-remap-version"}
    assert {name for name in more.pop("BackupItemActionV2") if "/csi-" not in name} == set()
    assert more.pop("VolumeSnapshotter") == {"velero.io/aws"}
    assert sorted(more) == ["DeleteItemAction", "ItemBlockAction", "RestoreItemAction", "RestoreItemActionV2"]
    assert "`velero.io/crd-remap-version`, those of CSI snapshots" in _DOCUMENT.read_text()


def test_schedules(both: Both, on_node: Installation) -> None:
    created = both.run("schedule", "create", "nightly", "--schedule", "0 3 * * 0", "--ttl", "48h", "--labels", "a=b")
    assert_only_known("schedule create", *created)
    for namespace in (NAMESPACE, _NAMESPACE):
        on_node.cluster.wait_for(
            SCHEDULES, "nightly", namespace=namespace, what="to be Enabled", timeout_seconds=120,
            until=lambda found: phase(found) == "Enabled",
        )  # fmt: skip
    for command in ("schedule get", "schedule describe nightly", "schedule pause nightly", "schedule get nightly"):
        assert_only_known(command, *both.run(*command.split()))


@pytest.mark.usefixtures("created")
def test_logs_have_the_same_shape(both: Both) -> None:
    """Lines of logrus with the same first and last keys; what they say is each server's own."""
    for log in (each.run("backup", "logs", "same") for each in (both.ours, both.theirs)):
        lines = log.splitlines()
        assert lines
        for line in lines:
            assert re.fullmatch(
                r'time="[0-9T:-]+Z" level=(info|warning) msg=("(?:[^"\\]|\\.)*"|\S+)( [\w.]+=("(?:[^"\\]|\\.)*"|\S*))*',
                line,
            )
            assert f"backup={NAMESPACE}/same" in line or f"backup={_NAMESPACE}/same" in line


def items(both: Both, name: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Path and bytes of each file of both archives."""
    found: list[dict[str, bytes]] = []
    for each in (both.ours, both.theirs):
        file = each.home / f"{name}-{each.namespace}.tar.gz"
        each.run("backup", "download", name, "--output", str(file))
        with tarfile.open(file) as archive:
            found.append({member.name: archive.extractfile(member).read() for member in archive})  # type: ignore[union-attr]
    return found[0], found[1]


@pytest.mark.usefixtures("created")
def test_both_archives_hold_the_same_items_and_bytes(both: Both) -> None:
    ours, theirs = items(both, "same")
    assert sorted(ours) == sorted(theirs)
    assert [path for path in ours if ours[path] != theirs[path]] == []
    assert len(ours) > 150


def lasting(found: dict[str, bytes]) -> dict[str, bytes]:
    """Without Events, and without what either server, its Jobs and the control plane write all the time."""
    busy = re.compile(r"^resources/(events|leases)\b|/namespaces/(velero|kube)[^/]*/|^resources/nodes/")
    return {path: body for path, body in found.items() if not busy.search(path)}


def test_without_filters_ours_holds_the_cluster_scoped_kinds_too(both: Both, filled: str) -> None:
    for lines in both.run("backup", "create", "all", "--wait"):
        assert "Backup completed with status: Completed." in lines[-1]
    assert_only_known("backup describe all", *both.run("backup", "describe", "all"))
    ours, theirs = (lasting(found) for found in items(both, "all"))
    assert sorted(set(theirs) - set(ours)) == []
    assert [path for path in theirs if ours[path] != theirs[path]] == []
    more = {path.split("/")[1] for path in set(ours) - set(theirs)}
    assert [path for path in set(ours) - set(theirs) if "/cluster/" not in path] == []
    assert {
        "storageclasses.storage.k8s.io",
        f"regions.{filled}.example.com",
        "clusterroles.rbac.authorization.k8s.io",
    } <= more
    assert f"resources/customresourcedefinitions.apiextensions.k8s.io/cluster/unused.{filled}.example.com.json" in ours
    assert "Velero 1.17.0 to 1.18.1 leave out most cluster-scoped kinds" in _DOCUMENT.read_text()
