"""The floor before a server that throttles it, or that refuses it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from faults.list_server import Answer, listening
from pinnace.bench import floor_client


def floor(
    server: str,
    *,
    lists: list[str],
    page_items: int = 0,
    is_revision: bool = False,
    accept: str = "application/json",
) -> tuple[Any, str]:
    """What the floor's process prints, and its last complaint."""
    task = {
        "server": server, "caFile": "", "certFile": "", "keyFile": "", "authorization": "Bearer t", "verifies": True,
        "accept": accept,
        "lists": [{"path": path, "isExact": True} for path in lists], "pageItems": page_items, "concurrency": 2,
        "isRevision": is_revision,
    }  # fmt: skip
    command = [sys.executable, "-I", "-S", str(Path(floor_client.__file__))]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    return json.loads(done.stdout or "null"), done.stderr.strip().rpartition("\n")[2]


def test_pages_are_asked_for_at_one_revision_behind_any_prefix() -> None:
    answers = {
        "/k8s/api/v1/namespaces": [b'{"metadata":{"resourceVersion":"42"}}'],
        "/k8s/api/v1/pods": [b'{"metadata":{"continue":"next="},"items":[]}', b'{"metadata":{},"items":[]}'],
    }
    with listening(lambda path: Answer(answers[path.partition("?")[0]].pop(0))) as (url, asked):
        found, said = floor(f"{url}/k8s/", lists=["/api/v1/pods"], page_items=2, is_revision=True)
    assert (found["requests"], found["bytes"], said) == (2, 70, "")
    assert asked.paths == [
        "/k8s/api/v1/namespaces?limit=1",
        "/k8s/api/v1/pods?limit=2&resourceVersion=42&resourceVersionMatch=Exact",
        "/k8s/api/v1/pods?limit=2&continue=next%3D",
    ]
    assert {headers["Authorization"] for headers in asked.headers} == {"Bearer t"}


def test_lists_of_protobuf_are_at_the_one_revision_too() -> None:
    answers = {"/api/v1/namespaces": b'{"metadata":{"resourceVersion":"42"}}', "/api/v1/pods": b"k8s\0..."}
    with listening(lambda path: Answer(answers[path.partition("?")[0]])) as (url, asked):
        found, said = floor(url, lists=["/api/v1/pods"], is_revision=True, accept="application/vnd.kubernetes.protobuf")
    assert (found["requests"], said) == (1, "")
    assert asked.queries == ["limit=1", "resourceVersion=42&resourceVersionMatch=Exact"]
    assert [headers["Accept"] for headers in asked.headers] == [
        "application/json",
        "application/vnd.kubernetes.protobuf",
    ]


def test_a_server_that_names_no_revision_can_not_be_listed_at_one() -> None:
    with listening(lambda _: Answer(b"{}")) as (url, _):
        found, said = floor(url, lists=["/api/v1/pods"], is_revision=True)
    assert (found, said) == (None, "ConnectionError: GET /api/v1/namespaces: no resourceVersion in b'{}'")


def test_a_throttled_list_is_asked_for_again() -> None:
    answers = [Answer(b"{}", status=429), Answer(b'{"items":[]}')]
    with listening(lambda _: answers.pop(0)) as (url, asked):
        found, said = floor(url, lists=["/api/v1/pods"])
    assert (found["bytes"], len(asked.paths), said) == (12, 2, "")


def test_a_refused_list_ends_it_with_the_reason() -> None:
    with listening(lambda _: Answer(b"not yours", status=403)) as (url, _):
        found, said = floor(url, lists=["/api/v1/pods"])
    assert (found, said) == (None, "ConnectionError: GET /api/v1/pods: status 403: b'not yours'")
