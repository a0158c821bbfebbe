"""Finds and aborts uploads that killed runs left, of any backup; only those older than the operator says."""

from datetime import datetime, timedelta

from pinnace.errors import UsageError
from pinnace.store.object_store import ObjectStore, Upload

__all__ = ["abort", "left_over"]

_SHORTEST_SECONDS = 60.0
"""A younger upload may well be of a run that is going on."""


def left_over(store: ObjectStore, *, older_than_seconds: float, now: datetime) -> list[Upload]:
    """List the unfinished uploads under `backups/` that began before; a bucket seldom has more than a few."""
    if older_than_seconds < _SHORTEST_SECONDS:
        raise UsageError("--older-than: give at least 1m, since a younger upload may be of a run that is going on")
    before = now - timedelta(seconds=older_than_seconds)
    return [upload for upload in store.uploads("backups/") if upload.started < before]


def abort(store: ObjectStore, uploads: list[Upload]) -> None:
    """Abort them; StoreError at the first that can't be."""
    for upload in uploads:
        store.abort_upload(upload)
