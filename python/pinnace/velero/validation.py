"""Velero's validation of a Backup: all texts are collected, and any of them is FailedValidation."""

import re
from collections.abc import Iterator, Sequence

from pinnace.velero.backup import Backup, BackupSpec

__all__ = ["validate"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_CHARACTERS = 253
_MIXED = (
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
    "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
    "exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
)


def validate(backup: Backup) -> tuple[str, ...]:
    """Everything that Velero would refuse, in its words, and what this version can't do."""
    return (*_texts(backup), *backup.spec.unsupported())


def _texts(backup: Backup) -> Iterator[str]:
    spec = backup.spec
    if not _NAME.fullmatch(backup.name) or len(backup.name) > _NAME_CHARACTERS:
        yield f"invalid backup name {backup.name!r}: lower case letters, digits, '-' and '.' are allowed"
    if spec.uses_old_filters and _is_new(spec):
        yield _MIXED
    lists = (
        ("Invalid included/excluded resource lists", spec.included_resources, spec.excluded_resources, False),
        (
            "Invalid cluster-scoped included/excluded resource lists",
            spec.included_cluster_scoped_resources,
            spec.excluded_cluster_scoped_resources,
            True,
        ),
        (
            "Invalid namespace-scoped included/excluded resource lists",
            spec.included_namespace_scoped_resources,
            spec.excluded_namespace_scoped_resources,
            True,
        ),
        ("Invalid included/excluded namespace lists", spec.included_namespaces, spec.excluded_namespaces, False),
    )
    for what, includes, excludes, may_exclude_all in lists:
        for text in _list_texts(includes, excludes, may_exclude_all=may_exclude_all):
            yield f"{what}: {text}"
    if spec.label_selector is not None and spec.or_label_selectors:
        yield "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"


def _is_new(spec: BackupSpec) -> bool:
    return bool(
        spec.included_cluster_scoped_resources
        or spec.excluded_cluster_scoped_resources
        or spec.included_namespace_scoped_resources
        or spec.excluded_namespace_scoped_resources
    )


def _list_texts(includes: Sequence[str], excludes: Sequence[str], *, may_exclude_all: bool) -> Iterator[str]:
    if "*" in includes and len(includes) > 1:
        yield "includes list must either contain '*' only, or a non-empty list of items"
    if "*" in excludes and not may_exclude_all:
        yield "excludes list cannot contain '*'"
    if "*" in excludes and may_exclude_all:
        if len(excludes) > 1:
            yield "excludes list must either contain '*' only, or a non-empty list of items"
        if includes:
            yield "when exclude is '*', include cannot have value"
    for name in excludes:
        if name != "*" and name in includes:
            yield f"excludes list cannot contain an item in the includes list: {name}"
