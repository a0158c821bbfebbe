"""Claims that Velero would snapshot as one VolumeGroupSnapshot, and that here have a snapshot each: that is told.

Velero since 1.17 takes the claims of a namespace that carry the label `spec.volumeGroupSnapshotLabelKey` with the same
value at one point in time (pvc_action.go of its CSI actions).
"""

from collections.abc import Collection, Mapping
from typing import Any

from pinnace.backup.snapshot_watch import CLAIMS
from pinnace.velero.backup import BackupSpec
from pinnace.velero.results import Results
from pinnace.velero.server_defaults import ServerDefaults

__all__ = ["VolumeGroups"]

_NAMED = 20
"""Claims that a warning names; more are counted."""


class VolumeGroups:
    """The groups of one run: about 100 bytes for each claim with the label."""

    def __init__(self, spec: BackupSpec) -> None:
        own = str(spec.others.get("volumeGroupSnapshotLabelKey") or "")
        self._label_key = own or ServerDefaults().volume_group_snapshot_label_key
        self._groups: dict[tuple[str, str], list[str]] = {}

    def add(self, claim: Mapping[str, Any]) -> None:
        """Note a claim whose snapshot was begun; without the label, or with no value, it is in no group."""
        metadata = claim["metadata"]
        if group := (metadata.get("labels") or {}).get(self._label_key):
            self._groups.setdefault((str(metadata["namespace"]), str(group)), []).append(str(metadata["name"]))

    def warn(self, taken: Collection[tuple[str, str]], *, results: Results) -> None:
        """Warn of each group of which two or more snapshots were `taken` (namespace, name of the claim).

        One by itself is at one point in time anyhow.
        """
        for (namespace, group), names in sorted(self._groups.items()):
            claims = sorted(name for name in names if (namespace, name) in taken)
            if len(claims) > 1:
                more = f" and {len(claims) - _NAMED} more" if len(claims) > _NAMED else ""
                results.add_warning(
                    f"the volume group {self._label_key}={group} was not taken as one, since VolumeGroupSnapshots are "
                    f"not there yet: {', '.join(claims[:_NAMED])}{more} have a snapshot each, of different moments and "
                    "not consistent with each other",
                    namespace=namespace,
                    resource=CLAIMS,
                )
