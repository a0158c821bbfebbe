"""The loops of controllers: a failure is said and tried again, whatever it was, and a stop ends the thread."""

import threading

from pinnace.dispatcher.controllers import PeriodicController, QueueController
from pinnace.errors import UsageError


class Failing(QueueController):
    """Fails by a typed error, then by a defect, then goes well."""

    def __init__(self) -> None:
        super().__init__("backup")
        self.calls: list[str] = []
        self.ended = threading.Event()

    def reconcile(self, name: str) -> float | None:
        self.calls.append(name)
        if len(self.calls) == 1:
            raise UsageError("not yet")
        if len(self.calls) == 2:
            raise KeyError("a defect")
        self.ended.set()
        return None


class FailingLook(PeriodicController):
    def __init__(self) -> None:
        super().__init__("locations", look_seconds=0.01)
        self.count = 0
        self.ended = threading.Event()

    def look(self) -> None:
        self.count += 1
        if self.count == 1:
            raise UsageError("not yet")
        if self.count == 2:
            raise KeyError("a defect")
        self.ended.set()


def test_a_name_that_failed_comes_back() -> None:
    controller = Failing()
    controller.changed({"metadata": {"name": "daily"}})
    controller.start()
    assert controller.ended.wait(30)
    controller.stop()
    assert (controller.calls, controller.alive, controller.synced) == (["daily"] * 3, False, True)


def test_a_look_that_failed_is_followed_by_another() -> None:
    controller = FailingLook()
    controller.start()
    assert controller.ended.wait(30)
    controller.stop()
    assert not controller.alive
