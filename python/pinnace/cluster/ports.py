"""Free ports of the loopback interface, so that several clusters can run side by side."""

import socket
from contextlib import ExitStack

__all__ = ["free_ports"]


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports that were free a moment ago; whoever uses them must cope with one being taken since."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in listeners)
