"""What is done with an item's volumes: policies decide, CSI snapshots are made of claims, native ones of volumes.

As in Velero a CSI volume is snapshotted through its claim where the cluster has the kinds of snapshots, and any other
by the first VolumeSnapshotLocation that knows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.backup.claim_snapshots import ClaimSnapshots
from pinnace.backup.item_json import read_item
from pinnace.backup.item_stations import ADDITIONAL_NOT_FOUND, Additional
from pinnace.backup.log import VeleroLog
from pinnace.backup.snapshot_watch import CLAIMS
from pinnace.backup.unmet_requests import UnmetRequests
from pinnace.engine import Hold
from pinnace.errors import KubeError, VolumeError
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL
from pinnace.velero.pod_annotations import FS_BACKUP_UNSUPPORTED
from pinnace.velero.resource_policies import Action, ResourcePolicies
from pinnace.velero.results import Results
from pinnace.velero.volume_documents import VolumeInfo
from pinnace.velero.volume_facts import VolumeFacts, pod_volumes
from pinnace.volumes.native import NativeSnapshots
from pinnace.volumes.outcome import VolumeOutcome

__all__ = ["VolumeStation"]

VOLUMES = "persistentvolumes"
_PODS = "pods"
_FEW_VOLUMES = 16
_ENDED = ("Succeeded", "Failed")
_BY_POLICY = f"{FS_BACKUP_UNSUPPORTED}; the resource policy asks for it"


class VolumeStation:
    """An ItemVolumes. `claims` is None where no CSI snapshot may be taken, `native` is empty without locations.

    Without `takes_claims` the Backup's filters leave claims out.
    `is_hooked` tells of a pod whose post hooks must wait until the storage has the snapshots of its claims.
    """

    def __init__(
        self,
        *,
        policies: ResourcePolicies,
        claims: ClaimSnapshots | None,
        native: NativeSnapshots,
        outcome: VolumeOutcome,
        additional: Additional,
        takes_snapshots: bool = True,
        takes_claims: bool = True,
        is_hooked: Callable[[Mapping[str, Any]], bool] = lambda _: False,
    ) -> None:
        self._policies = policies
        self._claims = claims
        self._native = native
        self._outcome = outcome
        self._additional = additional
        self._takes_snapshots = takes_snapshots
        self._takes_claims = takes_claims
        self._is_hooked = is_hooked
        self._unmet = UnmetRequests()
        self._last_volumes: dict[str, dict[str, Any]] = {}
        self._missing: set[str] = set()

    def hold(self, group_resource: str) -> Hold:
        """Claims that are bound, volumes where a location may know them, pods where a policy is about their volumes."""
        if group_resource == CLAIMS and (self._claims is not None or self._policies.volume_policies):
            return Hold(paths=frozenset({("spec", "volumeName")}))
        if group_resource == VOLUMES and self._native:
            return Hold(everything=True)
        if group_resource == _PODS and self._policies.asks_for("fs-backup"):
            return self._unmet.hold(_PODS) | Hold(paths=frozenset({("spec", "volumes")}))
        return self._unmet.hold(group_resource)

    def back_up(self, group_resource: str, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Begin the snapshot of one item; a claim with one is written in `finish`, which is False here too."""
        try:
            match group_resource:
                case "persistentvolumeclaims":
                    return self._back_up_claim(item, results=results, log=log)
                case "persistentvolumes":
                    self._remember(item)
                    return self._back_up_volume(item)
                case "pods":
                    self._unmet.back_up(group_resource, item, results=results, log=log)
                    self._back_up_pod(item, results=results, log=log)
        except VolumeError as error:
            _add_error(results, group_resource, item, str(error))
            return False
        return True

    def finish(self, back_up: Callable[[Sequence[ResourceIdentifier]], None]) -> None:
        """Wait for all snapshots, and archive them with their claims."""
        if self._claims is not None:
            self._claims.finish(back_up)

    def _back_up_claim(self, claim: Mapping[str, Any], *, results: Results, log: VeleroLog) -> bool:
        is_begun = self._begin(claim, results=results, log=log)
        if self._claims is None or not is_begun:
            return True
        self._claims.defer(claim)
        return False

    def _begin(self, claim: Mapping[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Begin the snapshot of a claim's volume if it is to have one by CSI, and say else why not."""
        namespace, name = str(claim["metadata"]["namespace"]), str(claim["metadata"]["name"])
        volume = self._volume_of(claim)
        if volume is None:
            self._tell_missing(claim, results=results)
            return False
        facts = VolumeFacts.of(volume, claim)
        info = volume_info(volume, namespace=namespace, name=name)
        reason = self._skip_by_policy(self._policies.action(facts), claim, results=results)
        if not reason and not self._takes_snapshots:
            reason = "the Backup takes no snapshots of volumes"
        if not reason and not facts.csi_driver and not self._native:
            reason = f"volumes of type {facts.volume_type} have no snapshots by CSI, and no location is used"
        if reason:
            log.info("Skipping the volume", namespace=namespace, resource=CLAIMS, name=name, reason=reason)
            self._outcome.tell(replace(info, skipped_reason=reason))
        if reason or self._claims is None or not facts.csi_driver:
            return False
        if not (claim.get("spec") or {}).get("storageClassName"):
            raise VolumeError(reason=f"Cannot snapshot PVC {namespace}/{name}, PVC has no storage class.")
        self._claims.begin(claim, info, driver=facts.csi_driver)
        return True

    def _skip_by_policy(self, action: Action | None, item: Mapping[str, Any], *, results: Results) -> str:
        """Give why a policy leaves a volume without snapshot, or ""; what asks for more is an error or a warning."""
        if action is None or action.type == "snapshot":
            return ""
        if action.type == "fs-backup":
            _add_error(results, CLAIMS, item, _BY_POLICY)
            return FS_BACKUP_UNSUPPORTED
        if action.type == "custom":
            metadata = item["metadata"]
            sentence = "the resource policy leaves the volume to a custom action, which pinnace does not know"
            results.add_warning(sentence, namespace=metadata["namespace"], resource=CLAIMS, name=metadata["name"])
            return "the resource policy has a custom action"
        return "the resource policy skips it"

    def _back_up_volume(self, volume: Mapping[str, Any]) -> bool:
        """Take the native snapshot of a PersistentVolume that no claim's snapshot by CSI stands for."""
        facts = VolumeFacts.of(volume, None)
        if not self._native or (self._claims is not None and facts.csi_driver):
            return True
        reference = (volume.get("spec") or {}).get("claimRef") or {}
        namespace, name = str(reference.get("namespace") or ""), str(reference.get("name") or "")
        claim = self._read(CLAIMS, namespace, name) if name and self._policies.volume_policies else None
        info = volume_info(volume, namespace=namespace, name=name)
        action = self._policies.action(VolumeFacts.of(volume, claim))
        if action is not None and action.type != "snapshot":
            self._outcome.tell(replace(info, skipped_reason="the resource policy says so"))
            return True
        try:
            taken = self._native.take(volume)
        except VolumeError as error:
            raise VolumeError(reason=f"error taking snapshot of volume: {error}") from error
        finally:
            self._outcome.native = list(self._native.snapshots)
        if taken is None:
            self._outcome.tell(replace(info, skipped_reason="no VolumeSnapshotLocation of the Backup knows the volume"))
        else:
            self._outcome.tell(taken.info_of(info))
        return True

    def _back_up_pod(self, pod: Mapping[str, Any], *, results: Results, log: VeleroLog) -> None:
        """Name volumes that a policy wants as files, and snapshot those of a pod whose hooks are to wrap that."""
        if (pod.get("status") or {}).get("phase") in _ENDED:
            return
        for name, facts in pod_volumes(pod):
            action = self._policies.action(facts)
            if action is not None and action.type == "fs-backup":
                _add_error(results, _PODS, pod, f"volume {name}: {_BY_POLICY}")
        if self._claims is None or not self._takes_snapshots or not self._is_hooked(pod):
            return
        namespace = str(pod["metadata"]["namespace"])
        names = claim_names(pod)
        for name in names:
            claim = self._read(CLAIMS, namespace, name)
            if claim is not None and self._takes_claim(claim):
                try:
                    self._begin(claim, results=results, log=log)
                except (VolumeError, KubeError) as error:
                    log.info("The snapshot is begun with its claim", namespace=namespace, name=name, reason=str(error))
        self._claims.wait_until_taken([(namespace, name) for name in names])

    def _takes_claim(self, claim: Mapping[str, Any]) -> bool:
        """Tell whether a claim will come: what is in no backup must not be snapshotted for it."""
        labels = claim["metadata"].get("labels") or {}
        return self._takes_claims and labels.get(EXCLUDE_FROM_BACKUP_LABEL) != "true"

    def _volume_of(self, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        name = _volume_name(claim)
        if not name:
            return None
        return self._last_volumes.get(name) or self._read(VOLUMES, "", name)

    def _tell_missing(self, claim: Mapping[str, Any], *, results: Results) -> None:
        """Warn of a bound claim's volume that is not there, and so has no snapshot; where it is an additional item the
        item backupper does."""
        name = _volume_name(claim)
        if name and name not in self._missing and not self._additional.is_fetched(VOLUMES):
            self._missing.add(name)
            results.add_warning(ADDITIONAL_NOT_FOUND, namespace="", resource=VOLUMES, name=name)

    def _remember(self, volume: dict[str, Any]) -> None:
        """Keep the last few: a claim pulls its volume in just before it is asked about itself."""
        self._last_volumes[str(volume["metadata"]["name"])] = volume
        if len(self._last_volumes) > _FEW_VOLUMES:
            del self._last_volumes[next(iter(self._last_volumes))]

    def _read(self, group_resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        if self._additional.resource(group_resource) is None:
            return None
        held = self._additional.fetch(ResourceIdentifier(group_resource, namespace, name), at_newest=False)
        return None if held is None else read_item(held.json)


def _volume_name(claim: Mapping[str, Any]) -> str:
    """Name the volume of a claim; "" of one that is not bound."""
    name = str((claim.get("spec") or {}).get("volumeName") or "")
    return name if (claim.get("status") or {}).get("phase") == "Bound" else ""


def claim_names(pod: Mapping[str, Any]) -> list[str]:
    """Name the claims of a pod's volumes."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    claims = [(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in volumes]
    return [str(name) for name in claims if name]


def volume_info(volume: Mapping[str, Any], *, namespace: str, name: str) -> VolumeInfo:
    """What is said of a volume in any case."""
    return VolumeInfo(
        pvc_name=name,
        pvc_namespace=namespace,
        pv_name=str(volume["metadata"]["name"]),
        reclaim_policy=str((volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") or ""),
        pv_labels=volume["metadata"].get("labels") or {},
    )


def _add_error(results: Results, group_resource: str, item: Mapping[str, Any], error: str) -> None:
    metadata = item["metadata"]
    results.add_error(
        "Error backing up item",
        namespace=metadata.get("namespace") or "",
        resource=group_resource,
        name=metadata["name"],
        error=error,
    )
