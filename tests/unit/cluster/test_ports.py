"""Free ports."""

import socket

from pinnace.cluster import ports


def test_free_ports_differ_and_can_be_listened_on() -> None:
    found = ports.free_ports(5)
    assert len(set(found)) == 5
    for port in found:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
