"""The mix: the same for everybody, of the shares and sizes that the kinds say, and left alone by controllers."""

from collections import Counter
from statistics import median

import orjson

from pinnace.bench import load, mix
from pinnace.bench.load import Wanted
from pinnace.bench.mix import KINDS, LARGE_BYTES, Mix


def bodies(*, seed: int, count: int) -> list[bytes]:
    made = Mix(seed=seed, created=load.CREATED)
    return [orjson.dumps(made.item(index).document) for index in range(count)]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    first = bodies(seed=7, count=50)
    assert bodies(seed=7, count=50) == first
    assert not set(bodies(seed=8, count=50)) & set(first)


def test_an_item_does_not_depend_on_those_before_it() -> None:
    assert Mix(seed=3).item(41) == list(map(Mix(seed=3).item, range(42)))[41]
    rest = [item.registry_key for item in load.items(Wanted(20, first=15), created=load.CREATED)]
    assert rest == [item.registry_key for item in load.items(Wanted(20), created=load.CREATED)][15:]


def test_kinds_have_their_shares_and_sizes() -> None:
    made = Mix(created=load.CREATED)
    sizes: dict[str, list[int]] = {}
    for item in map(made.item, range(4000)):
        sizes.setdefault(item.kind.plural, []).append(len(orjson.dumps(item.document)))
    assert sum(kind.share for kind in KINDS) == 100
    for kind in KINDS:
        share, size = len(sizes[kind.plural]) / 40, median(sizes[kind.plural])
        assert abs(share - kind.share) < 2.5, kind.plural
        assert 0.75 < size / kind.median_bytes < 1.35, kind.plural


def test_every_item_has_a_key_and_a_uid_of_its_own_where_the_api_server_keeps_its_kind() -> None:
    made = list(load.items(Wanted(3000, large=3), created=load.CREATED))
    assert len({item.registry_key for item in made}) == len({i.document["metadata"]["uid"] for i in made}) == 3003
    folders = Counter(item.registry_key.split("/bench-")[0] for item in made)
    assert {"/registry/pods", "/registry/services/specs", "/registry/bench.pinnace.io/widgets"} < set(folders)
    assert {item.namespace for item in made} <= set(mix.namespaces())


def test_a_large_item_has_about_a_megabyte() -> None:
    assert 0.95 < len(orjson.dumps(Mix(created=load.CREATED).large_item(0).document)) / LARGE_BYTES < 1.15


def test_what_the_api_server_sets_is_not_sent_to_it() -> None:
    for item in map(Mix().item, range(200)):
        assert not {"uid", "creationTimestamp", "managedFields"} & set(item.document["metadata"])


def test_controllers_find_nothing_to_do() -> None:
    for item in map(Mix(created=load.CREATED).item, range(500)):
        document = item.document
        metadata, spec, status = document["metadata"], document.get("spec", {}), document.get("status", {})
        assert "ownerReferences" not in metadata
        match item.kind.plural:
            case "pods":
                assert ("nodeName" in spec, spec["schedulerName"]) == (False, "nobody")
            case "replicasets":
                assert (spec["replicas"], status["observedGeneration"]) == (0, metadata["generation"])
            case "jobs":
                assert "Complete" in [condition["type"] for condition in status["conditions"]]
            case "services":
                assert ("selector" in spec, spec["clusterIP"]) == (False, "None")
