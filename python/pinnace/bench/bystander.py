"""A light client beside the measured ones: an account of its own in a namespace of its own, and what it met."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pinnace.bench import bystander_client
from pinnace.bench.figures import ALONE, BACKUP, FLOOR, Beside
from pinnace.errors import BenchError
from pinnace.kube.client import Client
from pinnace.kube.objects import Kind, Objects

__all__ = ["Answered", "Bystander", "besides", "standing_by"]

PER_SECOND: Final = 20
_CONNECTIONS: Final = 4
_ITEMS: Final = 20
_NAME: Final = "bystander"
_TOKEN_SECONDS: Final = 24 * 3600
_READY_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
_END_SECONDS: Final = 90.0
_OK: Final = 200
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Answered:
    """One request: when it was due (CLOCK_MONOTONIC), how long it took from there, and its status."""

    due_seconds: float
    latency_seconds: float
    status: int


class Bystander:
    """A process that asks; `end()` gives what it met."""

    def __init__(self, process: "subprocess.Popen[str]", task: dict[str, Any]) -> None:
        self._process = process
        if process.stdin is not None:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()

    def end(self) -> tuple[Answered, ...]:
        """End it; BenchError where it has ended before, or does not end."""
        try:
            output, complaints = self._process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"the bystander did not end in {_END_SECONDS:.0f} s") from error
        if self._process.returncode:
            raise BenchError(f"the bystander failed: {complaints.strip()[-1000:]}")
        return tuple(Answered(*each) for each in json.loads(output))


@contextmanager
def standing_by(client: Client, *, namespace: str) -> Iterator[Bystander]:
    """Make `namespace` with an account that may read its ConfigMaps, and let it ask; both are gone afterwards."""
    namespaces = Objects(client, Kind("v1", "namespaces"))
    try:
        task = _task(client, namespace=namespace, authorization=f"Bearer {_account(client, namespace=namespace)}")
        command = [sys.executable, "-I", "-S", str(Path(bystander_client.__file__))]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            yield Bystander(process, task)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()
    finally:
        namespaces.delete(namespace)


def besides(answered: Sequence[Answered], windows: Sequence[tuple[str, float, float]]) -> tuple[Beside, ...]:
    """Sort the bystander's requests by what else ran when each was due; a window is that, its start and its end."""
    found = []
    for during in (ALONE, FLOOR, BACKUP):
        ours = [(began, ended) for name, began, ended in windows if name == during]
        within = [each for each in answered if any(began <= each.due_seconds <= ended for began, ended in ours)]
        if within:
            failed = sum(each.status != _OK for each in within)
            found.append(Beside(during, tuple(round(each.latency_seconds, 5) for each in within), failed))
    return tuple(found)


def _task(client: Client, *, namespace: str, authorization: str) -> dict[str, Any]:
    """A GET and a LIST in turns, both from the API server's memory."""
    access, path = client.access, f"/api/v1/namespaces/{namespace}/configmaps"
    return {
        "server": access.server,
        "caFile": access.ca_file,
        "verifies": access.verifies,
        "authorization": authorization,
        "paths": [f"{path}/{_NAME}-0", f"{path}?labelSelector=app%3D{_NAME}"],
        "perSecond": PER_SECOND,
        "connections": _CONNECTIONS,
    }


def _account(client: Client, *, namespace: str) -> str:
    """Make the account with its right and what it reads; gives its token, once it is taken."""

    def create(kind: Kind, document: dict[str, Any], name: str = _NAME) -> None:
        metadata = {"name": name, "labels": {"app": _NAME}}
        Objects(client, kind, namespace=namespace).create(
            {"apiVersion": kind.api_version, **document, "metadata": metadata}
        )

    Objects(client, Kind("v1", "namespaces")).create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    create(Kind("v1", "serviceaccounts"), {"kind": "ServiceAccount"})
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    create(Kind(f"{_RBAC}/v1", "roles"), {"kind": "Role", "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": namespace}
    role = {"apiGroup": _RBAC, "kind": "Role", "name": _NAME}
    create(Kind(f"{_RBAC}/v1", "rolebindings"), {"kind": "RoleBinding", "roleRef": role, "subjects": [subject]})
    for number in range(_ITEMS):
        create(Kind("v1", "configmaps"), {"kind": "ConfigMap", "data": {"x": "y" * 1000}}, f"{_NAME}-{number}")
    path = Kind("v1", "serviceaccounts").path(namespace=namespace, name=_NAME)
    request = {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
    token: str = client.send("POST", f"{path}/token", body=request)["status"]["token"]
    _await_right(client, namespace=namespace)
    return token


def _await_right(client: Client, *, namespace: str) -> None:
    """The authorizer learns of a new Role within moments."""
    review = {
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{_NAME}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {"namespace": namespace, "verb": "list", "resource": "configmaps"},
        }
    }
    deadline = time.monotonic() + _READY_SECONDS
    while not client.send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)["status"][
        "allowed"
    ]:
        if time.monotonic() > deadline:
            raise BenchError(f"the bystander's right to read ConfigMaps of {namespace} is not there")
        time.sleep(_POLL_SECONDS)
