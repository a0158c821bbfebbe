"""Why a backup of claims has no snapshots of their volumes, so that none is missed without a word. Pure."""

from dataclasses import dataclass

from pinnace.velero.backup import BackupSpec

__all__ = ["NOT_FROM_A_SHELL", "Untaken", "untaken"]

NOT_FROM_A_SHELL = (
    "a run from a shell takes none unless told, since they are made in the cluster and stay in its storage; add "
    "--snapshot-volumes"
)
"""Decision 16."""


@dataclass(frozen=True)
class Untaken:
    """The reason, and whether somebody should know of it who did not ask for it."""

    reason: str
    is_warning: bool

    def sentence(self, claim_count: int) -> str:
        """Say it of so many claims."""
        claims = "1 claim is stored" if claim_count == 1 else f"{claim_count} claims are stored"
        return f"{claims} without a snapshot of what is in the volumes: {self.reason}"


def untaken(
    spec: BackupSpec, *, serves_csi_snapshots: bool, takes_csi_snapshots: bool, has_locations: bool, refused: str = ""
) -> Untaken | None:
    """Give the reason; None where snapshots are taken, by CSI or at a location.

    `refused` is why who runs it has set `snapshotVolumes: false` in the user's place.
    """
    wanted = spec.others.get("snapshotVolumes")
    if wanted is False:
        # Where none could be taken anyway nothing was kept from the user.
        return Untaken(refused or "the Backup says snapshotVolumes: false", bool(refused) and serves_csi_snapshots)
    if has_locations or (serves_csi_snapshots and takes_csi_snapshots):
        return None
    if serves_csi_snapshots:
        return Untaken("CSI snapshots are off in this installation (--csi-snapshots off)", is_warning=True)
    reason = "the cluster has no kinds of CSI snapshots, and the Backup no VolumeSnapshotLocation"
    return Untaken(reason, is_warning=wanted is True)
