"""Runs a Python module as its user would, and notes when it sends its first list request to the API server.

Python's audit events tell of every request, so that what is measured is the very program and not one built for it.
"""

import runpy
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["is_list_request"]

_LONGEST_LINE = 4096


def is_list_request(sent: bytes) -> bool:
    """Tell whether what was sent begins a GET of the Kubernetes API that is no discovery (`/api`, `/apis`).

    A server may be behind a prefix (`/k8s/clusters/c-1/api/v1/pods`).
    """
    words = sent[:_LONGEST_LINE].split(b" ", 2)
    return words[0] == b"GET" and any(part in words[1] for part in (b"/api/v1/", b"/apis/"))


def _watch(report: Path) -> None:
    noted = False

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal noted
        if not noted and event == "http.client.send" and is_list_request(bytes(arguments[1])):
            noted = True
            report.write_text(str(time.monotonic()))

    sys.addaudithook(note)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
