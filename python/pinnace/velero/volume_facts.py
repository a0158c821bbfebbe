"""What rules about volumes look at: the few fields of a PersistentVolume and its claim that decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.quantity import parse_quantity

__all__ = ["VolumeFacts", "pod_volumes", "volume_zone"]

_SOURCES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
    "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)  # fmt: skip
"""The fields of a PersistentVolume's spec that say where its data is (core/v1 PersistentVolumeSource)."""

_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


_NEVER_AS_FILES = ("hostPath", "secret", "configMap", "projected", "downwardAPI", "persistentVolumeClaim", "")
"""Volumes of pods that are no data of their own; claims are asked about as claims."""


@dataclass(frozen=True)
class VolumeFacts:
    """One volume; `source` is the field of the spec that `volume_type` names, empty where there is none."""

    capacity_bytes: Decimal = Decimal(0)
    storage_class: str = ""
    volume_type: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    pvc_labels: Mapping[str, str] = field(default_factory=dict)
    pvc_phase: str = ""

    @classmethod
    def of(cls, volume: Mapping[str, Any] | None, claim: Mapping[str, Any] | None) -> "VolumeFacts":
        """Read a PersistentVolume and its PersistentVolumeClaim; either may be missing."""
        spec = (volume or {}).get("spec") or {}
        volume_type = next((name for name in _SOURCES if isinstance(spec.get(name), Mapping)), "")
        return cls(
            capacity_bytes=_bytes(str((spec.get("capacity") or {}).get("storage") or "0")),
            storage_class=str(
                spec.get("storageClassName") or ((claim or {}).get("spec") or {}).get("storageClassName") or ""
            ),
            volume_type=volume_type,
            source=spec.get(volume_type) or {},
            pvc_labels=((claim or {}).get("metadata") or {}).get("labels") or {},
            pvc_phase=str(((claim or {}).get("status") or {}).get("phase") or ""),
        )

    @property
    def csi_driver(self) -> str:
        """The CSI driver, or ""."""
        return str(self.source.get("driver") or "") if self.volume_type == "csi" else ""


def pod_volumes(pod: Mapping[str, Any]) -> Iterator[tuple[str, VolumeFacts]]:
    """Name a pod's volumes of which files could be backed up, those of claims aside; `volume_type` is their field."""
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        name = str(volume.get("name") or "")
        volume_type = next((key for key in volume if key != "name"), "")
        if volume_type not in _NEVER_AS_FILES and not name.startswith("default-token"):
            yield name, VolumeFacts(volume_type=volume_type, source=volume.get(volume_type) or {})


def volume_zone(volume: Mapping[str, Any]) -> str:
    """Give the zone in which a PersistentVolume is, or "": by label, else by its node affinity (item_backupper.go)."""
    labels = volume["metadata"].get("labels") or {}
    for label in _ZONE_LABELS:
        if labels.get(label):
            return str(labels[label])
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for expression in term.get("matchExpressions") or ():
            is_zone = expression.get("key") in _ZONE_LABELS or str(expression.get("key")).endswith("/zone")
            if is_zone and expression.get("operator") == "In" and expression.get("values"):
                return str(expression["values"][0])
    return ""


def _bytes(text: str) -> Decimal:
    try:
        return parse_quantity(text, field="capacity")
    except UsageError:
        return Decimal(0)  # the API server has checked it; what it newly allows decides nothing here
