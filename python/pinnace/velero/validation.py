"""Velero's validation of a Backup: all texts are collected, and any of them is FailedValidation."""

import json
import re
from collections.abc import Iterator, Sequence

from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.hook_spec import hook_errors
from pinnace.velero.includes_excludes import AUTO_EXCLUDED
from pinnace.velero.label_selectors import selector_errors

__all__ = ["filter_errors", "other_errors", "validate"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_CHARACTERS = 253
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_LABEL_CHARACTERS = 63
_DNS_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_MIXED = (
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
    "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
    "exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
)
_ONLY_STAR = "must either contain '*' only, or a non-empty list of items"


def validate(backup: Backup) -> tuple[str, ...]:
    """Everything that Velero would refuse, in its words, and what this version can't do."""
    return (*_name_errors(backup.name), *filter_errors(backup.spec), *other_errors(backup.spec))


def other_errors(spec: BackupSpec) -> Iterator[str]:
    """Say what else keeps a Backup from being made: hooks that can't be read, and what this version can't do."""
    yield from hook_errors(spec.others.get("hooks"))
    yield from spec.unsupported()


def filter_errors(spec: BackupSpec, *, exclude_labelled: Sequence[str] = ()) -> Iterator[str]:
    """Say what is wrong with the filters, in the order of Velero's prepareBackupRequest.

    Only the lists of the filters in use are looked at, without the two kinds of snapshots that a server writes into the
    excludes of a Backup which it has validated (`default_filters`). `exclude_labelled` names the namespaces that carry
    `velero.io/exclude-from-backup=true`: they count as excluded, so that including one of them is an error.
    """
    if spec.uses_old_filters and _is_new(spec):
        yield _MIXED
    if spec.uses_old_filters:
        for text in _list_errors(spec.included_resources, _own(spec.excluded_resources)):
            yield f"Invalid included/excluded resource lists: {text}"
    else:
        cluster = (spec.included_cluster_scoped_resources, spec.excluded_cluster_scoped_resources)
        namespaced = (spec.included_namespace_scoped_resources, spec.excluded_namespace_scoped_resources)
        for scope, (included, excluded) in (("cluster", cluster), ("namespace", namespaced)):
            for text in _scoped_list_errors(included, _own(excluded)):
                yield f"Invalid {scope}-scoped included/excluded resource lists: {text}"
    included = spec.included_namespaces or ("*",)
    excluded = (*spec.excluded_namespaces, *exclude_labelled)
    for text in (*_list_errors(included, excluded), *_namespace_errors(included), *_namespace_errors(excluded)):
        yield f"Invalid included/excluded namespace lists: {text}"
    if spec.label_selector is not None and spec.or_label_selectors:
        yield "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"
    yield from _selector_errors(spec)


def _own(excludes: Sequence[str]) -> list[str]:
    return [name for name in excludes if name not in AUTO_EXCLUDED]


def _name_errors(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name) or len(name) > _NAME_CHARACTERS:
        yield f"invalid backup name {name!r}: lower case letters, digits, '-' and '.' are allowed"


def _is_new(spec: BackupSpec) -> bool:
    return bool(
        spec.included_cluster_scoped_resources
        or spec.excluded_cluster_scoped_resources
        or spec.included_namespace_scoped_resources
        or spec.excluded_namespace_scoped_resources
    )


def _list_errors(includes: Sequence[str], excludes: Sequence[str]) -> Iterator[str]:
    if "*" in includes and len(set(includes)) > 1:
        yield f"includes list {_ONLY_STAR}"
    if "*" in excludes:
        yield "excludes list cannot contain '*'"
    yield from _common(includes, excludes)


def _scoped_list_errors(includes: Sequence[str], excludes: Sequence[str]) -> Iterator[str]:
    if "*" in includes and len(set(includes)) > 1:
        yield f"includes list {_ONLY_STAR}"
    if "*" in excludes and len(set(excludes)) > 1:
        yield f"excludes list {_ONLY_STAR}"
    if "*" in excludes and includes:
        yield "when exclude is '*', include cannot have value"
    yield from _common(includes, excludes)


def _common(includes: Sequence[str], excludes: Sequence[str]) -> Iterator[str]:
    for name in sorted(set(excludes) & set(includes)):
        yield f"excludes list cannot contain an item in the includes list: {name}"


def _namespace_errors(names: Sequence[str]) -> Iterator[str]:
    for name in sorted(set(names) - {""}):
        if glob_error := _glob_error(name):
            yield glob_error
            continue
        plain = re.sub(r"[*?\[\]]", "x", name)
        if len(plain.encode()) > _DNS_LABEL_CHARACTERS:
            yield f"invalid namespace {_quoted(name)}: must be no more than {_DNS_LABEL_CHARACTERS} characters"
        if not _DNS_LABEL.fullmatch(plain):
            text = "must not contain dots" if _NAME.fullmatch(plain) else _DNS_LABEL_TEXT
            yield f"invalid namespace {_quoted(name)}: {text}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _glob_error(pattern: str) -> str:
    """Say what 1.18 refuses in a pattern of a namespace (pkg/util/wildcard)."""
    if re.search(r"[|()!{},]", pattern):
        return "wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,"
    if "**" in pattern:
        return "wildcard pattern contains consecutive asterisks (only single * allowed)"
    rest = pattern
    while mark := re.search(r"[\[\]]", rest):
        if mark[0] == "]":
            return "wildcard pattern contains unmatched closing bracket ']'"
        content, closing, rest = rest[mark.end() :].partition("]")
        if not closing:
            return "wildcard pattern contains unclosed bracket '['"
        if not content:
            return "wildcard pattern contains empty bracket pattern '[]'"
    return ""


def _selector_errors(spec: BackupSpec) -> Iterator[str]:
    """Say what the API server would refuse in every list; in Velero such a Backup fails item by item."""
    if spec.label_selector is not None:
        for text in selector_errors(spec.label_selector):
            yield f"spec.labelSelector: {text}"
    for position, selector in enumerate(spec.or_label_selectors):
        for text in selector_errors(selector):
            yield f"spec.orLabelSelectors[{position}]: {text}"
