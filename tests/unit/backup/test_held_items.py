"""Whole backups of a recorded cluster: what actions pull in, what is asked of the server for it, what that costs."""

import gzip
import json
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import pytest

from pinnace.actions import registry
from pinnace.actions.protocol import ActionContext, ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.backup import run
from pinnace.backup.progress import Observer
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.results import Entry
from pinnace.velero.timestamps import timestamp
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN, NOW

_ROOT = "/api/v1/namespaces/golden-a/"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


def backup(**spec: Any) -> Backup:
    return Backup(name="b", spec=BackupSpec(**spec)).with_status(start_timestamp=timestamp(NOW))


def made(
    folder: Path,
    *,
    cluster: RecordedCluster | None = None,
    observer: Observer | None = None,
    **spec: Any,
) -> tuple[list[str], RecordedCluster, run.Outcome]:
    """Names of the archive's items in its order, the cluster, and the outcome."""
    cluster = cluster or RecordedCluster(GOLDEN / "cluster")
    store = BackupStore(FilesystemStore(folder), "b")
    outcome = run.make(backup(**spec), client=cluster.client, store=store, observer=observer)
    return names(folder), cluster, outcome


def names(folder: Path) -> list[str]:
    with tarfile.open(folder / "backups" / "b" / "b.tar.gz") as tar:
        paths = [Path(name).parts for name in tar.getnames() if name.startswith("resources/")]
    versioned = ("v1-preferredversion", "v2-preferredversion")
    found = [parts for parts in paths if parts[2] not in versioned]
    return ["/".join((parts[1], *parts[3:])).removesuffix(".json") for parts in found]


def read_by_name(cluster: RecordedCluster) -> list[tuple[str, str]]:
    return [
        (path, query["fieldSelector"].removeprefix("metadata.name="))
        for path, query in cluster.asked
        if "fieldSelector" in query
    ]


