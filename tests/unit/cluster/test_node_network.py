"""Subnets that clash with nothing, and the rules of a node."""

from ipaddress import IPv4Network

import pytest

from pinnace.cluster import node_network
from pinnace.cluster.node_network import NodeNetwork
from pinnace.errors import ClusterError

NETWORK = NodeNetwork(bridge="pin0123456789", subnet="10.213.7.0/24")


def test_the_nodes_address_is_the_first_of_its_subnet() -> None:
    assert NETWORK.address == "10.213.7.1"


@pytest.mark.parametrize(
    ("taken", "first", "expected"),
    [
        ([], 7, "10.213.7.0/24"),
        ([], 256 + 7, "10.213.7.0/24"),
        (["10.213.7.0/24", "10.213.8.128/25"], 7, "10.213.9.0/24"),
        (["10.213.255.0/24"], 255, "10.213.0.0/24"),
        (["10.213.0.0/17"], 0, "10.213.128.0/24"),
        (["10.0.0.0/8", "192.168.1.0/24"], 7, "10.213.7.0/24"),
    ],
    ids=[
        "free",
        "wraps its number",
        "next free",
        "wraps the pool",
        "half is taken",
        "routes to a company do not count",
    ],
)
def test_a_subnet_is_the_first_free_one_from_its_number_on(taken: list[str], first: int, expected: str) -> None:
    assert node_network.choose_subnet(map(IPv4Network, taken), first=first) == expected


def test_no_free_subnet_is_an_error_that_says_what_to_end() -> None:
    with pytest.raises(ClusterError, match=r"10\.213\.0\.0/16: every /24 in it is taken.*pinnace cluster down"):
        node_network.choose_subnet([IPv4Network("10.213.0.0/16")], first=0)


def test_the_rules_name_the_bridge_and_open_the_apiserver_alone() -> None:
    service = "-d 10.96.0.1/32 -p tcp -m tcp --dport 443"
    assert [(table, " ".join(rule)) for table, rule in node_network.rules(NETWORK, apiserver_port=6443)] == [
        ("nat", f"PREROUTING -i pin0123456789 {service} -j DNAT --to-destination 127.0.0.1:6443"),
        ("filter", "INPUT -i pin0123456789 -j ACCEPT"),
        ("filter", "INPUT -i pin0123456789 -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP"),
    ]
