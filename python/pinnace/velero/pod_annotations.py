"""Annotations by which a pod asks for what this version does not do; a backup of it must say so.

The opt-in of pod volume backups. Velero takes an empty value as absent, and reads no volumes of a pod of phase
Succeeded or Failed. `backup.velero.io/backup-volumes-excludes` only excludes, and is no request.
"""

from collections.abc import Mapping

__all__ = ["UNMET_REQUESTS"]

_VOLUMES = "volumes are not backed up by this version"

UNMET_REQUESTS: Mapping[str, str] = {
    annotation: f"{_VOLUMES}: annotation {annotation}" for annotation in ("backup.velero.io/backup-volumes",)
}
"""The annotation and what the results say of a pod that carries it."""