def item(
    name: str, *, namespace: str = "golden-a", labels: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    metadata = {"name": name, "uid": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": {**metadata, "labels": labels or {}}, **more}


def pod(name: str, *claims: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    volumes = [{"persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return item(name, labels=labels, spec={"volumes": volumes, **spec})


def claim(name: str, volume: str) -> dict[str, Any]:
    return item(name, spec={"volumeName": volume}, status={"phase": "Bound"})


def test_a_backup_of_one_of_200_namespaces_lists_namespaced_kinds_there_only_and_others_by_name(
    tmp_path: Path,
) -> None:
    others = [item(f"other-{number}", namespace="", status={"phase": "Active"}) for number in range(200)]
    cluster = RecordedCluster(GOLDEN / "cluster", more={"/api/v1/namespaces": others})
    made(tmp_path, cluster=cluster, included_namespaces=("golden-a",))
    elsewhere = {path for path, _ in cluster.asked if "/namespaces/golden-a/" not in path}
    assert elsewhere == {_BINDINGS, _ROLES, _DEFINITIONS, _CLASSES, "/api/v1/persistentvolumes", "/api/v1/namespaces"}
    wanted = read_by_name(cluster)
    assert len(wanted) == len(set(wanted))
    assert wanted[:2] == [(_CLASSES, "golden-high"), ("/api/v1/persistentvolumes", "golden-pv-1")]
    assert (_DEFINITIONS, "boats.harbour.example") in wanted
    exact = {query.get("resourceVersionMatch") for path, query in cluster.asked if path == _CLASSES}
    assert exact == {"Exact"}


def test_where_the_plan_has_the_kinds_nothing_is_read_by_name(tmp_path: Path) -> None:
    _, cluster, outcome = made(tmp_path, included_namespaces=("golden-a",), include_cluster_resources=True)
    assert (read_by_name(cluster), outcome.results.entries()) == ([], [])


def test_what_an_item_pulls_in_is_written_before_it_and_once(tmp_path: Path) -> None:
    cluster = RecordedCluster(
        GOLDEN / "cluster",
        more={
            f"{_ROOT}pods": [
                pod("first", "data", "logs", labels={"app": "new"}, priorityClassName="golden-high"),
                pod("second", "data", labels={"app": "new"}, priorityClassName="golden-high"),
                pod("third", labels={"app": "new"}),
            ],
            f"{_ROOT}persistentvolumeclaims": [claim("data", "golden-pv-1"), item("logs", labels={"app": "new"})],
        },
    )
    found, cluster, outcome = made(
        tmp_path,
        cluster=cluster,
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("pods", "persistentvolumeclaims"),
        label_selector={"matchLabels": {"app": "new"}},
    )
    assert found == [
        "persistentvolumes/golden-pv-1",
        "persistentvolumeclaims/golden-a/data",
        "persistentvolumeclaims/golden-a/logs",
        "priorityclasses.scheduling.k8s.io/golden-high",
        "pods/golden-a/first",
        "pods/golden-a/second",
        "pods/golden-a/third",
        "namespaces/golden-a",
    ]
    assert Counter(read_by_name(cluster))[(_CLASSES, "golden-high")] == 1
    assert (outcome.results.entries(), outcome.backup.status.total_items) == ([], 8)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"excluded_cluster_scoped_resources": ("priorityclasses.scheduling.k8s.io",)}, "pods/golden-a/asking"),
        ({"excluded_cluster_scoped_resources": ("*",)}, "pods/golden-a/asking"),
        ({"included_cluster_scoped_resources": ("nodes",)}, "priorityclasses.scheduling.k8s.io/golden-high"),
        ({}, "priorityclasses.scheduling.k8s.io/golden-high"),
    ],
)
def test_additional_items_pass_the_filters_of_their_kind(tmp_path: Path, spec: dict[str, Any], expected: str) -> None:
    more = {f"{_ROOT}pods": [pod("asking", labels={"app": "new"}, priorityClassName="golden-high")]}
    found, _, _ = made(
        tmp_path,
        cluster=RecordedCluster(GOLDEN / "cluster", more=more),
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("pods",),
        label_selector={"matchLabels": {"app": "new"}},
        **spec,
    )
    assert next(name for name in found if not name.startswith(("namespaces", "nodes"))) == expected


def test_an_item_that_is_not_there_is_one_warning_however_many_name_it(tmp_path: Path) -> None:
    more = {f"{_ROOT}pods": [pod(name, labels={"app": "new"}, priorityClassName="gone") for name in ("a", "b")]}
    found, _, outcome = made(
        tmp_path,
        cluster=RecordedCluster(GOLDEN / "cluster", more=more),
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("pods",),
        label_selector={"matchLabels": {"app": "new"}},
    )
    text = "Additional item was not found in Kubernetes API, can't back it up"
    assert outcome.results.entries() == [Entry("warning", text, "", "priorityclasses.scheduling.k8s.io", "gone")]
    assert found == ["pods/golden-a/a", "pods/golden-a/b", "namespaces/golden-a"]


def test_what_may_not_be_read_is_an_error_of_what_needs_it(tmp_path: Path) -> None:
    refused = frozenset({_BINDINGS, _DEFINITIONS, _CLASSES})
    cluster = RecordedCluster(GOLDEN / "cluster", refused=refused)
    found, _, outcome = made(tmp_path, cluster=cluster, included_namespaces=("golden-a",))
    errors = [(entry.message, entry.resource, entry.name, entry.error) for entry in outcome.results.entries()]
    of_item = "Error backing up item"
    pods = [error for error in errors if error[1] == "pods"]
    assert ("Error preparing a backup item action", "", "", f"GET {_BINDINGS}: forbidden") in errors
    assert {error[0] for error in pods} == {of_item}
    definitions = [error for error in errors if error[1].startswith("customresourcedefinitions")]
    assert (of_item, "customresourcedefinitions.apiextensions.k8s.io", "boats.harbour.example") in [
        error[:3] for error in definitions
    ]
    assert "serviceaccounts/golden-a/web" in found
    assert outcome.backup.status.phase == "PartiallyFailed"
    assert {error[0] for error in errors} == {of_item, "Error preparing a backup item action"}


class Foreign:
    """An action of somebody else: changes each ConfigMap, and names one of a namespace that is not included."""

    name = "example.com/foreign"
    applies_to = ResourceSelector(included_resources=("configmaps",))

    def __init__(self, _: ActionContext) -> None:
        pass

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        item["metadata"]["annotations"] = {"seen-by": backup.name}
        other = ResourceIdentifier("configmaps", "golden-b", "kube-root-ca.crt")
        return ActionResult(item, additional_items=[other], must_include=True, item_changed=True)


def test_an_action_of_an_installed_package_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found_entry_point = SimpleNamespace(name="foreign", value="foreign:Foreign", load=lambda: Foreign)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [found_entry_point])
    found, _, outcome = made(
        tmp_path, included_namespaces=("golden-a",), included_namespace_scoped_resources=("configmaps",)
    )
    of_kind = [name for name in found if name.startswith("configmaps/")]
    assert of_kind[0] == "configmaps/golden-b/kube-root-ca.crt"
    assert "configmaps/golden-a/kube-root-ca.crt" in of_kind
    with tarfile.open(tmp_path / "backups" / "b" / "b.tar.gz") as tar:
        items = [json.load(tar.extractfile(path)) for path in tar.getnames() if "/configmaps/names" in path]  # type: ignore[arg-type]
    assert {item["metadata"]["annotations"]["seen-by"] for item in items} == {"b"}
    assert (len(items), outcome.results.entries()) == (len(of_kind), [])
    # A Namespace comes with what its lists had, not with what is pulled in from it.
    assert [name for name in found if name.startswith("namespaces/")] == ["namespaces/golden-a"]


