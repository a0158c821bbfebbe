"""What came of a removal is one sentence for people and a bounded list for the request."""

import pytest

from pinnace.dispatcher.snapshot_removal import Removal


@pytest.mark.parametrize(
    ("removal", "told", "must_be_awaited"),
    [
        (Removal(), "", False),
        (Removal(native_count=2), "removed 2 native snapshots", False),
        (Removal(csi_count=3), "asked drivers to delete 3 CSI snapshots", True),
        (Removal(2, 3), "removed 2 native snapshots and asked drivers to delete 3 CSI snapshots", True),
        (Removal(released_count=1), "", True),
    ],
)
def test_what_was_done_is_one_sentence(removal: Removal, told: str, must_be_awaited: bool) -> None:
    assert (removal.told, removal.must_be_awaited, removal.errors) == (told, must_be_awaited, [])


def test_of_very_many_that_fail_a_hundred_are_named_and_all_are_counted() -> None:
    removal = Removal()
    for number in range(100):
        removal.fail(f"snapshot {number}", "denied")
    assert removal.errors == [f"snapshot {number}: denied" for number in range(100)]
    removal.fail("snapshot 100", "denied")
    removal.fail("snapshot 101", "denied")
    assert list(removal.errors)[99:] == ["snapshot 99: denied", "and 2 more snapshots could not be removed"]
