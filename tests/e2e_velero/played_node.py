"""A node that a test plays: what a pod of a Job would run is a process here, and its pod says how that ended."""

import os
import subprocess
import threading
from pathlib import Path

from command import PINNACE
from integration.dispatcher_process import Document, Stage
from pinnace.errors import KubeError
from pinnace.kube.kinds import PODS

__all__ = ["PlayedNode"]

_LOOK_SECONDS = 0.2
_HELD = "held-"
"""Pods of Backups whose name begins so run for ever."""

_SELECTOR = "app.kubernetes.io/name=pinnace,app.kubernetes.io/component=backup"


class PlayedNode:
    """Runs the pods of one stage, one after the other, until it is ended."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage = stage
        self._folder = folder
        self._seen: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin to look for pods."""
        self._thread.start()

    def end(self) -> None:
        """Run no more."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for pod in self._stage.objects(PODS).list(label_selector=_SELECTOR):
                if pod["metadata"]["uid"] not in self._seen:
                    self._seen.add(pod["metadata"]["uid"])
                    self._run(pod)

    def _run(self, pod: Document) -> None:
        [container] = pod["spec"]["containers"]
        uid = str(pod["metadata"]["uid"])
        environment = {each["name"]: each.get("value", uid) for each in container["env"]}
        said = self._folder / f"{uid}.said"
        self._stage.run(pod)
        if container["args"][-1].startswith(_HELD):
            return
        ended = subprocess.run(
            [*PINNACE, *container["args"], "--termination-log", str(said)],
            env={**os.environ, **environment, "KUBECONFIG": str(self._stage.kubeconfig)},
            stderr=(self._folder / f"{uid}.stderr").open("wb"),
            check=False,
        )
        message = said.read_text() if said.exists() else ""
        try:
            self._stage.end_pod(pod, ended.returncode, message=message)
        except KubeError as error:
            if error.status != 404:  # the pod went with its Backup
                raise
