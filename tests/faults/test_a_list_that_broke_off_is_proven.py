"""Verification is exact also where a list was taken up again: what each attempt archived is counted."""

from pathlib import Path

import pytest

from faults.collecting import CONFIG_MAPS, LARGER_THAN_A_CHUNK, page, refusal
from faults.list_server import Answer, serving
from pinnace.backup.page_intake import PageIntake
from pinnace.backup.stored import read_manifest
from pinnace.backup.verify import verify
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from unit.backup.small_backup import write_backup

_WHOLE = page(["a", "b", "c"], value_bytes=LARGER_THAN_A_CHUNK)
_FIRST_TWO = Answer(_WHOLE, cut_after=_WHOLE.index(b'"c"'))


@pytest.mark.parametrize(
    ("again", "possible"), [(Answer(_WHOLE), {3}), (refusal(403, "not any more"), {1, 2})], ids=["whole", "refused"]
)
def test_a_list_that_broke_off_is_counted_to_the_item(tmp_path: Path, again: Answer, possible: set[int]) -> None:
    """How much of a refused one is there depends on how its bytes arrive; what is there is counted."""

    def collect(sink: PageIntake) -> list[CollectedList]:
        with serving([_FIRST_TWO, again], folder=tmp_path) as (client, _):
            collector = ItemCollector(client, client_page_size=0, sleep=lambda _: None)
            return list(collector.collect([Probe(ListRequest(CONFIG_MAPS), 3, Revision("7"))], sink=sink))

    store = write_backup(tmp_path / "store", collect=collect)
    manifest = read_manifest(store)
    assert manifest is not None
    archived = verify(store).item_count
    assert archived in possible
    assert manifest.kind_counts == {("configmaps", "v1"): archived}
