"""The one registry of backup item actions: the built-in ones, and those that installed packages register."""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from pinnace.actions.protocol import ENTRY_POINT_GROUP, ActionContext, BackupItemAction
from pinnace.errors import ActionLoadError

__all__ = ["BUILT_IN", "load_actions"]

Factory = Callable[[ActionContext], BackupItemAction]

BUILT_IN: tuple[Factory, ...] = ()
"""Factories of the actions that every backup has."""


def load_actions(context: ActionContext, *, more: Sequence[Factory] = ()) -> tuple[BackupItemAction, ...]:
    """Make every action, sorted by name, which is the order in which they get an item.

    `more` are those that a package above this one adds. ActionLoadError where a registered one can't be made: a backup
    without it would silently lack what it is for.
    """
    actions = [factory(context) for factory in (*BUILT_IN, *more)]
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            actions.append(entry_point.load()(context))
        except Exception as error:  # anything may go wrong in code of others
            raise ActionLoadError(
                entry_point=f"{entry_point.name} ({entry_point.value})", reason=repr(error)
            ) from error
    return tuple(sorted(actions, key=lambda action: action.name))
