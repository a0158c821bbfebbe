"""Which Backups may come to take CSI snapshots, and so need the rights to: decided before anything runs."""

from collections.abc import Mapping
from typing import Any

from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import ResourceFilter

__all__ = ["may_take_csi_snapshots"]

_CLAIMS = "persistentvolumeclaims"
_NAMES_OF_CLAIMS = (_CLAIMS, "persistentvolumeclaim", "pvc")


def may_take_csi_snapshots(spec: Mapping[str, Any]) -> bool:
    """Tell whether a Backup takes claims and snapshots of them; `spec` must be a valid one."""
    if spec.get("snapshotVolumes") is False:
        return False
    chosen = ResourceFilter.from_spec(
        BackupSpec.from_document(spec),
        resolve=lambda name: _CLAIMS if name.lower() in _NAMES_OF_CLAIMS else name,
        namespaces_everything=False,
    )
    return chosen.includes(_CLAIMS, namespaced=True)
