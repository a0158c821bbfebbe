"""What became of volumes, as `velero backup describe` says it: operations, snapshots, and which volumes have none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pinnace.backup.description import Description
from pinnace.cli import human

__all__ = ["operation_lines", "volume_lines"]

_MORE = "specify --details for more information"
Document = Mapping[str, Any]


def operation_lines(description: Description, *, details: bool) -> Iterator[str]:
    """Give the asynchronous operations of a backup that has some: their counts, or each."""
    status = description.backup["status"]
    if not (attempted := status.get("backupItemOperationsAttempted")):
        return
    if not details:
        completed, failed = (status.get(f"backupItemOperations{end}", 0) for end in ("Completed", "Failed"))
        yield f"Backup Item Operations:  {completed} of {attempted} completed successfully, {failed} failed ({_MORE})"
        yield ""
        return
    yield "Backup Item Operations:" + ("" if description.item_operations else "  <not there>")
    for operation in description.item_operations or ():
        yield from _operation(operation)
    yield ""


def _operation(operation: Document) -> Iterator[str]:
    spec, status = operation.get("spec") or {}, operation.get("status") or {}
    yield f"  Operation for {_identifier(spec.get('resourceIdentifier') or {})}:"
    yield f"    Backup Item Action Plugin:  {spec.get('backupItemAction')}"
    yield f"    Operation ID:               {spec.get('operationID')}"
    if items := spec.get("postOperationItems"):
        yield "    Items to Update:"
        yield from (f"      {_identifier(item)}" for item in items)
    pairs = {
        "Phase": status.get("phase"),
        "Operation Error": status.get("error"),
        "Progress description": status.get("description"),
        **{key.title(): human.created_at(str(status.get(key) or "")) for key in ("created", "started", "updated")},
    }
    yield from (f"    {key + ':':26}  {value}" for key, value in pairs.items() if value)


def _identifier(identifier: Document) -> str:
    kind = ".".join(filter(None, (identifier.get("Resource"), identifier.get("Group"))))
    return f"{kind} {identifier.get('Namespace') or ''}/{identifier.get('Name')}"


def volume_lines(description: Description, *, details: bool) -> Iterator[str]:
    """Give native snapshots, snapshots by CSI, file-system backups, and the volumes without any, with the reason."""
    infos, is_legacy = description.volume_infos, description.volume_infos is None
    if infos is None:
        infos = [_legacy(snapshot) for snapshot in description.volume_snapshots or ()]
    yield "Backup Volumes:"
    yield from _snapshots("Velero-Native Snapshots", _of(infos, "NativeSnapshot"), _native, details=details)
    yield ""
    unknown = "<none included or not detectable>" if is_legacy else "<none included>"
    yield from _snapshots("CSI Snapshots", _of(infos, "CSISnapshot"), _csi, details=details, none=unknown)
    yield ""
    yield from _pod_volumes(description.pod_volume_backups or (), details=details)
    if skipped := [info for info in infos if not info.get("backupMethod")]:
        yield ""
        yield f"  Without a snapshot: {human.counted(len(skipped), 'volume')}" + ("" if details else f", {_MORE}")
        yield from (f"    {_name(info)}: {info.get('skippedReason') or 'skipped'}" for info in skipped if details)


def _of(infos: Sequence[Document], method: str) -> list[Document]:
    return [info for info in infos if info.get("backupMethod") == method]


def _snapshots(
    title: str,
    infos: Sequence[Document],
    pairs_of: "Any",
    *,
    details: bool,
    none: str = "<none included>",
) -> Iterator[str]:
    if not infos:
        yield f"  {title}: {none}"
        return
    yield f"  {title}:"
    for info in infos:
        if not details:
            yield f"    {_name(info)}: {info.get('result') or 'included'}, {_MORE}"
            continue
        pairs = {**pairs_of(info), "Result": info.get("result")}
        yield f"    {_name(info)}:"
        yield from (f"      {key}: {value}" for key, value in pairs.items() if value not in (None, ""))


def _native(info: Document) -> Document:
    detail = info.get("nativeSnapshotInfo") or {}
    return {
        "Snapshot ID": detail.get("snapshotHandle"),
        "Type": detail.get("volumeType"),
        "Availability Zone": detail.get("volumeAZ"),
        "IOPS": detail.get("iops"),
    }


def _csi(info: Document) -> Document:
    detail, moved = info.get("csiSnapshotInfo") or {}, info.get("snapshotDataMovementInfo") or {}
    pairs = {
        "Operation ID": detail.get("operationID"),
        "Snapshot Content Name": detail.get("vscName"),
        "Storage Snapshot ID": detail.get("snapshotHandle"),
        "Snapshot Size (bytes)": detail.get("size"),
        "CSI Driver": detail.get("driver"),
    }
    if info.get("snapshotDataMoved"):
        pairs |= {"Data Mover": moved.get("dataMover") or "velero", "Moved data Size (bytes)": moved.get("size")}
    return pairs


def _pod_volumes(backups: Sequence[Document], *, details: bool) -> Iterator[str]:
    if not backups:
        yield "  Pod Volume Backups: <none included>"
        return
    uploader = (backups[0].get("spec") or {}).get("uploaderType") or "kopia"
    yield f"  Pod Volume Backups - {uploader}" + (":" if details else f" ({_MORE}):")
    phases: dict[str, list[str]] = {}
    for backup in backups:
        spec = backup.get("spec") or {}
        pod = spec.get("pod") or {}
        phase = str((backup.get("status") or {}).get("phase") or "New")
        phases.setdefault(phase, []).append(f"{pod.get('namespace')}/{pod.get('name')}: {spec.get('volume')}")
    for phase, volumes in sorted(phases.items()):
        yield f"    {phase}:" + ("" if details else f"  {len(volumes)}")
        yield from (f"      {volume}" for volume in sorted(volumes) if details)


def _name(info: Document) -> str:
    claim = f"{info.get('pvcNamespace')}/{info['pvcName']}" if info.get("pvcName") else ""
    return claim or str(info.get("pvName") or "<unknown>")


def _legacy(snapshot: Document) -> Document:
    """Say a native snapshot, as backups from before 1.13 have them, as a volume info."""
    spec, status = snapshot.get("spec") or {}, snapshot.get("status") or {}
    detail = {
        "snapshotHandle": status.get("providerSnapshotID"),
        "volumeType": spec.get("volumeType"),
        "volumeAZ": spec.get("volumeAZ"),
        "iops": spec.get("volumeIOPS"),
    }
    return {
        "backupMethod": "NativeSnapshot",
        "pvName": spec.get("persistentVolumeName"),
        "nativeSnapshotInfo": detail,
        "result": "succeeded" if status.get("phase") == "Completed" else "failed",
    }
