"""Made items: the same each time, of the wanted size, spread over kinds and namespaces."""

import json
from collections import Counter

from pinnace.cluster import synthetic

CREATED = "2026-01-02T03:04:05Z"


def test_the_same_number_gives_the_same_item() -> None:
    first = [synthetic.item(index, object_bytes=3500, created=CREATED) for index in range(6)]
    assert [synthetic.item(index, object_bytes=3500, created=CREATED) for index in range(6)] == first
    assert len({json.loads(value)["metadata"]["uid"] for _, value in first}) == 6


def test_sizes_are_near_the_wanted_one_for_every_kind() -> None:
    sizes: dict[str, list[int]] = {}
    for index in range(1500):
        key, value = synthetic.item(index, object_bytes=3500, created=CREATED)
        sizes.setdefault(key.split("/")[2], []).append(len(value))
    averages = {kind: sum(found) / len(found) for kind, found in sizes.items()}
    assert {kind: round(average / 3500, 1) for kind, average in averages.items()} == {
        "configmaps": 1.0,
        "pods": 1.0,
        "secrets": 1.0,
    }
    assert all(2600 <= size <= 4450 for found in sizes.values() for size in found)


def test_items_spread_evenly_over_three_kinds_and_twenty_namespaces() -> None:
    keys = [synthetic.item(index, object_bytes=1000, created=CREATED)[0] for index in range(600)]
    assert set(Counter(tuple(key.split("/")[2:4]) for key in keys).values()) == {10}
    assert len(set(keys)) == 600


def test_the_fleet_is_5000_small_configmaps_of_one_namespace() -> None:
    entries = list(synthetic.fleet(created=CREATED))
    assert len({key for key, _ in entries}) == synthetic.FLEET_ITEMS == 5000
    assert {key.rpartition("/")[0] for key, _ in entries} == {"/registry/configmaps/fleet"}
    assert max(len(value) for _, value in entries) < 1000
