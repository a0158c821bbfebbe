"""Where lists are cut depends on the lists; how they are shared out depends on their bytes and on how many share."""

from itertools import chain

import pytest

from pinnace.backup.segments import Segments, make_segments, share_out
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from pinnace.kube.discovery import ApiResource

_MIB = 1 << 20


def probe(plural: str, mebibytes: float, *, namespace: str = "", deduplicate: bool = False) -> Probe:
    resource = ApiResource(group="", version="v1", kind=plural.title(), plural=plural, namespaced=True)
    request = ListRequest(resource, namespace=namespace, deduplicate=deduplicate)
    return Probe(request, int(mebibytes * 10), Revision("7"), bytes_per_item=_MIB / 10)


def names(probes: tuple[Probe, ...]) -> list[str]:
    return [f"{each.request.namespace}{each.request.resource.plural}" for each in probes]


def is_own(group_resource: str) -> bool:
    return group_resource in ("pods", "roles")


def test_kinds_of_the_run_itself_come_first_and_small_neighbours_are_joined() -> None:
    probes = [probe("pods", 90), probe("a", 3), probe("b", 14), probe("roles", 1), probe("c", 40), probe("d", 15)]
    cut = make_segments(probes, is_own=is_own)
    assert names(cut.own) == ["pods", "roles"]
    assert [names(segment) for segment in cut.others] == [["a", "b"], ["c", "d"]]


def test_where_others_have_little_the_order_is_the_plans_and_nothing_is_cut() -> None:
    probes = [probe("a", 3), probe("pods", 900), probe("b", 12)]
    assert make_segments(probes, is_own=is_own) == Segments(tuple(probes))
    assert share_out(Segments(tuple(probes)), shard_count=5) == [()]


def test_lists_of_a_kind_that_leave_out_each_others_items_stay_together() -> None:
    together = [probe("a", 20, namespace=f"{number}", deduplicate=number > 0) for number in range(3)]
    apart = [probe("b", 20, namespace=f"{number}") for number in range(3)]
    cut = make_segments([*together, *apart], is_own=is_own)
    assert [len(segment) for segment in cut.others] == [3, 1, 1, 1]


def test_no_list_is_none() -> None:
    assert share_out(make_segments([], is_own=is_own), shard_count=3) == [()]


@pytest.mark.parametrize("shard_count", [1, 2, 3, 5, 8, 32])
def test_shares_are_neighbours_and_all_of_them(shard_count: int) -> None:
    cut = make_segments([probe("pods", 50), *(probe(f"k{number:02}", 20) for number in range(12))], is_own=is_own)
    shares = share_out(cut, shard_count=shard_count)
    assert tuple(chain.from_iterable(shares)) == cut.others
    assert len(shares) <= shard_count
    assert all(shares[1:]), "no process is started for nothing"


def test_shares_have_about_the_same_bytes_the_runs_own_kinds_among_the_first() -> None:
    cut = make_segments([probe("pods", 100), *(probe(f"k{number:02}", 20) for number in range(15))], is_own=is_own)
    assert [len(share) for share in share_out(cut, shard_count=4)] == [0, 5, 5, 5]
    assert [len(share) for share in share_out(cut, shard_count=2)] == [5, 10]


def test_one_huge_kind_is_one_share() -> None:
    cut = make_segments([probe("a", 20), probe("b", 2000), probe("c", 20)], is_own=is_own)
    assert [[names(segment) for segment in share] for share in share_out(cut, shard_count=4)] == [
        [["a"]],
        [["b"]],
        [["c"]],
    ]
