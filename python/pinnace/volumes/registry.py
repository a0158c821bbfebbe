"""The one registry of native snapshotters: the built-in one, and those that installed packages register."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from pinnace.errors import VolumeError
from pinnace.velero.locations import canonical_provider
from pinnace.volumes.snapshotter import ENTRY_POINT_GROUP, SnapshotterConfig, VolumeSnapshotter

__all__ = ["known_providers", "load_snapshotter"]

Factory = Callable[[SnapshotterConfig], VolumeSnapshotter]


def _aws(config: SnapshotterConfig) -> VolumeSnapshotter:
    from pinnace.volumes import aws_ebs

    return aws_ebs.EbsSnapshotter(
        config.config, location_name=config.location_name, credentials_file=config.credentials_file
    )


_BUILT_IN: Mapping[str, Factory] = {"velero.io/aws": _aws}


def known_providers() -> frozenset[str]:
    """Name the providers that have a snapshotter here, in full."""
    registered = {canonical_provider(one.name) for one in entry_points(group=ENTRY_POINT_GROUP)}
    return frozenset({*_BUILT_IN, *registered})


def load_snapshotter(provider: str, config: SnapshotterConfig) -> VolumeSnapshotter:
    """Make the snapshotter of a location; VolumeError naming it where the provider has none or it can't be made."""
    wanted, place = canonical_provider(provider), f"VolumeSnapshotLocation {config.location_name}"
    factory: Factory | None = _BUILT_IN.get(wanted)
    try:
        for registered in entry_points(group=ENTRY_POINT_GROUP):
            if canonical_provider(registered.name) == wanted:
                factory = registered.load()
        if factory is not None:
            return factory(config)
    except Exception as error:  # anything may go wrong in code of others
        raise VolumeError(reason=f"{place}: its snapshotter can't be used: {error}") from error
    known = ", ".join(sorted(known_providers()))
    raise VolumeError(
        reason=f"{place}: provider {provider} has no snapshotter here; known are {known}",
        fix="install a package that registers it, or leave the location out",
    )
