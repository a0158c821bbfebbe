"""What a round of the sync reads, and which Backups count as gone."""

from datetime import timedelta
from typing import Any

from pinnace.dispatcher.location_status import is_sync_due
from pinnace.dispatcher.sync_plan import ROUND, Misses, Orphans, Reading, orphans, reading
from unit.dispatcher.documents import NOW, later


def backup(name: str, phase: str = "Completed", *, location: str = "main") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"velero.io/storage-location": location}},
        "status": {"phase": phase},
    }


def test_what_is_not_in_the_cluster_is_read() -> None:
    assert reading(["a", "b", "c"], known=["b", "x"], misses=Misses(), now=NOW) == Reading(["a", "c"], is_whole=True)


def test_a_round_is_bounded_and_begins_with_what_was_never_read() -> None:
    misses, names = Misses(), [f"{number:05}" for number in range(2 * ROUND)]
    misses.add("00000", now=NOW - timedelta(hours=1))
    assert reading(names, known=[], misses=misses, now=NOW) == Reading(names[1 : ROUND + 1], is_whole=False)
    assert reading(names, known=names[1:], misses=misses, now=NOW) == Reading(["00000"], is_whole=True)


def test_a_bucket_with_10000_backups_is_read_in_20_rounds_and_then_not_at_all() -> None:
    names, known, rounds = [f"{number:05}" for number in range(10_000)], set[str](), 0
    while not (found := reading(names, known=known, misses=Misses(), now=NOW)).is_whole:
        assert len(found.names) == ROUND
        known.update(found.names)
        rounds += 1
    assert (rounds, len(found.names)) == (19, ROUND)
    assert reading(names, known=names, misses=Misses(), now=NOW) == Reading([], is_whole=True)


def test_10000_logs_of_failed_backups_do_not_keep_a_new_backup_waiting() -> None:
    names, misses = [f"{number:05}" for number in range(10_000)], Misses()
    for name in names:
        misses.add(name, now=NOW - timedelta(hours=1))
    found = reading([*names, "new"], known=[], misses=misses, now=NOW)
    assert (found.names[0], len(found.names), found.is_whole) == ("new", ROUND, False)


def test_a_name_that_gave_nothing_is_read_less_and_less_often() -> None:
    misses, now, pauses = Misses(), NOW, []
    for _ in range(7):
        misses.add("a", now=now)
        minutes = next(m for m in range(100) if misses.is_due("a", now=now + timedelta(minutes=m)))
        pauses.append(minutes)
        now += timedelta(minutes=minutes)
    assert pauses == [1, 2, 4, 8, 16, 16, 16]
    assert misses.is_due("a", now=now - timedelta(days=1)), "a clock that was put back"


def test_names_that_are_gone_are_forgotten() -> None:
    misses = Misses()
    misses.add("a", now=NOW, is_unreadable=True)
    misses.add("b", now=NOW)
    assert (misses.is_known("a"), misses.unreadable_count) == (True, 1)
    misses.forget_others(["b"])
    assert (misses.is_known("a"), misses.is_known("b"), misses.unreadable_count) == (False, True, 0)
    misses.add("b", now=NOW, is_unreadable=True)
    misses.add("b", now=NOW)
    assert misses.unreadable_count == 0


def test_orphans_are_finished_backups_of_this_location_that_are_not_in_the_bucket() -> None:
    phases = ("", "New", "InProgress", "Failed", "FailedValidation", "Deleting", "Finalizing")
    copies = [
        backup("there"),
        backup("gone"),
        backup("gone-partly", "PartiallyFailed"),
        backup("other", location="far"),
        *(backup(f"in-{phase}", phase) for phase in phases),
        {"metadata": {"name": "without-labels"}, "status": {"phase": "Completed"}},
    ]
    assert orphans(copies, stored=["there"], location_name="main") == Orphans([copies[1], copies[2]])


def test_a_bucket_that_lists_nothing_makes_no_orphans() -> None:
    found = orphans([backup("a"), backup("b")], stored=[], location_name="main")
    assert found == Orphans((), kept_because="it lists no backup at all, so its 2 Backups are kept")
    assert orphans([backup("a", "Failed")], stored=[], location_name="main") == Orphans([])


def test_of_10000_that_are_gone_at_once_a_round_looks_at_500() -> None:
    copies = [backup(f"{number:05}") for number in range(10_000)]
    found = orphans(copies, stored=["00000"], location_name="main")
    assert (len(found.backups), found.is_whole, found.kept_because) == (ROUND, False, "")


def test_orphans_of_a_round_are_bounded() -> None:
    copies = [backup(f"{number:05}") for number in range(ROUND + 1)]
    assert orphans(copies, stored=["x"], location_name="main") == Orphans(copies[:ROUND], is_whole=False)


def test_a_location_is_synced_when_its_period_is_over() -> None:
    def due(phase: str = "Available", *, synced: float | None = None, **spec: Any) -> bool:
        status = {"phase": phase} | ({} if synced is None else {"lastSyncedTime": later(synced)})
        location = {"metadata": {"name": "main"}, "spec": spec, "status": status}
        return is_sync_due(location, default_seconds=60.0, now=NOW)

    assert [due(), due(synced=-59), due(synced=-60)] == [True, False, True]
    assert [due(synced=-9, backupSyncPeriod="10s"), due(synced=-10, backupSyncPeriod="10s")] == [False, True]
    assert [due(backupSyncPeriod="0s"), due(synced=-99, backupSyncPeriod="-1s")] == [False, False]
    assert [due(synced=-60, backupSyncPeriod="often"), due("Unavailable"), due("")] == [True, False, False]
    assert due(synced=3600), "a clock that was put back"
