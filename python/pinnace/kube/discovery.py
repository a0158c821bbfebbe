"""What the API server serves: the preferred version of every kind that can be backed up, by aggregated discovery."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinnace.errors import KubeError
from pinnace.kube.client import Client

__all__ = ["ApiResource", "Discovery", "GroupFailure", "SkippedKind", "discover", "read_groups"]

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_VERBS = frozenset({"list", "create", "get", "delete"})
"""Kinds without one of these can't be backed up or restored (pkg/discovery/helper.go)."""


@dataclass(frozen=True)
class ApiResource:
    """A kind as one group version serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    aggregated: bool = False
    """Served by another server, whose revisions are its own."""

    @property
    def group_resource(self) -> str:
        """`deployments.apps`; `pods` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def names(self) -> tuple[str, ...]:
        """What filters may call it, in lower case."""
        return (self.plural, self.singular, self.kind.lower(), *self.short_names)

    @property
    def api_version(self) -> str:
        """`apps/v1`; `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """The path of the list, in one namespace or in all."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


@dataclass(frozen=True)
class GroupFailure:
    """A group version whose server does not answer, so that its kinds are not known or may have changed."""

    group_version: str
    reason: str


@dataclass(frozen=True)
class SkippedKind:
    """A kind that can't be backed up, and why; `names` are what filters may call it, where it has no list."""

    group_resource: str
    reason: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Discovery:
    """The kinds of a cluster in the server's order, group `extensions` last (pkg/discovery/helper.go)."""

    resources: tuple[ApiResource, ...]
    failures: tuple[GroupFailure, ...] = ()
    skipped: tuple[SkippedKind, ...] = field(default=(), repr=False)

    def resolve(self, name: str) -> str:
        """Turn a name of a filter (plural, singular, kind, short name, `plural.group`) into a group resource.

        A group may be cut short (`storageclass.storage`) where no group is that exactly, as in the server's RESTMapper.
        What can't be resolved is kept, so that it matches nothing rather than everything.
        """
        wanted, _, group = name.lower().partition(".")
        named = [resource for resource in self.resources if wanted in resource.names]
        exact = [resource for resource in named if not group or resource.group == group]
        begun = [resource for resource in named if resource.group.startswith(group)]
        return next((resource.group_resource for resource in (*exact, *begun)), name)


def discover(client: Client) -> Discovery:
    """Read aggregated discovery, core group first."""
    documents = [client.get("/api", accept=_ACCEPT), client.get("/apis", accept=_ACCEPT)]
    for path, document in zip(("/api", "/apis"), documents, strict=True):
        if not isinstance(document, dict) or document.get("kind") != "APIGroupDiscoveryList":
            raise KubeError(
                request=f"GET {path}",
                status=200,
                reason="the server does not serve aggregated discovery v2",
                fix="Kubernetes 1.30 or newer is needed",
            )
    groups = [group for document in documents for group in document.get("items") or []]
    return read_groups(groups, aggregated=_aggregated(client))


def read_groups(groups: Sequence[Mapping[str, Any]], *, aggregated: frozenset[str] = frozenset()) -> Discovery:
    """Read the items of `APIGroupDiscoveryList`s; `aggregated` names group versions of other servers."""
    resources: list[ApiResource] = []
    failures: list[GroupFailure] = []
    skipped: list[SkippedKind] = []
    for group in sorted(groups, key=lambda group: _name(group) == "extensions"):
        seen: set[str] = set()
        for version in group.get("versions") or []:
            group_version = "/".join(filter(None, (_name(group), str(version["version"]))))
            if version.get("freshness") == "Stale":
                failures.append(GroupFailure(group_version, "its API server does not answer: discovery is stale"))
            for resource, verbs in _kinds(_name(group), version, is_aggregated=group_version in aggregated):
                if resource.plural in seen:
                    continue
                if missing := sorted(_VERBS - verbs):
                    reason = f"it has no verb {', '.join(missing)}"
                    skipped.append(SkippedKind(resource.group_resource, reason, resource.names))
                    continue
                # Versions stand in order of preference; a kind that only a later version has is taken from there.
                seen.add(resource.plural)
                resources.append(resource)
    return Discovery(tuple(resources), tuple(failures), tuple(skipped))


def _kinds(
    group: str, version: Mapping[str, Any], *, is_aggregated: bool
) -> Iterator[tuple[ApiResource, frozenset[str]]]:
    for entry in version.get("resources") or []:
        response_kind = entry.get("responseKind") or {}
        yield (
            ApiResource(
                group=group,
                version=str(version["version"]),
                kind=str(response_kind.get("kind", "")),
                plural=str(entry["resource"]),
                namespaced=entry.get("scope") == "Namespaced",
                singular=str(entry.get("singularResource", "")),
                short_names=tuple(entry.get("shortNames") or ()),
                aggregated=is_aggregated,
            ),
            frozenset(entry.get("verbs") or ()),
        )


def _name(group: Mapping[str, Any]) -> str:
    return str((group.get("metadata") or {}).get("name", ""))


def _aggregated(client: Client) -> frozenset[str]:
    """Group versions that an APIService hands to another server; who may not list them is told of none."""
    try:
        answer = client.get("/apis/apiregistration.k8s.io/v1/apiservices")
    except KubeError as error:
        if error.status in (403, 404):
            return frozenset()
        raise
    specs = [item.get("spec") or {} for item in answer.get("items") or []]
    return frozenset("/".join(filter(None, (s.get("group"), s.get("version")))) for s in specs if s.get("service"))
