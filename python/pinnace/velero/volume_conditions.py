"""The conditions of one volume policy: read strictly, and matched against a volume (internal/resourcepolicies)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.quantity import parse_quantity
from pinnace.velero.volume_facts import VolumeFacts

__all__ = ["VolumeConditions", "checked_mapping", "text_list", "text_map"]

_KEYS = frozenset({"capacity", "storageClass", "nfs", "csi", "volumeTypes", "pvcLabels", "pvcPhase"})
_PHASES = ("Pending", "Bound", "Lost")


@dataclass(frozen=True)
class VolumeConditions:
    """All must hold; what is not given holds. A capacity of 0 as upper bound is none; None of nfs and csi is any."""

    least_bytes: Decimal = Decimal(0)
    most_bytes: Decimal = Decimal(0)
    storage_classes: tuple[str, ...] = ()
    nfs: Mapping[str, str] | None = None
    csi_driver: str | None = None
    csi_attributes: Mapping[str, str] = field(default_factory=dict)
    volume_types: tuple[str, ...] = ()
    pvc_labels: Mapping[str, str] = field(default_factory=dict)
    pvc_phases: tuple[str, ...] = ()

    @classmethod
    def read(cls, document: Any, *, field: str) -> "VolumeConditions":
        """Read `conditions`, whose scalars are all texts; UsageError for an unknown key or a value of no use."""
        given = checked_mapping(document, _KEYS, field=field)
        least, most = _capacity(str(given.get("capacity") or ""), field=f"{field}.capacity")
        csi = given.get("csi")
        csi_document = checked_mapping(csi, {"driver", "volumeAttributes"}, field=f"{field}.csi")
        phases = text_list(given.get("pvcPhase"), field=f"{field}.pvcPhase")
        if unknown := [phase for phase in phases if phase not in _PHASES]:
            raise UsageError(f"{field}.pvcPhase: {unknown[0]!r} is no phase; give {', '.join(_PHASES)}")
        return cls(
            least_bytes=least,
            most_bytes=most,
            storage_classes=text_list(given.get("storageClass"), field=f"{field}.storageClass"),
            nfs=_optional(given.get("nfs"), {"server", "path"}, field=f"{field}.nfs"),
            csi_driver=None if _is_absent(csi) else str(csi_document.get("driver") or ""),
            csi_attributes=text_map(csi_document.get("volumeAttributes"), field=f"{field}.csi.volumeAttributes"),
            volume_types=text_list(given.get("volumeTypes"), field=f"{field}.volumeTypes"),
            pvc_labels=text_map(given.get("pvcLabels"), field=f"{field}.pvcLabels"),
            pvc_phases=phases,
        )

    def match(self, volume: VolumeFacts) -> bool:
        """Tell whether every condition holds for a volume; bounds of capacity are inclusive."""
        return (
            self.least_bytes <= volume.capacity_bytes
            and (not self.most_bytes or volume.capacity_bytes <= self.most_bytes)
            and (not self.storage_classes or volume.storage_class in self.storage_classes)
            and (not self.volume_types or volume.volume_type in self.volume_types)
            and (not self.pvc_phases or volume.pvc_phase in self.pvc_phases)
            and self.pvc_labels.items() <= dict(volume.pvc_labels).items()
            and self._matches_nfs(volume)
            and self._matches_csi(volume)
        )

    def _matches_nfs(self, volume: VolumeFacts) -> bool:
        if self.nfs is None:
            return True
        return volume.volume_type == "nfs" and all(
            not wanted or volume.source.get(key) == wanted for key, wanted in self.nfs.items()
        )

    def _matches_csi(self, volume: VolumeFacts) -> bool:
        if self.csi_driver is None:
            return True
        attributes = volume.source.get("volumeAttributes") or {}
        return (
            volume.volume_type == "csi"
            and self.csi_driver in ("", volume.csi_driver)
            and self.csi_attributes.items() <= attributes.items()
        )


def checked_mapping(document: Any, known: set[str] | frozenset[str], *, field: str) -> Mapping[str, Any]:
    """Give a mapping whose keys are all known, empty for what is absent; UsageError else."""
    if _is_absent(document):
        return {}
    if not isinstance(document, Mapping):
        raise UsageError(f"{field}: a mapping is wanted, not {document!r}")
    if unknown := sorted(set(document) - known):
        raise UsageError(f"{field}: {unknown[0]} is not known; known are {', '.join(sorted(known))}")
    return document


def text_list(value: Any, *, field: str) -> tuple[str, ...]:
    """Give a list of texts, empty for what is absent; UsageError else."""
    if _is_absent(value):
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{field}: a list of names is wanted, not {value!r}")
    return tuple(value)


def text_map(value: Any, *, field: str) -> Mapping[str, str]:
    """Give a mapping of texts, empty for what is absent; UsageError else."""
    if _is_absent(value):
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise UsageError(f"{field}: a mapping of texts is wanted, not {value!r}")
    return dict(value)


def _is_absent(value: Any) -> bool:
    return value is None or value == ""


def _optional(value: Any, known: set[str], *, field: str) -> Mapping[str, str] | None:
    return None if _is_absent(value) else text_map(checked_mapping(value, known, field=field), field=field)


def _capacity(text: str, *, field: str) -> tuple[Decimal, Decimal]:
    """Read `10Gi,100Gi`, `,10Gi` or `10Gi,`; 0 is no bound."""
    if not text:
        return Decimal(0), Decimal(0)
    bounds = [bound.strip() for bound in text.split(",")]
    if len(bounds) != 2 or not any(bounds):
        raise UsageError(f"{field}: {text!r} is no range such as '10Gi,100Gi', ',10Gi' or '10Gi,'")
    least, most = (parse_quantity(bound or "0", field=field) for bound in bounds)
    if most and least > most:
        raise UsageError(f"{field}: {text!r} begins above its end")
    return least, most
