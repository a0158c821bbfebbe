"""Where a Backup is stored and where its volume snapshots would be: Velero's rules over the locations that exist."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ChosenLocation",
    "Document",
    "Unreadable",
    "canonical_provider",
    "choose_location",
    "choose_snapshot_locations",
    "usable_snapshot_locations",
]

Document = Mapping[str, Any]
_PROVIDERS = ("aws", "velero.io/aws")
_ADVICE = (
    "Please address this issue (see `velero backup-location -h` for options) and create a new backup. "
    'Error: BackupStorageLocation.velero.io "{name}" not found'
)


@dataclass(frozen=True)
class Unreadable:
    """A list that the API server did not give, and what it said instead."""

    reason: str


@dataclass(frozen=True)
class ChosenLocation:
    """The name that goes into the Backup, the BackupStorageLocation if it is there, and Velero's errors about it."""

    name: str
    document: Document | None
    errors: tuple[str, ...]


def choose_location(named: str, locations: Sequence[Document] | Unreadable, *, server_default: str) -> ChosenLocation:
    """Choose the BackupStorageLocation: the one named, else the first marked as default, else the server's.

    `locations` are those of the Backup's namespace, in the order of the list.
    """
    known = () if isinstance(locations, Unreadable) else locations
    marked = [_name(location) for location in known if _spec(location).get("default")]
    name = named or (marked[0] if marked else server_default)
    if isinstance(locations, Unreadable):
        return ChosenLocation(name, None, (f"error getting backup storage location: {locations.reason}",))
    found = next((location for location in locations if _name(location) == name), None)
    if found is None:
        which = f"default {name} was not found" if named else f"server default {name} does not exist"
        text = f"an existing backup storage location was not specified at backup creation time and the {which}. "
        return ChosenLocation(name, None, (text + _ADVICE.format(name=name),))
    return ChosenLocation(name, found, tuple(_location_errors(found)))


def _location_errors(location: Document) -> Iterator[str]:
    name, spec = _name(location), _spec(location)
    if spec.get("accessMode") == "ReadOnly":
        yield f"backup can't be created because backup storage location {name} is currently in read-only mode"
    if (location.get("status") or {}).get("phase") != "Available":
        yield f"backup can't be created because BackupStorageLocation {name} is in Unavailable status."
    if spec.get("provider") not in _PROVIDERS:
        yield (
            f"backup storage location {name} has provider {spec.get('provider')}, which is not there yet; "
            "use a location of provider aws"
        )


def choose_snapshot_locations(
    named: Sequence[str], locations: Sequence[Document] | Unreadable, *, server_defaults: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give one VolumeSnapshotLocation for each provider, and Velero's errors; with errors there is no name.

    A provider's location is the one named, else its only one, else the server's default for it.
    """
    if isinstance(locations, Unreadable):
        texts = [f"error getting volume snapshot location named {name}: {locations.reason}" for name in named]
        return (), tuple(texts or [f"error listing volume snapshot locations: {locations.reason}"])
    by_name = {_name(location): location for location in locations}
    chosen: dict[str, str] = {}
    errors = list(_take_named(named, by_name, chosen))
    if not errors:
        errors = list(_complete(by_name, chosen, server_defaults=server_defaults))
    return (() if errors else tuple(chosen.values())), tuple(errors)


def canonical_provider(provider: str) -> str:
    """Give the full name: Velero reads one without a slash as its own (`aws` is `velero.io/aws`)."""
    return provider if "/" in provider else f"velero.io/{provider}"


def usable_snapshot_locations(
    names: Sequence[str],
    locations: Sequence[Document] | Unreadable,
    *,
    named: Collection[str],
    providers: Collection[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Leave out chosen locations whose provider (in full) nobody serves; one that the user named is an error."""
    known = () if isinstance(locations, Unreadable) else locations
    provider_of = {_name(location): _provider(location) for location in known}
    usable = tuple(name for name in names if canonical_provider(provider_of[name]) in providers)
    errors = tuple(
        f"VolumeSnapshotLocation {name}: provider {provider_of[name]} has no snapshotter here; "
        f"known are {', '.join(sorted(providers))}; leave the location out"
        for name in names
        if name in named and name not in usable
    )
    return usable, errors


def _take_named(named: Sequence[str], by_name: Mapping[str, Document], chosen: dict[str, str]) -> Iterator[str]:
    for name in named:
        if name not in by_name:
            yield (
                f"a VolumeSnapshotLocation CRD for the location {name} with the name specified in the backup spec "
                f"needs to be created before this snapshot can be executed. Error: {_not_found(name)}"
            )
            continue
        provider = _provider(by_name[name])
        if chosen.setdefault(provider, name) != name:
            yield (
                f"more than one VolumeSnapshotLocation name specified for provider {provider}: {name}; "
                f"unexpected name was {chosen[provider]}"
            )


def _complete(
    by_name: Mapping[str, Document], chosen: dict[str, str], *, server_defaults: Mapping[str, str]
) -> Iterator[str]:
    providers: dict[str, list[str]] = {}
    for name, location in by_name.items():
        providers.setdefault(_provider(location), []).append(name)
    for provider, names in providers.items():
        if provider in chosen:
            continue
        default = names[0] if len(names) == 1 else server_defaults.get(provider, "")
        if not default:
            yield (
                f"provider {provider} has more than one possible volume snapshot location, and none were specified "
                "explicitly or as a default"
            )
        elif default not in by_name:
            yield f"error getting volume snapshot location named {default}: {_not_found(default)}"
        else:
            chosen[provider] = default


def _not_found(name: str) -> str:
    return f'VolumeSnapshotLocation.velero.io "{name}" not found'


def _name(location: Document) -> str:
    return str(location["metadata"]["name"])


def _spec(location: Document) -> Document:
    spec: Document = location.get("spec") or {}
    return spec


def _provider(location: Document) -> str:
    return str(_spec(location).get("provider") or "")