class Totals(Observer):
    """Remembers what a run says of itself."""

    def __init__(self) -> None:
        self.totals: list[int] = []
        self.done = 0

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        self.totals.append(item_count)

    def expected(self, *, item_count: int) -> None:
        self.totals.append(item_count)

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        self.done = item_count


def test_the_total_grows_with_what_is_pulled_in_and_the_end_is_what_was_written(tmp_path: Path) -> None:
    observer = Totals()
    found, _, outcome = made(tmp_path, observer=observer, included_namespaces=("golden-a",))
    pulled_in = ("persistentvolumes", "clusterrole", "customresourcedefinitions", "priorityclasses")
    count = sum(name.startswith(pulled_in) for name in found)
    assert observer.totals == list(range(observer.totals[0], observer.totals[0] + count + 1))
    assert count == 5
    assert observer.done == outcome.backup.status.items_backed_up == outcome.digest.item_count == len(found)
    manifest = [entry["items"] for entry in outcome_manifest(tmp_path)["additional"]]
    assert sum(manifest) == count


def outcome_manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        gzip.decompress((folder / "backups" / "b" / "b-manifest.json.gz").read_bytes())
    )
    return document


class Calls:
    """Counts how often each Python function is entered."""

    def __init__(self) -> None:
        self.counts: Counter[CodeType] = Counter()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self.counts[frame.f_code] += 1


_MANY = 30_000


def test_items_that_nobody_asks_for_cost_no_python_call_each(tmp_path: Path) -> None:
    """Pods without claims in a backup whose actions want pods with claims: the engine looks, Python never hears."""
    kinds = ("pods", "persistentvolumeclaims", "serviceaccounts")
    per_kind = _MANY // len(kinds)
    selected = {"app": "new"}
    makers = {
        "pods": lambda name: pod(name, labels=selected),
        "persistentvolumeclaims": lambda name: item(name, labels=selected, spec={}, status={"phase": "Pending"}),
        "serviceaccounts": lambda name: item(name, labels=selected),
    }
    few = {f"{_ROOT}{kind}": [makers[kind](f"x{number:05}") for number in range(10)] for kind in kinds}
    many = {f"{_ROOT}{kind}": [makers[kind](f"x{number:05}") for number in range(per_kind)] for kind in kinds}
    spec = {"included_namespaces": ("golden-a",), "label_selector": {"matchLabels": selected}}
    counted: list[tuple[int, Counter[CodeType]]] = []
    for index, more in enumerate((few, few, many)):
        cluster = RecordedCluster(GOLDEN / "cluster", more=more)
        store = BackupStore(FilesystemStore(tmp_path), f"b{index}")
        for kind in kinds:  # so that the cluster's own work is not counted
            for limit in ("1", "500"):
                cluster.open(f"{_ROOT}{kind}", {"labelSelector": "app=new", "limit": limit})
        calls = Calls()
        threading.setprofile(calls)
        sys.setprofile(calls)
        try:
            outcome = run.make(backup(**spec), client=cluster.client, store=store)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        counted.append((outcome.digest.item_count, calls.counts))
    assert counted[2][0] - counted[1][0] == _MANY - 30
    more_often = counted[2][1] - counted[1][1]
    # What more bytes cost: a few calls for each chunk, page and part.
    assert [(code.co_qualname, count) for code, count in more_often.items() if count > 100] == []


