"""Which items the station of volumes asks for, and what it does with a pod, a claim and a volume."""

import json
from typing import Any, cast

import pytest

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.backup.claim_snapshots import ClaimSnapshots
from pinnace.backup.item_stations import Additional
from pinnace.backup.log import VeleroLog
from pinnace.backup.volume_station import VolumeStation
from pinnace.engine import NOTHING_HELD, HeldItem, Hold, read_items
from pinnace.errors import KubeError, VolumeError
from pinnace.kube.discovery import ApiResource
from pinnace.velero.backup import Backup
from pinnace.velero.resource_policies import Action, ResourcePolicies, VolumePolicy
from pinnace.velero.results import Results
from pinnace.velero.volume_conditions import VolumeConditions
from pinnace.velero.volume_documents import VolumeInfo
from pinnace.volumes.native import NativeSnapshots
from pinnace.volumes.outcome import VolumeOutcome

_CLAIMS, _VOLUMES = "persistentvolumeclaims", "persistentvolumes"
_ASKS = ("metadata", "annotations", "backup.velero.io/backup-volumes")


class SilentLog:
    """Takes what is told it."""

    def info(self, message: str, **fields: Any) -> None:
        pass


class Items:
    """Items that can be fetched, by kind and name; those that are missing are not there."""

    def __init__(self, **items: dict[str, Any]) -> None:
        self._items = items
        self.fetched: list[str] = []
        self.pulls_in = False

    def resource(self, group_resource: str) -> ApiResource:
        return ApiResource("", "v1", "Any", group_resource, namespaced=group_resource == _CLAIMS)

    def is_fetched(self, group_resource: str) -> bool:
        return self.pulls_in

    def fetch(self, wanted: ResourceIdentifier, *, at_newest: bool) -> HeldItem | None:
        self.fetched.append(wanted.name)
        if wanted.name not in self._items:
            return None
        body = json.dumps({"items": [self._items[wanted.name]]}).encode()
        return read_items(body, request="", api_version="v1", kind="Any")[0]


