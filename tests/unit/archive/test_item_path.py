"""Paths of an archive say which item they are of, and back."""

import pytest

from pinnace.archive.item_path import ItemPath, item_paths, parse_path


@pytest.mark.parametrize(
    ("item", "paths"),
    [
        (
            ("deployments.apps", "apps/v1", "ns", "web"),
            (
                "resources/deployments.apps/namespaces/ns/web.json",
                "resources/deployments.apps/v1-preferredversion/namespaces/ns/web.json",
                "resources/deployments.apps/v1/namespaces/ns/web.json",
            ),
        ),
        (
            ("nodes", "v1", "", "a.b:c"),
            (
                "resources/nodes/cluster/a.b:c.json",
                "resources/nodes/v1-preferredversion/cluster/a.b:c.json",
                "resources/nodes/v1/cluster/a.b:c.json",
            ),
        ),
    ],
)
def test_an_item_has_these_paths(item: tuple[str, str, str, str], paths: tuple[str, ...]) -> None:
    group_resource, api_version, namespace, name = item
    assert item_paths(group_resource, api_version=api_version, namespace=namespace, name=name) == paths
    parsed = [parse_path(path) for path in paths]
    assert parsed == [
        ItemPath(group_resource, version, namespace, name) for version in ("", "v1-preferredversion", "v1")
    ]
    assert [path.is_preferred for path in parsed if path] == [True, True, False]


@pytest.mark.parametrize(
    "path",
    [
        "metadata/version",
        "resources/pods/cluster/a",
        "resources/pods/a.json",
        "resources/pods/v1/v2/cluster/a.json",
        "resources/pods/namespaces/ns/sub/a.json",
        "resources/pods/namespaces/../a.json",
        "resources//cluster/a.json",
        "other/pods/cluster/a.json",
    ],
)
def test_what_is_no_items_path_is_none(path: str) -> None:
    assert parse_path(path) is None
