"""One Backup and the processes that make it, as the pods of its Job run them, against real servers."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command import PINNACE, pinnace
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import SeaweedServer
from pinnace.cluster import kubectl
from pinnace.store.backup_store import BackupStore

__all__ = ["NAMESPACE", "Attempt", "Case", "assert_whole"]

NAMESPACE = "velero"
_RUN_SECONDS = 180


@dataclass
class Attempt:
    """One process, as a pod runs it."""

    process: subprocess.Popen[bytes]
    termination_log: Path
    stderr: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, *, seconds: float = _RUN_SECONDS) -> int:
        """Its exit code."""
        self.process.wait(seconds)
        return self.process.returncode

    @property
    def said(self) -> dict[str, Any]:
        """Its termination message."""
        document: dict[str, Any] = json.loads(self.termination_log.read_text())
        return document

    @property
    def printed(self) -> str:
        return self.stderr.read_text()


@dataclass
class Case:
    """One Backup that is InProgress, with a location of its own, and the attempts that were made of it."""

    kubeconfig: Path
    server: SeaweedServer
    bucket: str
    folder: Path
    name: str = field(default_factory=lambda: f"b-{uuid.uuid4().hex[:8]}")
    prefix: str = field(default_factory=new_prefix)
    attempts: list[Attempt] = field(default_factory=list)

    def kubectl(self, *arguments: str, document: Any = None) -> str:
        given = None if document is None else json.dumps(document)
        namespaced = (f"--namespace={NAMESPACE}", *arguments)
        return kubectl.run(*namespaced, kubeconfig=self.kubeconfig, standard_input=given)

    def create(self, *, phase: str = "InProgress", s3_url: str = "", **spec: Any) -> None:
        """The Backup as the dispatcher leaves it when it resumes the Job, and its location."""
        config = {"s3Url": s3_url or self.server.url, "s3ForcePathStyle": "true", "region": "us-east-1"}
        storage = {"bucket": self.bucket, "prefix": self.prefix}
        location = {"provider": "aws", "objectStorage": storage, "config": config}
        status = {"phase": phase, "startTimestamp": "2026-01-01T12:00:00Z", "expiration": "2026-02-01T12:00:00Z"}
        self._create("BackupStorageLocation", {"spec": location})
        self._create("Backup", {"spec": {"storageLocation": self.name, **spec}, "status": status})

    def _create(self, kind: str, fields: dict[str, Any]) -> None:
        metadata = {"name": self.name, "namespace": NAMESPACE}
        document = {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata, **fields}
        self.kubectl("create", "-f-", document=document)

    @property
    def backup(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.kubectl("get", "backups.velero.io", self.name, "-ojson"))
        return document

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.backup["status"]
        return status

    @property
    def store_url(self) -> str:
        return self.server.store_url(self.bucket, self.prefix)

    def start(self, *, backup_uid: str = "", program: str = "", **environment: str) -> Attempt:
        """Begin an attempt, whose pod's uid is its own; `program` is what runs in place of `pinnace`."""
        number = len(self.attempts) + 1
        termination_log, stderr = self.folder / f"termination-{number}", self.folder / f"stderr-{number}"
        given = {
            "KUBECONFIG": str(self.kubeconfig),
            "PINNACE_NAMESPACE": NAMESPACE,
            "PINNACE_BACKUP_UID": backup_uid or self.backup["metadata"]["uid"],
            "PINNACE_ATTEMPT_ID": f"attempt-{number}",
            "PINNACE_COMPRESSION": "fast",
        }
        pinnace = [sys.executable, "-c", program] if program else PINNACE
        command = [*pinnace, "backup", "job", self.name, "--termination-log", str(termination_log)]
        with stderr.open("wb") as file:
            process = subprocess.Popen(command, env={**os.environ, **given, **environment}, stderr=file)
        self.attempts.append(Attempt(process, termination_log, stderr))
        return self.attempts[-1]

    def wait(self, holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Look until it holds; an attempt that ended before is a failure that says what it printed."""
        deadline = time.monotonic() + seconds
        while not holds():
            ended = [attempt.printed for attempt in self.attempts if attempt.process.poll() is not None]
            assert time.monotonic() < deadline, ended
            time.sleep(0.02)

    def wait_for_upload(self) -> None:
        """Until the archive's upload is open: the attempt is in its middle."""
        store = open_bucket(self.store_url)
        archive = BackupStore(store, self.name).keys.archive
        self.wait(lambda: archive in [upload.key for upload in store.uploads(f"backups/{self.name}/")])

    def left(self) -> tuple[list[str], list[str]]:
        """Objects, and keys of open uploads."""
        store, prefix = open_bucket(self.store_url), f"backups/{self.name}/"
        objects = [found.key.removeprefix(prefix) for found in store.list_keys(prefix)]
        return objects, [upload.key.removeprefix(prefix) for upload in store.uploads(prefix)]

    def metadata(self) -> dict[str, Any]:
        """`velero-backup.json`."""
        document: dict[str, Any] = json.loads(BackupStore(open_bucket(self.store_url), self.name).read_metadata())
        return document

    def results(self) -> str:
        """Errors and warnings."""
        store = BackupStore(open_bucket(self.store_url), self.name)
        return gzip.decompress(store.read(store.keys.results)).decode()

    def last_log_line(self) -> str:
        store = BackupStore(open_bucket(self.store_url), self.name)
        return gzip.decompress(store.read(store.keys.log)).decode().splitlines()[-1]

    def verify(self) -> int:
        """Prove the backup; gives its number of items."""
        verified = pinnace("backup", "verify", self.name, "--store", self.store_url, "-o", "json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        return int(json.loads(verified.stdout)["item_count"])

    def end(self) -> None:
        """End what still runs."""
        for attempt in self.attempts:
            attempt.process.kill()
            attempt.process.wait()


def assert_whole(case: Case, *, attempt: str, phase: str = "Completed") -> None:
    """Made by that attempt, in the cluster and in the bucket."""
    backup, stored = case.backup, case.metadata()
    status = backup["status"]
    assert status["phase"] == phase, (status, case.results())
    assert "failureReason" not in status
    assert status["progress"]["itemsBackedUp"] == status["progress"]["totalItems"] == case.verify()
    assert stored["status"] == status
    assert stored["metadata"]["uid"] == backup["metadata"]["uid"]
    assert stored["metadata"]["annotations"]["pinnace.io/attempt-id"] == attempt
    assert case.left()[1] == []
