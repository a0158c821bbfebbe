"""A node's bridge and its iptables rules: by them, and only by them, pods reach the machine and the apiserver.

Nothing is forwarded and no machine-wide setting is changed: pods reach each other, the node's address, and the
apiserver under the address of the Service `kubernetes`, but not the network beyond the machine.
"""

import fcntl
import ipaddress
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pinnace.cluster import node_requirements
from pinnace.cluster.certificates import FIRST_SERVICE_IP
from pinnace.errors import ClusterError

__all__ = ["NodeNetwork", "choose_subnet", "create", "only_one_chooser", "remove", "rules", "taken_subnets"]

_POOL: Final = ipaddress.IPv4Network("10.213.0.0/16")
"""Subnets of nodes are cut from here: private, and not a default of Docker, kind, minikube or libvirt."""

_LARGEST_CLASH: Final = 16
"""A taken network with a shorter prefix is somebody's route to a whole company; our /24 inside it wins locally."""


@dataclass(frozen=True)
class NodeNetwork:
    """The bridge of one node and the subnet of its pods (`10.213.7.0/24`)."""

    bridge: str
    subnet: str

    @property
    def address(self) -> str:
        """The node's own address, on the bridge: the first one of the subnet."""
        return str(ipaddress.IPv4Network(self.subnet)[1])


@contextmanager
def only_one_chooser() -> Iterator[None]:
    """Two nodes that start at once must not choose the same subnet; the lock is on a folder that is there anyway."""
    descriptor = os.open("/sys/class/net", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def taken_subnets() -> list[ipaddress.IPv4Network]:
    """The networks of all addresses and routes of this machine."""
    addresses = [
        ipaddress.IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
        for link in _ip_json("address", "show")
        for address in link.get("addr_info", [])
    ]
    routes = [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in _ip_json("route", "show")
        if route["dst"] != "default"
    ]
    return [*addresses, *routes]


def choose_subnet(taken: Iterable[ipaddress.IPv4Network], *, first: int) -> str:
    """A free /24, tried from number `first` on, so that a cluster usually gets the same one again."""
    clashes = [network for network in taken if network.prefixlen >= _LARGEST_CLASH]
    subnets = list(_POOL.subnets(new_prefix=24))
    for offset in range(len(subnets)):
        subnet = subnets[(first + offset) % len(subnets)]
        if not any(subnet.overlaps(network) for network in clashes):
            return str(subnet)
    raise ClusterError(
        f"{_POOL}: every /24 in it is taken on this machine; end local clusters by `pinnace cluster down`"
    )


def rules(network: NodeNetwork, *, apiserver_port: int) -> list[tuple[str, list[str]]]:
    """Table and rule (chain first), in the order in which each is put at the head of its chain.

    The apiserver stays on loopback: packets from the bridge for the Service's address are sent there, which
    `route_localnet` permits for this bridge; the last rule keeps everything else on loopback out of pods' reach.
    """
    bridge = ["-i", network.bridge]
    service = ["-d", f"{FIRST_SERVICE_IP}/32", "-p", "tcp", "-m", "tcp", "--dport", "443"]
    loopback = ["-d", "127.0.0.0/8", "-m", "conntrack", "!", "--ctstate", "DNAT"]
    return [
        ("nat", ["PREROUTING", *bridge, *service, "-j", "DNAT", "--to-destination", f"127.0.0.1:{apiserver_port}"]),
        ("filter", ["INPUT", *bridge, "-j", "ACCEPT"]),
        ("filter", ["INPUT", *bridge, *loopback, "-j", "DROP"]),
    ]


def create(network: NodeNetwork, *, apiserver_port: int) -> None:
    """Make the bridge and the rules."""
    prefix_length = ipaddress.IPv4Network(network.subnet).prefixlen
    _ip("link", "add", "name", network.bridge, "type", "bridge")
    _ip("address", "add", f"{network.address}/{prefix_length}", "dev", network.bridge)
    _ip("link", "set", network.bridge, "up")
    Path(f"/proc/sys/net/ipv4/conf/{network.bridge}/route_localnet").write_text("1")
    for table, rule in rules(network, apiserver_port=apiserver_port):
        _run("iptables", "--wait", "-t", table, "-I", *rule)


def remove(network: NodeNetwork, *, apiserver_port: int) -> None:
    """Take the rules, the pods' links and the bridge away; what is not there is no error."""
    for table, rule in rules(network, apiserver_port=apiserver_port):
        while _succeeds("iptables", "--wait", "-t", table, "-D", *rule):
            pass
    if not Path(f"/sys/class/net/{network.bridge}").exists():
        return
    for link in _ip_json("link", "show", "master", network.bridge):
        _succeeds("ip", "link", "delete", link["ifname"])  # its namespace may take it away meanwhile
    _ip("link", "delete", network.bridge)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    printed = _run("ip", "-json", "-4", *arguments).strip()
    found: list[dict[str, Any]] = json.loads(printed or "[]")
    return [entry for entry in found if entry]


def _run(name: str, *arguments: str) -> str:
    done = _call(name, arguments)
    if done.returncode != 0:
        raise ClusterError(f"{name} {' '.join(arguments)}: {done.stderr.strip()}; a node needs the right to do this")
    return done.stdout


def _succeeds(name: str, *arguments: str) -> bool:
    return _call(name, arguments).returncode == 0


def _call(name: str, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    command = [node_requirements.program(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