class Recorder:
    """In the place of ClaimSnapshots: what is asked of it, in order."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[str] = []
        self._error = error

    def begin(self, claim: dict[str, Any], info: VolumeInfo, *, driver: str) -> None:
        if self._error is not None:
            raise self._error
        self.seen.append(f"begin {claim['metadata']['name']} of {info.pv_name} by {driver}")

    def defer(self, claim: dict[str, Any]) -> None:
        self.seen.append(f"defer {claim['metadata']['name']}")

    def wait_until_taken(self, claims: list[tuple[str, str]]) -> None:
        self.seen.append(f"wait {claims}")


def policy(action: str, **conditions: Any) -> ResourcePolicies:
    read = VolumeConditions.read(conditions, field="conditions")
    return ResourcePolicies((VolumePolicy(read, Action(action)),))


def claim(name: str = "data", *, phase: str = "Bound", labels: Any = None, **spec: Any) -> dict[str, Any]:
    wanted = {"volumeName": f"pv-{name}", "storageClassName": "fast", **spec}
    metadata = {"name": name, "namespace": "shop", "labels": labels or {}}
    return {"metadata": metadata, "spec": wanted, "status": {"phase": phase}}


def volume(name: str = "data", **source: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"pv-{name}"}, "spec": source or {"csi": {"driver": "d"}}}


def pod(*volumes: dict[str, Any], phase: str = "Running", **annotations: str) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "shop", "annotations": annotations}
    return {"metadata": metadata, "spec": {"volumes": list(volumes)}, "status": {"phase": phase}}


class Station:
    """A station and all that it was given."""

    def __init__(
        self, *, claims: Recorder | None = None, policies: ResourcePolicies | None = None, items: Items | None = None,
        is_hooked: bool = False, native: Any = (),
    ) -> None:  # fmt: skip
        self.items, self.results, self.outcome = items or Items(), Results(), VolumeOutcome()
        self.station = VolumeStation(
            policies=policies or ResourcePolicies(),
            claims=cast(ClaimSnapshots | None, claims),
            native=NativeSnapshots(Backup("b"), native, now=lambda: "now"),
            outcome=self.outcome,
            additional=cast(Additional, self.items),
            is_hooked=lambda _: is_hooked,
        )

    def back_up(self, group_resource: str, item: dict[str, Any]) -> bool:
        log = cast(VeleroLog, SilentLog())
        return self.station.back_up(group_resource, item, results=self.results, log=log)

    @property
    def told(self) -> list[str]:
        return [f"{entry.resource} {entry.name}: {entry.error or entry.message}" for entry in self.results.entries()]

    @property
    def reasons(self) -> list[str]:
        return [info.skipped_reason for info in self.outcome.infos]


_NATIVE = [("l", cast(Any, None))]


@pytest.mark.parametrize(
    ("station", "holds"),
    [
        (Station(), {_CLAIMS: NOTHING_HELD, _VOLUMES: NOTHING_HELD, "pods": Hold(paths=frozenset({_ASKS}))}),
        (
            Station(claims=Recorder()),
            {_CLAIMS: Hold(paths=frozenset({("spec", "volumeName")})), _VOLUMES: NOTHING_HELD},
        ),
        (Station(native=_NATIVE), {_CLAIMS: NOTHING_HELD, _VOLUMES: Hold(everything=True)}),
        (Station(policies=policy("skip")), {_CLAIMS: Hold(paths=frozenset({("spec", "volumeName")}))}),
        (Station(policies=policy("fs-backup")), {"pods": Hold(paths=frozenset({_ASKS, ("spec", "volumes")}))}),
    ],
)
def test_only_what_something_asks_for_is_held(station: Station, holds: dict[str, Hold]) -> None:
    assert {kind: station.station.hold(kind) for kind in holds} == holds
    assert station.station.hold("configmaps") == NOTHING_HELD


def test_a_claim_of_a_csi_volume_is_begun_and_written_later() -> None:
    claims = Recorder()
    station = Station(claims=claims, items=Items(**{"pv-data": volume()}))
    assert station.back_up(_CLAIMS, claim()) is False
    assert (claims.seen, station.told) == (["begin data of pv-data by d", "defer data"], [])


def test_a_volume_that_came_just_before_is_not_read_again() -> None:
    station = Station(claims=Recorder())
    assert station.back_up(_VOLUMES, volume()) is True
    assert station.back_up(_CLAIMS, claim()) is False
    assert station.items.fetched == []


@pytest.mark.parametrize(
    ("wanted", "source", "policies", "told", "reasons"),
    [
        (claim(phase="Pending"), None, None, [], []),
        (claim(volumeName=""), None, None, [], []),
        (
            claim(),
            volume(nfs={"server": "s"}),
            None,
            [],
            ["volumes of type nfs have no snapshots by CSI, and no location is used"],
        ),
        (claim(), volume(), policy("skip"), [], ["the resource policy skips it"]),
        (
            claim(labels={"a": "b"}),
            volume(),
            policy("fs-backup", pvcLabels={"a": "b"}),
            [f"{_CLAIMS} data: file-system backup of volumes is not there yet; the resource policy asks for it"],
            ["file-system backup of volumes is not there yet"],
        ),
        (
            claim(),
            volume(),
            policy("custom"),
            [f"{_CLAIMS} data: the resource policy leaves the volume to a custom action, which pinnace does not know"],
            ["the resource policy has a custom action"],
        ),
    ],
)
def test_a_claim_without_a_snapshot_is_stored_and_its_volume_has_the_reason(
    wanted: dict[str, Any], source: Any, policies: ResourcePolicies | None, told: list[str], reasons: list[str]
) -> None:
    claims = Recorder()
    station = Station(claims=claims, policies=policies, items=Items(**({"pv-data": source} if source else {})))
    assert station.back_up(_CLAIMS, wanted) is True
    assert (claims.seen, station.told, station.reasons) == ([], told, reasons)


@pytest.mark.parametrize("is_hooked", [False, True])
def test_a_claims_volume_that_is_not_there_is_one_warning_also_where_volumes_are_listed(is_hooked: bool) -> None:
    station = Station(claims=Recorder(), items=Items(data=claim(), more=claim("more")), is_hooked=is_hooked)
    station.back_up("pods", pod({"name": "d", "persistentVolumeClaim": {"claimName": "data"}}))
    assert [station.back_up(_CLAIMS, claim()), station.back_up(_CLAIMS, claim("more"))] == [True, True]
    not_found = "Additional item was not found in Kubernetes API, can't back it up"
    assert station.told == [f"{_VOLUMES} pv-data: {not_found}", f"{_VOLUMES} pv-more: {not_found}"]
    # Where it is read as an additional item, that is where it is told.
    station.items.pulls_in = True
    assert (station.back_up(_CLAIMS, claim("third")), len(station.told)) == (True, 2)


@pytest.mark.parametrize(
    ("wanted", "claims", "error"),
    [
        (claim(storageClassName=""), Recorder(), "Cannot snapshot PVC shop/data, PVC has no storage class."),
        (claim(), Recorder(VolumeError(reason="no class")), "no class"),
    ],
)
def test_a_claim_whose_snapshot_can_not_be_begun_is_an_error_and_not_stored(
    wanted: dict[str, Any], claims: Recorder, error: str
) -> None:
    station = Station(claims=claims, items=Items(**{"pv-data": volume()}))
    assert station.back_up(_CLAIMS, wanted) is False
    assert station.told == [f"{_CLAIMS} data: {error}"]


def test_a_policy_names_the_volumes_of_pods_that_it_wants_as_files() -> None:
    station = Station(policies=policy("fs-backup", volumeTypes=["emptyDir", "nfs", "secret"]))
    volumes = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "share", "nfs": {"server": "s"}},
        {"name": "key", "secret": {"secretName": "k"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "default-token-x", "emptyDir": {}},
    ]
    assert station.back_up("pods", pod(*volumes, **{"backup.velero.io/backup-volumes": "tmp"})) is True
    unsupported = "file-system backup of volumes is not there yet"
    assert station.told == [
        f"pods p: {unsupported}: annotation backup.velero.io/backup-volumes",
        f"pods p: volume tmp: {unsupported}; the resource policy asks for it",
        f"pods p: volume share: {unsupported}; the resource policy asks for it",
    ]
    ended = Station(policies=policy("fs-backup"))
    assert ended.back_up("pods", pod(*volumes, phase="Succeeded")) is True
    assert ended.told == []


def test_a_pod_with_hooks_waits_until_the_storage_has_its_volumes() -> None:
    claims = Recorder()
    items = Items(data=claim(), logs=claim("logs"), **{"pv-data": volume(), "pv-logs": volume("logs")})
    station = Station(claims=claims, items=items, is_hooked=True)
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("data", "logs", "gone")]
    assert station.back_up("pods", pod(*volumes)) is True
    assert claims.seen == [
        "begin data of pv-data by d",
        "begin logs of pv-logs by d",
        "wait [('shop', 'data'), ('shop', 'logs'), ('shop', 'gone')]",
    ]
    hidden = Station(claims=Recorder(), items=Items(data=claim(labels={"velero.io/exclude-from-backup": "true"})))
    assert hidden.back_up("pods", pod(volumes[0])) is True
    plain = Recorder()
    assert Station(claims=plain, items=items).back_up("pods", pod(*volumes)) is True
    assert plain.seen == []


def test_a_refusal_on_the_way_to_a_hooked_pods_snapshot_is_told_when_its_claim_comes() -> None:
    refusal = KubeError(request="POST volumesnapshots", status=403, reason="forbidden")
    items = Items(data=claim(), **{"pv-data": volume()})
    station = Station(claims=Recorder(refusal), items=items, is_hooked=True)
    assert station.back_up("pods", pod({"name": "d", "persistentVolumeClaim": {"claimName": "data"}})) is True
    assert station.told == []
    with pytest.raises(KubeError):
        station.back_up(_CLAIMS, claim())
