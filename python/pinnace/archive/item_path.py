"""Where an item's files lie in an archive, and which item a file is of."""

from dataclasses import dataclass

__all__ = ["VERSION_PATH", "ItemPath", "item_name", "item_paths", "parse_path"]

VERSION_PATH = "metadata/version"
"""The first entry of every archive."""

_PREFERRED = "-preferredversion"


@dataclass(frozen=True)
class ItemPath:
    """What a path says; `version` is "" in the copy that restores read, and ends with the preferred version's mark."""

    group_resource: str
    version: str
    namespace: str
    name: str

    @property
    def item_name(self) -> str:
        """The item as people write it."""
        return item_name(self.group_resource, namespace=self.namespace, name=self.name)

    @property
    def is_preferred(self) -> bool:
        """Tell whether the item must have two files: this one and the one without a version, or the other way."""
        return not self.version or self.version.endswith(_PREFERRED)


def item_name(group_resource: str, *, namespace: str, name: str) -> str:
    """Name an item as people write it: `deployments.apps/ns/name`, `nodes/name`."""
    return "/".join(filter(None, (group_resource, namespace, name)))


def item_paths(group_resource: str, *, api_version: str, namespace: str, name: str) -> tuple[str, str, str]:
    """Give the paths an item can have: as restores read it, of its preferred version, and of any other version."""
    place = f"namespaces/{namespace}/{name}.json" if namespace else f"cluster/{name}.json"
    version = api_version.rpartition("/")[2]
    root = f"resources/{group_resource}"
    return f"{root}/{place}", f"{root}/{version}{_PREFERRED}/{place}", f"{root}/{version}/{place}"


def parse_path(path: str) -> ItemPath | None:
    """Tell which item a file is of; None where the path is no item's."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "resources" or not parts[-1].endswith(".json") or "" in parts or ".." in parts:
        return None
    group_resource, name = parts[1], parts[-1].removesuffix(".json")
    match parts[2:-1]:
        case ["cluster"]:
            return ItemPath(group_resource, "", "", name)
        case [version, "cluster"]:
            return ItemPath(group_resource, version, "", name)
        case ["namespaces", namespace]:
            return ItemPath(group_resource, "", namespace, name)
        case [version, "namespaces", namespace]:
            return ItemPath(group_resource, version, namespace, name)
    return None
