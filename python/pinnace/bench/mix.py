"""Which items `pinnace bench load` makes: kinds and sizes by seed and number alone, so that anybody gets the same."""

import bisect
import hashlib
import itertools
import math
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pinnace.bench import documents
from pinnace.bench.documents import Names

__all__ = ["CRD", "LARGE_BYTES", "Item", "Kind", "Mix", "namespaces"]

LARGE_BYTES: Final = 1_000_000
"""Of `--large` ConfigMaps: about the most that the API server takes (1 MiB of values)."""

_NAMESPACE_COUNT: Final = 40
_UID_SPACE: Final = uuid.UUID("0d7c1a52-6a44-4a3c-8f5e-2b9f9a7d2a10")
_APPS: Final = ("api", "basket", "billing", "catalog", "gateway", "ledger", "login", "mailer", "search", "shipping")
_TEAMS: Final = ("finance", "logistics", "platform", "shop")
_WORDS: Final = (
    "endpoint", "timeout", "retries", "cache", "region", "feature", "database", "replica", "queue", "level", "token",
    "enabled", "pool", "limit", "eu-central-1", "us-east-1", "true", "false", "https://api.internal.example.com/v2",
    "postgres://db.internal.example.com:5432", "30s", "5m", "warning", "info", "1000", "amqp://queue.example.com",
)  # fmt: skip
_TEXT_BYTES: Final = 2 << 20


@dataclass(frozen=True)
class Kind:
    """A kind of the mix: its share of the items in percent, and the sizes of their JSON, log-normal about a median."""

    api_version: str
    plural: str
    share: int
    median_bytes: int
    spread: float
    make: Callable[[Names, str], dict[str, Any]]
    stored_as: str = ""

    @property
    def registry(self) -> str:
        """The folder of the kind below etcd's /registry."""
        return self.stored_as or self.plural

    def path(self, namespace: str) -> str:
        """Where the API takes a new item."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/namespaces/{namespace}/{self.plural}"


KINDS: Final = (
    Kind("v1", "pods", 26, 4200, 0.35, documents.pod),
    Kind("apps/v1", "replicasets", 16, 3600, 0.3, documents.replica_set),
    Kind("v1", "secrets", 14, 2200, 0.8, documents.secret),
    Kind("v1", "configmaps", 13, 1700, 1.0, documents.configmap),
    Kind("v1", "services", 6, 1300, 0.2, documents.service, stored_as="services/specs"),
    Kind("discovery.k8s.io/v1", "endpointslices", 6, 1800, 0.5, documents.endpoint_slice),
    Kind("v1", "serviceaccounts", 4, 900, 0.2, documents.service_account),
    Kind("bench.pinnace.io/v1", "widgets", 4, 2500, 0.6, documents.widget, stored_as="bench.pinnace.io/widgets"),
    Kind("batch/v1", "jobs", 3, 4000, 0.3, documents.job),
    Kind("rbac.authorization.k8s.io/v1", "rolebindings", 3, 1200, 0.2, documents.role_binding),
    Kind("networking.k8s.io/v1", "networkpolicies", 3, 1200, 0.3, documents.network_policy),
    Kind("rbac.authorization.k8s.io/v1", "roles", 2, 1300, 0.3, documents.role),
)
_CONFIGMAPS: Final = next(kind for kind in KINDS if kind.plural == "configmaps")
_BOUNDS: Final = tuple(itertools.accumulate(kind.share for kind in KINDS))

CRD: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.bench.pinnace.io"},
    "spec": {
        "group": "bench.pinnace.io",
        "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Item:
    """One made item."""

    kind: Kind
    document: dict[str, Any]

    @property
    def namespace(self) -> str:
        """Where it is."""
        return str(self.document["metadata"]["namespace"])

    @property
    def registry_key(self) -> str:
        """Where the API server keeps it in etcd."""
        return f"/registry/{self.kind.registry}/{self.namespace}/{self.document['metadata']['name']}"


class Mix:
    """Makes items by number; `created` gives them what the API server would (a uid, a time, managedFields)."""

    def __init__(self, *, seed: int = 1, created: str = "") -> None:
        self._seed = seed
        self._created = created
        self._text = _settings_text(random.Random(seed))  # noqa: S311 (made to be repeatable)

    def item(self, index: int) -> Item:
        """Item `index`: the same for the same seed, whatever else is made."""
        chance = random.Random(f"{self._seed}/{index}")  # noqa: S311
        kind = KINDS[bisect.bisect_right(_BOUNDS, chance.random() * _BOUNDS[-1])]
        wanted_bytes = int(kind.median_bytes * math.exp(chance.gauss(0.0, kind.spread)))
        return self._filled(kind, f"{index:07}", chance, wanted_bytes=wanted_bytes)

    def large_item(self, index: int) -> Item:
        """ConfigMap `index` of about 1 MB."""
        chance = random.Random(f"{self._seed}/large/{index}")  # noqa: S311
        return self._filled(_CONFIGMAPS, f"large-{index:05}", chance, wanted_bytes=LARGE_BYTES)

    def _filled(self, kind: Kind, number: str, chance: random.Random, *, wanted_bytes: int) -> Item:
        names = self._names(kind, number, chance)
        missing_bytes = max(0, wanted_bytes - _bare_bytes(kind, is_stored=bool(self._created)))
        offset = chance.randrange(len(self._text) - LARGE_BYTES)
        return Item(kind, kind.make(names, self._text[offset : offset + missing_bytes]))

    def _names(self, kind: Kind, number: str, chance: random.Random) -> Names:
        # Namespaces differ in size, as teams do.
        namespace = f"bench-{int(chance.random() ** 2 * _NAMESPACE_COUNT):02}"
        app = chance.choice(_APPS)
        name = f"{app}-{kind.plural[:4]}-{number}"
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).hexdigest()
        uid = str(uuid.uuid5(_UID_SPACE, f"{kind.plural}/{name}")) if self._created else ""
        return Names(name, namespace, app, chance.choice(_TEAMS), digest, uid, self._created)


def namespaces() -> tuple[str, ...]:
    """The namespaces of the mix."""
    return tuple(f"bench-{number:02}" for number in range(_NAMESPACE_COUNT))


def _bare_bytes(kind: Kind, *, is_stored: bool) -> int:
    return _BARE_BYTES[kind.plural, is_stored]


def _measure_bare() -> dict[tuple[str, bool], int]:
    import orjson

    found = {}
    for kind, created in itertools.product(KINDS, ("", "2026-01-02T03:04:05Z")):
        names = Names("search-name-0000000", "bench-00", "search", "platform", "0" * 64, created and "0" * 36, created)
        found[kind.plural, bool(created)] = len(orjson.dumps(kind.make(names, "")))
    return found


_BARE_BYTES: Final = _measure_bare()


def _settings_text(chance: random.Random) -> str:
    """Lines of settings: words that repeat, and now and then a token that does not, as in real ones.

    An item takes a slice of it; two slices are further apart than deflate can see.
    """
    lines = []
    for _ in range(_TEXT_BYTES // 48):
        key = ".".join(chance.choices(_WORDS[:14], k=3))
        value = f"{chance.getrandbits(96):024x}" if chance.random() < 0.3 else " ".join(chance.choices(_WORDS, k=2))
        lines.append(f"{key}={value}")
    return "\n".join(lines)