def stored(folder: Path, path: str) -> bytes:
    with tarfile.open(folder / "backups" / "b" / "b.tar.gz") as tar:
        member = tar.extractfile(path)
        assert member is not None
        return member.read()


def test_a_claim_that_is_changed_keeps_the_digits_of_every_number(tmp_path: Path) -> None:
    big = 123456789012345678901234567890
    changed = claim("digits", "golden-pv-1")
    changed["spec"] |= {"dataSource": {"name": "old"}, "extension": {"big": big, "least": -(1 << 63) - 1}}
    more = {f"{_ROOT}persistentvolumeclaims": [changed]}
    made(tmp_path, cluster=RecordedCluster(GOLDEN / "cluster", more=more), included_namespaces=("golden-a",))
    text = stored(tmp_path, "resources/persistentvolumeclaims/namespaces/golden-a/digits.json")
    assert b"dataSource" not in text
    assert json.loads(text)["spec"]["extension"] == {"big": big, "least": -(1 << 63) - 1}


def test_a_held_item_that_is_nested_too_deeply_is_its_own_error_and_others_are_stored(tmp_path: Path) -> None:
    nested: dict[str, Any] = {}
    for _ in range(1_100):
        nested = {"a": nested}
    sick = claim("sick", "golden-pv-1")
    sick["spec"]["extension"] = nested
    more = {f"{_ROOT}persistentvolumeclaims": [sick, claim("well", "golden-pv-1")]}
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)  # for the recorded cluster's own JSON
    try:
        cluster = RecordedCluster(GOLDEN / "cluster", more=more)
        found, _, outcome = made(tmp_path, cluster=cluster, included_namespaces=("golden-a",))
    finally:
        sys.setrecursionlimit(limit)
    assert "persistentvolumeclaims/golden-a/well" in found
    errors = [(entry.resource, entry.name, entry.severity) for entry in outcome.results.entries()]
    assert errors == [("persistentvolumeclaims", "sick", "error")]


class _OneAfterTheOther(RecordedCluster):
    """Answers reads of volumes only when several are asked at once: a reader that waits for each never ends well."""

    at_once = 4

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.barrier = threading.Barrier(self.at_once, timeout=30)
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()

    def open(self, path: str, query: Mapping[str, str], *, accept: str = "", call: object = None) -> Any:
        if not path.endswith("/persistentvolumes"):
            return super().open(path, query, accept=accept, call=call)
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            self.barrier.wait()
            return super().open(path, query, accept=accept, call=call)
        finally:
            with self._lock:
                self._in_flight -= 1


def claims_and_volumes(count: int) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{_ROOT}persistentvolumeclaims": [claim(f"c{number:03}", f"v{number:03}") for number in range(count)],
        "/api/v1/persistentvolumes": [item(f"v{number:03}", namespace="") for number in range(count)],
    }


def test_volumes_of_claims_are_read_several_at_once_and_written_each_before_its_claim(tmp_path: Path) -> None:
    # One of the recorded claims has a volume too: with 59 more, and 4 at once, the barrier is passed 15 times.
    cluster = _OneAfterTheOther(GOLDEN / "cluster", more=claims_and_volumes(59))
    found, _, outcome = made(
        tmp_path,
        cluster=cluster,
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("persistentvolumeclaims",),
    )
    pairs = [(f"persistentvolumes/v{n:03}", f"persistentvolumeclaims/golden-a/c{n:03}") for n in range(59)]
    assert [name for name in found if "/c" in name or "/v" in name] == [name for pair in pairs for name in pair]
    assert cluster.most_in_flight <= 6
    assert outcome.results.entries() == []
    asked = [query["fieldSelector"] for path, query in cluster.asked if path == "/api/v1/persistentvolumes"]
    assert len(asked) == len(set(asked)) == 60


def test_what_was_read_ahead_and_refused_is_told_where_it_belongs(tmp_path: Path) -> None:
    cluster = RecordedCluster(
        GOLDEN / "cluster", more=claims_and_volumes(3), refused=frozenset({"/api/v1/persistentvolumes"})
    )
    found, _, outcome = made(
        tmp_path,
        cluster=cluster,
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("persistentvolumeclaims",),
    )
    assert [name for name in found if "claims" in name] == []
    entries = outcome.results.entries()
    assert [(entry.name, entry.error.partition(":")[0]) for entry in entries] == [
        (name, "GET /api/v1/persistentvolumes") for name in ("data", "c000", "c001", "c002")
    ]
