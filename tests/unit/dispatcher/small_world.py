"""A model of what stands around `next_step`: the writes of each step, the Job controller, a kubelet and the process.

It exists to cut the dispatcher off after any single write and to let it go on from what is there. Documents are plain
dicts; time passes only when nothing else happens.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pinnace.dispatcher import next_step as steps
from pinnace.dispatcher.job import JobSettings, StoreAccess, job_manifest
from pinnace.dispatcher.queue_order import QueuePlace, queue_places
from unit.dispatcher.documents import NOW, backup, ended, job_condition, later, waiting

__all__ = ["Cut", "World"]

_SETTINGS = JobSettings(namespace="velero", image="registry.example/pinnace:1")


class Cut(BaseException):
    """The dispatcher was killed after a write."""


class World:
    """One Backup, the fate of each attempt as a list of acts, and after how many writes the dispatcher is killed."""

    def __init__(self, *attempts: tuple[str, ...], cuts: frozenset[int] = frozenset()) -> None:
        self.backup: dict[str, Any] | None = backup()
        self.job: dict[str, Any] | None = None
        self.pods: list[dict[str, Any]] = []
        self.rights: set[str] = set()
        self.bucket: str = ""
        self.told: list[str] = []
        self.jobs_made = 0
        self.pods_resumed_without_rights = 0
        self.ends_recorded_before_the_pod_ended = 0
        self.writes = 0
        self._cuts = cuts
        self._attempts = [list(acts) for acts in attempts]
        self._seconds = 0.0

    # The dispatcher.

    def step(self) -> steps.Step:
        """Decide by what is there now."""
        places = queue_places(
            [self.backup] if self.backup else [], existing_namespaces=["default"], concurrent_backups=1,
            with_jobs={"nightly"} if self.job else (),
        )  # fmt: skip
        place = places.get("nightly", QueuePlace(0))
        now = NOW + timedelta(seconds=self._seconds)
        return steps.next_step(steps.Observed(self.backup, self.job, self.pods, place=place, now=now))

    def perform(self, step: steps.Step) -> None:
        """Do the writes of one step, each of which may be the last."""
        for write in self._writes(step):
            write()
            self.writes += 1
            if self.writes in self._cuts:
                raise Cut

    def _writes(self, step: steps.Step) -> list[Callable[[], None]]:
        match step:
            case steps.Enqueue(position):
                return [lambda: self._patch_backup(phase="Queued", queuePosition=position)]
            case steps.MakeJob():
                return [self._make_job]
            case steps.MarkInProgress():
                return [lambda: self._patch_backup(phase="InProgress", startTimestamp=self._now())]
            case steps.ResumeJob():
                return [lambda: self.rights.add("role"), lambda: self.rights.add("binding"), self._resume]
            case _:
                return self._later_writes(step)

    def _later_writes(self, step: steps.Step) -> list[Callable[[], None]]:
        match step:
            case steps.NoteStart():
                return self._note("Started", annotation="pinnace.io/started", value="true")
            case steps.NoteAttempt(attempt):
                return self._note(f"Attempt {attempt}", annotation="pinnace.io/attempt", value=str(attempt))
            case steps.Fail() | steps.TakeFromBucket():
                # Where an attempt had committed, the bucket says what became of it.
                phase = self.bucket or "Failed"
                return [lambda: self._patch_backup(phase=phase, completionTimestamp=self._now())]
            case steps.Record():
                phase = (self.backup or {})["status"]["phase"]
                self.ends_recorded_before_the_pod_ended += any(pod["status"]["phase"] == "Running" for pod in self.pods)
                return self._note(phase, annotation="pinnace.io/recorded", value="true")
            case steps.DeleteJob():
                return [self._delete_job]
            case _:
                return []

    def _note(self, what: str, *, annotation: str, value: str) -> list[Callable[[], None]]:
        return [lambda: self._tell(what), lambda: self._annotate(annotation, value)]

    def _make_job(self) -> None:
        if self.job is None:
            assert self.backup is not None
            self.job = job_manifest(self.backup, settings=_SETTINGS, access=StoreAccess())
            self.job["metadata"] |= {"uid": f"job-{self.jobs_made}", "creationTimestamp": self._now()}
            self.job["status"] = {}
            self.jobs_made += 1

    def _resume(self) -> None:
        assert self.job is not None
        if self.rights != {"role", "binding"}:
            self.pods_resumed_without_rights += 1
        self.job["spec"]["suspend"] = False

    def _delete_job(self) -> None:
        self.job, self.pods, self.rights = None, [], set()

    def _patch_backup(self, **status: Any) -> None:
        assert self.backup is not None
        self.backup = {**self.backup, "status": {**self.backup.get("status", {}), **status}}

    def _annotate(self, name: str, value: str) -> None:
        assert self.job is not None
        self.job["metadata"]["annotations"][name] = value

    def _tell(self, what: str) -> None:
        """Events have the same name for the same words, so that a repeated one is one."""
        if what not in self.told:
            self.told.append(what)

    # Everybody else.

    def happen(self) -> bool:
        """Let the Job controller, the kubelet or the process do one thing; False where they have nothing to do."""
        if self.job is None or self.job["spec"]["suspend"] or self._is_finished():
            return False
        live = [pod for pod in self.pods if pod["status"]["phase"] in ("Pending", "Running")]
        if live:
            return self._act(live[0])
        return self._control()

    def pass_time(self) -> None:
        """Let half a minute go by."""
        self._seconds += 30

    def _now(self) -> str:
        return later(self._seconds)

    def _is_finished(self) -> bool:
        assert self.job is not None
        return any(each["type"] in ("Complete", "Failed") for each in self.job["status"].get("conditions", ()))

    def _control(self) -> bool:
        """The Job controller: count the pod that ended, then finish or make the next."""
        assert self.job is not None
        status = self.job["status"]
        status.setdefault("startTime", self._now())
        codes = [pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in self.pods]
        if (failed := sum(code != 0 for code in codes)) != status.get("failed", 0):
            status["failed"] = failed
        elif 0 in codes:
            status["conditions"] = [job_condition("Complete", "CompletionsReached", "")]
        elif {1} & set(codes):
            status["conditions"] = [job_condition("Failed", "PodFailurePolicy", "")]
        elif failed > self.job["spec"]["backoffLimit"]:
            status["conditions"] = [job_condition("Failed", "BackoffLimitExceeded", "")]
        else:
            self.pods.append(self._new_pod())
        return True

    def _new_pod(self) -> dict[str, Any]:
        assert self.job is not None
        number = len(self.pods)
        owner = {"kind": "Job", "uid": self.job["metadata"]["uid"]}
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._now()}
        statuses = [{"name": "backup", "image": "i", "state": waiting("ContainerCreating")}]
        return {
            "metadata": {"name": f"pod-{number}", "creationTimestamp": self._now(), "ownerReferences": [owner]},
            "spec": {"nodeName": "node-1"},
            "status": {"phase": "Pending", "conditions": [scheduled], "containerStatuses": statuses},
        }

    def _act(self, pod: dict[str, Any]) -> bool:
        """The kubelet and the process: the next act of this attempt's fate."""
        acts = self._attempts[self.pods.index(pod)]
        if not acts:
            return False
        act, _, value = acts.pop(0).partition(":")
        phase = (self.backup or {}).get("status", {}).get("phase")
        container = pod["status"]["containerStatuses"][0]
        match act:
            case "waits":
                container["state"] = waiting(value, "not found")
            case "lost":
                pod["metadata"]["deletionTimestamp"] = self._now()
            case "starts":
                pod["status"]["phase"], container["state"] = "Running", {"running": {}}
                if phase != "InProgress":
                    # A process that finds its Backup ended, or not begun, has nothing to do.
                    acts[:] = ["exits:0"]
            case "commits":
                self.bucket = self.bucket or value
            case "writes":
                self._patch_backup(phase=value, completionTimestamp=self._now())
            case "exits":
                code = 137 if value == "oom" else int(value)
                pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
                container["state"] = ended(code, reason="OOMKilled" if value == "oom" else "Error")
        return True
