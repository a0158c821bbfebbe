"""Annotations by which a pod asks for what this version does not do; a backup of it must say so.

Hooks: internal/hook/item_hook_handler.go; volumes: the opt-in of pod volume backups. Velero takes an empty value as
absent, and neither runs hooks in a pod of phase Succeeded or Failed nor reads its volumes.
`backup.velero.io/backup-volumes-excludes` only excludes, and is no request.
"""

from collections.abc import Mapping

__all__ = ["UNMET_REQUESTS"]

_HOOKS = "hooks are not run by this version"
_VOLUMES = "volumes are not backed up by this version"

UNMET_REQUESTS: Mapping[str, str] = {
    annotation: f"{not_done}: annotation {annotation}"
    for annotation, not_done in (
        ("pre.hook.backup.velero.io/command", _HOOKS),
        ("post.hook.backup.velero.io/command", _HOOKS),
        # Without a phase it is a pre hook.
        ("hook.backup.velero.io/command", _HOOKS),
        ("backup.velero.io/backup-volumes", _VOLUMES),
    )
}
"""The annotation and what the results say of a pod that carries it."""
