"""CSI snapshots of claims: each is begun when its claim comes, all are waited for together, and then archived.

A claim names its snapshot and the size that a volume made from it has, so it is written when that is known. Until then
it is kept as compressed JSON, about 1 kB each.
"""

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.backup.item_json import read_item, write_item
from pinnace.backup.item_stations import Additional, ItemArchive
from pinnace.backup.snapshot_watch import CLAIMS, BegunSnapshot, SnapshotTimeouts, SnapshotWatch
from pinnace.backup.volume_groups import VolumeGroups
from pinnace.errors import KubeError, VolumeError
from pinnace.velero.backup import Backup
from pinnace.velero.csi_items import restore_bytes, stored_claim
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp
from pinnace.velero.volume_documents import CsiSnapshot, VolumeInfo
from pinnace.volumes.csi_actions import SNAPSHOTS
from pinnace.volumes.csi_class import choose_class
from pinnace.volumes.csi_snapshots import CsiSnapshots
from pinnace.volumes.outcome import VolumeOutcome

__all__ = ["ClaimSnapshots"]

BackUp = Callable[[Sequence[ResourceIdentifier]], None]


class ClaimSnapshots:
    """All of one run. `keep`, then `release` end what is to stay; `discard` what is not."""

    def __init__(
        self,
        backup: Backup,
        snapshots: CsiSnapshots,
        outcome: VolumeOutcome,
        *,
        archive: ItemArchive,
        additional: Additional,
        results: Results,
        timeouts: SnapshotTimeouts,
        clock: Callable[[], datetime],
    ) -> None:
        self._backup = backup
        self._snapshots = snapshots
        self._outcome = outcome
        self._archive = archive
        self._additional = additional
        self._results = results
        self._watch = SnapshotWatch(snapshots, results=results, timeouts=timeouts)
        self._clock = clock
        self._classes: list[dict[str, Any]] | None = None
        self._stored_classes: set[str] = set()
        self._begun: dict[tuple[str, str], BegunSnapshot] = {}
        self._groups = VolumeGroups(backup.spec)

    def begin(self, claim: Mapping[str, Any], info: VolumeInfo, *, driver: str) -> None:
        """Make the snapshot of one claim, if it was not begun before; VolumeError or KubeError where it can't be."""
        key = _key(claim)
        if key in self._begun:
            return
        if self._classes is None:
            self._classes = self._snapshots.classes()
        chosen = choose_class(
            driver,
            self._classes,
            claim_annotations=claim["metadata"].get("annotations") or {},
            backup_annotations=self._backup.annotations,
        )
        for warning in chosen.warnings:
            self._results.add_warning(warning, namespace=key[0], resource=CLAIMS, name=key[1])
        if chosen.name not in self._stored_classes:
            self._stored_classes.add(chosen.name)
            self._outcome.classes.add(chosen.document)
        self._outcome.csi_attempted += 1
        document = self._snapshots.create(claim, class_name=chosen.name)
        name, uid = str(document["metadata"]["name"]), str(document["metadata"]["uid"])
        self._begun[key] = BegunSnapshot(name, uid, info, driver, self._clock(), time.monotonic())
        self._groups.add(claim)

    def defer(self, claim: Mapping[str, Any]) -> None:
        """Keep a claim whose snapshot was begun until it can be written."""
        self._begun[_key(claim)].claim = zlib.compress(write_item(claim))

    def wait_until_taken(self, claims: Sequence[tuple[str, str]]) -> None:
        """Wait until the storage has the snapshots of these claims (namespace, name), and what was frozen may go on."""
        self._watch.wait([self._begun[key] for key in claims if key in self._begun], lambda one: one.is_taken)

    def finish(self, back_up: BackUp) -> None:
        """Wait for all, and archive claims, snapshots, contents and classes."""
        wanted = [one for one in self._begun.values() if one.claim]
        self._watch.wait(wanted, lambda one: one.is_taken)
        for snapshot in wanted:
            if snapshot.is_taken:
                self._watch.told(snapshot, "Error labelling the VolumeSnapshotContent", self._label)
        self._groups.warn({one.claim_key for one in wanted if one.is_taken}, results=self._results)
        self._watch.wait(wanted, lambda one: one.is_ready)
        for snapshot in wanted:
            if snapshot.is_taken:
                self._watch.told(snapshot, "Error backing up the snapshot", lambda one: self._store(one, back_up))
            else:
                self._outcome.tell(replace(snapshot.info, method="CSISnapshot", started=timestamp(snapshot.began)))

    def keep(self) -> None:
        """Before the backup becomes visible: let the storage's snapshots outlive what stands for them here."""
        for snapshot in self._archived():
            self._watch.told(snapshot, "Error retaining the snapshot", self._keep)

    def release(self) -> list[str]:
        """After that: remove the objects; sentences about those that stay, which does no harm."""
        return self._each(self._archived(), self._release)

    def discard(self) -> list[str]:
        """Remove everything, because the backup failed; sentences about what stays, and is then paid for."""
        return self._each(list(self._begun.values()), self._watch.discard)

    def discard_leftovers(self) -> int:
        """Remove what an earlier attempt at this Backup left, and of this one what is in no backup."""
        return self._snapshots.discard_all(but=[one.uid for one in self._archived()])

    def _archived(self) -> list[BegunSnapshot]:
        return [one for one in self._begun.values() if one.is_archived]

    def _keep(self, snapshot: BegunSnapshot) -> None:
        self._snapshots.keep_beyond_cluster(snapshot.content_name)

    def _release(self, snapshot: BegunSnapshot) -> None:
        self._snapshots.release(snapshot.metadata, content_name=snapshot.content_name)

    def _label(self, snapshot: BegunSnapshot) -> None:
        self._snapshots.label_content(snapshot.content_name)

    def _store(self, snapshot: BegunSnapshot, back_up: BackUp) -> None:
        """Write the claim, then by `back_up` the snapshot with its content and class."""
        content = self._snapshots.content(snapshot.content_name)
        resource = self._additional.resource(CLAIMS)
        if content is None or resource is None:
            raise VolumeError(reason=f"VolumeSnapshotContent {snapshot.content_name} is gone")
        least_bytes, info = restore_bytes(content), snapshot.info
        claim = stored_claim(
            read_item(zlib.decompress(snapshot.claim)),
            snapshot_name=snapshot.name,
            backup_name=self._backup.name,
            least_bytes=least_bytes,
        )
        snapshot.is_archived = True
        self._archive.add_item(resource, write_item(claim))
        back_up([ResourceIdentifier(SNAPSHOTS, info.pvc_namespace, snapshot.name)])
        ended = CsiSnapshot(
            namespace=info.pvc_namespace,
            name=snapshot.name,
            content_name=snapshot.content_name,
            handle=str(content["status"]["snapshotHandle"]),
            driver=snapshot.driver,
            restore_bytes=least_bytes,
            started=timestamp(snapshot.began),
            completed=timestamp(self._clock()),
            error=snapshot.error,
        )
        self._outcome.csi.append(ended)
        self._outcome.tell(ended.info_of(info))

    def _each(self, wanted: Sequence[BegunSnapshot], act: Callable[[BegunSnapshot], None]) -> list[str]:
        sentences = []
        for snapshot in wanted:
            try:
                act(snapshot)
            except KubeError as error:
                place = f"{snapshot.info.pvc_namespace}/{snapshot.name}"
                sentences.append(f"VolumeSnapshot {place}: {error}")
        return sentences


def _key(claim: Mapping[str, Any]) -> tuple[str, str]:
    return str(claim["metadata"]["namespace"]), str(claim["metadata"]["name"])
