"""The one registry of backup item actions: the built-in ones, and those that installed packages register."""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from pinnace.actions.pod import PodAction
from pinnace.actions.protocol import ENTRY_POINT_GROUP, ActionContext, BackupItemAction
from pinnace.actions.pvc import ClaimAction
from pinnace.actions.service_account import ServiceAccountAction
from pinnace.errors import ActionLoadError, KubeError

__all__ = ["BUILT_IN", "PULLED_IN", "load_actions", "registered_names"]

Factory = Callable[[ActionContext], BackupItemAction]

BUILT_IN: tuple[Factory, ...] = (PodAction, ClaimAction, ServiceAccountAction)
"""Factories of the actions that every backup has."""

PULLED_IN = frozenset({*PodAction.pulls_in, *ClaimAction.pulls_in, *ServiceAccountAction.pulls_in})
"""Kinds of the items that the built-in ones name."""


def load_actions(
    context: ActionContext, *, on_refused: Callable[[KubeError], None], more: Sequence[Factory] = ()
) -> tuple[BackupItemAction, ...]:
    """Make every action, sorted by name, which is the order in which they get an item.

    `more` are those that a package above this one adds. One that can't be made because the API server refuses what it
    has to know is told to `on_refused` and left out. ActionLoadError where a registered one can't be made otherwise: a
    backup without it would silently lack what it is for.
    """
    actions = []
    for factory in (*BUILT_IN, *more):
        try:
            actions.append(factory(context))
        except KubeError as error:
            on_refused(error)
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            actions.append(entry_point.load()(context))
        except Exception as error:  # anything may go wrong in code of others
            raise ActionLoadError(
                entry_point=f"{entry_point.name} ({entry_point.value})", reason=repr(error)
            ) from error
    return tuple(sorted(actions, key=lambda action: action.name))


def registered_names() -> tuple[str, ...]:
    """Name the actions without making one: the built-in ones, and those of installed packages by their entry points."""
    built_in = (str(getattr(factory, "name", factory)) for factory in BUILT_IN)
    return tuple(sorted((*built_in, *(entry_point.name for entry_point in entry_points(group=ENTRY_POINT_GROUP)))))
