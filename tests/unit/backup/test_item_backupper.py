"""What becomes of one held item, station by station."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pinnace.actions.protocol import ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.backup.item_backupper import ItemBackupper
from pinnace.backup.item_stations import HookPhase
from pinnace.backup.log import VeleroLog
from pinnace.engine import HeldItem, Hold, read_items
from pinnace.errors import (
    EngineError,
    KubeError,
    PinnaceError,
    ServerUnreachableError,
    StoreUnavailableError,
)
from pinnace.kube.discovery import ApiResource
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup
from pinnace.velero.results import Entry, Results
from unit.backup.small_backup import CONFIG_MAPS, NOW

BACKUP = Backup(name="b")
Act = Callable[[dict[str, Any]], ActionResult]


def item(name: str, **metadata: Any) -> HeldItem:
    document = {"metadata": {"name": name, "namespace": "ns", **metadata}, "number": 1.0}
    (held,) = read_items(json.dumps({"items": [document]}).encode(), request="", api_version="v1", kind="ConfigMap")
    return held


def named(name: str) -> ResourceIdentifier:
    return ResourceIdentifier("configmaps", "ns", name)


@dataclass
class World:
    """Every station at once: says what happens, in `seen`."""

    items: Mapping[str, HeldItem | KubeError] = field(default_factory=dict)
    refuses: Sequence[str] = ()
    seen: list[str] = field(default_factory=list)
    written: dict[str, bytes] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    write_error: PinnaceError | None = None

    # ItemArchive
    def register(self, resource: ApiResource, *, namespace: str, name: str) -> bool:
        is_new = name not in self.registered
        self.registered.add(name)
        return is_new

    def expect_additional(self) -> None:
        self.seen.append("one more")

    def add_item(self, resource: ApiResource, item: bytes) -> None:
        if self.write_error is not None:
            raise self.write_error
        name = json.loads(item)["metadata"]["name"]
        self.seen.append(f"write {name}")
        self.written[name] = item

    # Additional
    def resource(self, group_resource: str) -> ApiResource | None:
        return CONFIG_MAPS if group_resource == "configmaps" else None

    def is_fetched(self, group_resource: str) -> bool:
        return group_resource == "configmaps"

    def is_wanted(self, wanted: ResourceIdentifier, *, must_include: bool) -> bool:
        self.seen.append(f"want {wanted.name}{' always' if must_include else ''}")
        return True

    def begin(self, wanted: Sequence[ResourceIdentifier]) -> None:
        self.seen.append(f"begin {', '.join(identifier.name for identifier in wanted)}")

    def forget(self) -> None:
        self.seen.append("forget")

    def fetch(self, wanted: ResourceIdentifier, *, at_newest: bool) -> HeldItem | None:
        found = self.items.get(wanted.name)
        if isinstance(found, KubeError):
            raise found
        self.seen.append(f"fetch {wanted.name}{' at its newest' if at_newest else ''}")
        return found

    # ItemHooks, ItemVolumes
    def hold(self, group_resource: str) -> Hold:
        return Hold(names=frozenset({group_resource}))

    def run(self, phase: HookPhase, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        self.seen.append(f"{phase} {item['metadata']['name']}")
        return phase not in self.refuses

    def back_up(self, group_resource: str, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        self.seen.append(f"volumes {item['metadata']['name']}")
        return "volumes" not in self.refuses

    def finish(self, back_up: Callable[[Sequence[ResourceIdentifier]], None]) -> None:
        self.seen.append("wait")
        back_up([named("late"), named("later")])


@dataclass
class Action:
    """One action, for items of some names."""

    act: Act
    name: str = "a"
    applies_to: ResourceSelector = field(default_factory=ResourceSelector)

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        assert backup is BACKUP
        return self.act(item)


def plain(item: dict[str, Any]) -> ActionResult:
    return ActionResult(item)


def labelled(key: str, **more: Any) -> Act:
    """Add a label whose value is what labels there are."""

    def act(item: dict[str, Any]) -> ActionResult:
        labels = item["metadata"].setdefault("labels", {})
        labels[key] = ".".join(labels)
        return ActionResult(item, item_changed=True, **more)

    return act


def naming(*names: str, of: str = "one", **more: Any) -> Act:
    def act(item: dict[str, Any]) -> ActionResult:
        wanted = map(named, names) if item["metadata"]["name"] == of else ()
        return ActionResult(item, additional_items=tuple(wanted), **more)

    return act


def annotated(annotation: str, *names: str) -> Act:
    def act(item: dict[str, Any]) -> ActionResult:
        item["metadata"]["annotations"] = {annotation: "true", "kept": "x"}
        return ActionResult(item, additional_items=tuple(map(named, names)), item_changed=True)

    return act


def failing(item: dict[str, Any]) -> ActionResult:
    raise RuntimeError(f"no {item['metadata']['name']}")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[VeleroLog]:
    store = BackupStore(FilesystemStore(tmp_path), "b")
    with VeleroLog(store.open(store.keys.log), backup=BACKUP, clock=lambda: NOW) as opened:
        yield opened


def backed_up(world: World, *acts: Act, log: VeleroLog, held: HeldItem | None = None) -> tuple[bool, list[Entry]]:
    results = Results()
    backupper = made(world, *acts, log=log, results=results)
    was_written = backupper.back_up(CONFIG_MAPS, held or item("one"))
    return was_written, list(results.entries())


def made(world: World, *acts: Act, log: VeleroLog, results: Results) -> ItemBackupper:
    actions = [Action(act, name=str(number)) for number, act in enumerate(acts)]
    return ItemBackupper(
        BACKUP,
        actions=actions,
        archive=world,
        additional=world,
        results=results,
        log=log,
        hooks=world,
        volumes=world,
    )


def test_the_stations_are_passed_in_order_and_what_is_pulled_in_is_written_first(log: VeleroLog) -> None:
    world = World({"two": item("two"), "three": item("three")})
    acts = (naming("two"), naming("three", of="two"))
    assert backed_up(world, *acts, log=log) == (True, [])
    assert world.seen == [
        "pre one",
        "want two",
        "fetch two",
        "one more",
        "pre two",
        "want three",
        "fetch three",
        "one more",
        "pre three",
        "volumes three",
        "write three",
        "post three",
        "volumes two",
        "write two",
        "post two",
        "volumes one",
        "write one",
        "post one",
    ]


def test_an_item_that_no_action_changed_is_stored_as_it_came(log: VeleroLog) -> None:
    world, held = World(), item("one")
    backed_up(world, plain, log=log, held=held)
    assert world.written["one"] == held.json
    assert b'"number":1.0' in held.json


def test_each_action_gets_what_the_one_before_left(log: VeleroLog) -> None:
    world = World()
    assert backed_up(world, labelled("x"), plain, labelled("y"), log=log) == (True, [])
    assert json.loads(world.written["one"])["metadata"]["labels"] == {"x": "", "y": "x"}


def test_an_item_that_was_backed_up_is_not_again_also_where_items_name_each_other(log: VeleroLog) -> None:
    world = World({"one": item("one"), "two": item("two")})
    acts = (naming("two"), naming("one", of="two"))
    assert backed_up(world, *acts, log=log) == (True, [])
    assert [step for step in world.seen if step.startswith("write")] == ["write two", "write one"]
    assert backed_up(world, log=log) == (False, [])


def test_a_pre_hook_that_says_no_stops_the_item_and_its_post_hooks(log: VeleroLog) -> None:
    world = World(refuses=("pre",))
    assert backed_up(world, naming("two"), log=log) == (False, [])
    assert world.seen == ["pre one"]


def test_an_action_that_fails_is_an_error_and_post_hooks_run(log: VeleroLog) -> None:
    world = World()
    error = Entry("error", "Error backing up item", "ns", "configmaps", "one", "no one")
    assert backed_up(world, failing, log=log) == (False, [error])
    assert world.seen == ["pre one", "post one"]


def test_a_volume_that_fails_keeps_the_item_out_and_is_told_by_who_takes_it(log: VeleroLog) -> None:
    world = World(refuses=("volumes",))
    assert backed_up(world, log=log) == (False, [])
    assert world.seen == ["pre one", "volumes one", "post one"]


def test_a_post_hook_that_fails_leaves_the_item_stored(log: VeleroLog) -> None:
    world = World(refuses=("post",))
    assert (backed_up(world, log=log), list(world.written)) == ((True, []), ["one"])


def test_an_item_that_can_not_be_written_is_an_error(log: VeleroLog) -> None:
    world = World(write_error=EngineError("the item has no name"))
    error = Entry("error", "Error backing up item", "ns", "configmaps", "one", "the item has no name")
    assert backed_up(world, log=log) == (False, [error])


@pytest.mark.parametrize("act", [annotated("velero.io/skip-from-backup", "two"), labelled("x", skip_item=True)])
def test_an_item_that_an_action_skips_is_not_stored_and_brings_nothing(log: VeleroLog, act: Act) -> None:
    world = World()
    assert backed_up(world, act, naming("two"), log=log) == (False, [])
    assert world.seen == ["pre one", "post one"]


@pytest.mark.parametrize(
    ("act", "annotations"),
    [
        (annotated("backup.velero.io/must-include-additional-items", "two"), {"kept": "x"}),
        (naming("two", must_include=True), None),
    ],
)
def test_additional_items_can_be_asked_for_whatever_the_filters_say(
    log: VeleroLog, act: Act, annotations: dict[str, str] | None
) -> None:
    world = World({"two": item("two", labels={"velero.io/exclude-from-backup": "true"})})
    only_one = ResourceSelector(
        label_selector={"matchExpressions": [{"key": "velero.io/exclude-from-backup", "operator": "DoesNotExist"}]}
    )
    results = Results()
    backupper = made(world, act, log=log, results=results)
    backupper._actions = [Action(act, applies_to=only_one)]
    assert backupper.back_up(CONFIG_MAPS, item("one"))
    assert "want two always" in world.seen
    assert list(world.written) == ["two", "one"]
    assert json.loads(world.written["one"])["metadata"].get("annotations") == annotations


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ({"labels": {"velero.io/exclude-from-backup": "true"}}, ["one"]),
        ({"labels": {"velero.io/exclude-from-backup": "false"}}, ["two", "one"]),
        ({"deletionTimestamp": "2026-11-25T03:00:00Z"}, ["one"]),
    ],
)
def test_additional_items_that_are_labelled_or_being_deleted_are_left_out(
    log: VeleroLog, metadata: dict[str, Any], names: list[str]
) -> None:
    world = World({"two": item("two", **metadata)})
    assert (backed_up(world, naming("two"), log=log), list(world.written)) == ((True, []), names)


def test_must_include_does_not_take_what_is_being_deleted(log: VeleroLog) -> None:
    world = World({"two": item("two", deletionTimestamp="2026-11-25T03:00:00Z")})
    assert backed_up(world, naming("two", must_include=True), log=log) == (True, [])
    assert list(world.written) == ["one"]


def test_an_additional_item_that_is_not_there_is_a_warning(log: VeleroLog) -> None:
    world = World()
    text = "Additional item was not found in Kubernetes API, can't back it up"
    warning = Entry("warning", text, "ns", "configmaps", "two")
    assert (backed_up(world, naming("two"), log=log), list(world.written)) == ((True, [warning]), ["one"])


def test_a_kind_that_the_cluster_does_not_have_is_a_warning(log: VeleroLog) -> None:
    def act(item: dict[str, Any]) -> ActionResult:
        return ActionResult(item, additional_items=[ResourceIdentifier("boats.harbour.example", "ns", "x")])

    _, entries = backed_up(World(), act, log=log)
    assert [(entry.severity, entry.resource, entry.name) for entry in entries] == [
        ("warning", "boats.harbour.example", "x")
    ]


def test_an_additional_item_that_can_not_be_read_fails_the_one_that_names_it(log: VeleroLog) -> None:
    world = World({"two": KubeError(request="GET /x", status=403, reason="forbidden")})
    error = Entry("error", "Error backing up item", "ns", "configmaps", "one", "GET /x: forbidden")
    assert (backed_up(world, naming("two"), log=log), world.written) == ((False, [error]), {})


def test_an_additional_item_that_fails_itself_is_an_error_of_its_own(log: VeleroLog) -> None:
    def failing_two(item: dict[str, Any]) -> ActionResult:
        return failing(item) if item["metadata"]["name"] == "two" else plain(item)

    world = World({"two": item("two")})
    error = Entry("error", "Error backing up item", "ns", "configmaps", "two", "no two")
    assert backed_up(world, naming("two"), failing_two, log=log) == (True, [error])
    assert list(world.written) == ["one"]


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachableError(request="GET /x", status=0, reason="gone"),
        KubeError(request="GET /x", status=401, reason="expired"),
        StoreUnavailableError(location="s3://b", action="UploadPart", reason="503"),
    ],
    ids=["no server", "no credentials", "no store"],
)
def test_what_no_other_item_would_end_better_with_ends_the_run_after_post_hooks(
    log: VeleroLog, error: PinnaceError
) -> None:
    world = World(write_error=error)
    with pytest.raises(type(error)):
        backed_up(world, log=log)
    assert world.seen[-1] == "post one"


def test_at_last_volumes_are_waited_for_and_what_they_made_is_stored_as_it_is_now(log: VeleroLog) -> None:
    world = World({"late": item("late"), "later": KubeError(request="GET /x", status=500, reason="broken")})
    results = Results()
    made(world, log=log, results=results).finish()
    assert world.seen[:3] == ["wait", "want late always", "fetch late at its newest"]
    assert list(world.written) == ["late"]
    error = Entry("error", "Error backing up item", "ns", "configmaps", "later", "GET /x: broken")
    assert results.entries() == [error]


def test_definitions_that_are_not_there_are_of_kinds_that_have_none(log: VeleroLog) -> None:
    world, results = World(), Results()
    made(world, log=log, results=results).back_up_definitions(["leases.coordination.k8s.io"])
    assert (world.written, results.entries()) == ({}, [])


@dataclass
class Holding(Action):
    """An action that says what it holds."""

    pulls_in: tuple[str, ...] = ("configmaps",)

    def hold(self, group_resource: str, *, is_fetched: Callable[[str], bool]) -> Hold:
        return Hold(namespaces=frozenset({f"{group_resource} {is_fetched('configmaps')}"}))


@pytest.mark.parametrize(
    ("action", "hold"),
    [
        (Holding(plain), Hold(namespaces=frozenset({"pods True"}))),
        (Holding(plain, applies_to=ResourceSelector(included_resources=("nodes",))), Hold()),
        (Action(plain), Hold(everything=True)),
        (Action(plain, applies_to=ResourceSelector(excluded_resources=("pods",))), Hold()),
        (
            Action(plain, applies_to=ResourceSelector(included_namespaces=("a", "b"))),
            Hold(namespaces=frozenset({"a", "b"})),
        ),
        (
            Action(plain, applies_to=ResourceSelector(included_namespaces=("a", "b*"))),
            Hold(everything=True, namespaces=frozenset({"a"})),
        ),
    ],
)
def test_what_is_held_is_what_hooks_volumes_and_each_action_of_the_kind_ask_for(
    log: VeleroLog, action: Action, hold: Hold
) -> None:
    backupper = made(World(), log=log, results=Results())
    backupper._actions = [action]
    assert backupper.hold("pods") == hold | Hold(names=frozenset({"pods"}))


def test_items_of_kinds_that_no_action_names_are_not_remembered(log: VeleroLog) -> None:
    backupper = made(World(), log=log, results=Results())
    kinds = ("configmaps", "pods")
    backupper._actions = [Holding(plain)]
    assert [backupper.may_be_pulled_in(kind) for kind in kinds] == [True, False]
    backupper._actions = [Holding(plain, pulls_in=())]
    assert [backupper.may_be_pulled_in(kind) for kind in kinds] == [False, False]
    backupper._actions = [Action(plain)]
    assert [backupper.may_be_pulled_in(kind) for kind in kinds] == [True, False]
