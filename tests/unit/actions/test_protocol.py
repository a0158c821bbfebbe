"""Which items an action is for, as Velero's resource selectors say."""

import pytest

from pinnace.actions.protocol import ResourceSelector

_APP = {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("selector", "group_resource", "namespace", "matches"),
    [
        (ResourceSelector(), "pods", "ns", True),
        (ResourceSelector(), "nodes", "", True),
        (ResourceSelector(included_resources=("pods",)), "pods", "ns", True),
        (ResourceSelector(included_resources=("pods",)), "pods.metrics.k8s.io", "ns", False),
        (ResourceSelector(included_resources=("*.harbour.example",)), "boats.harbour.example", "ns", True),
        (ResourceSelector(excluded_resources=("pods",)), "pods", "ns", False),
        (ResourceSelector(included_resources=("pods",), excluded_resources=("*",)), "pods", "ns", False),
        (ResourceSelector(included_namespaces=("n*",)), "pods", "ns", True),
        (ResourceSelector(included_namespaces=("other",)), "pods", "ns", False),
        (ResourceSelector(excluded_namespaces=("ns",)), "pods", "ns", False),
        # Only a filter that includes every namespace includes what is in none.
        (ResourceSelector(included_namespaces=("*",)), "nodes", "", True),
        (ResourceSelector(included_namespaces=("ns",)), "nodes", "", False),
        (ResourceSelector(excluded_namespaces=("ns",)), "nodes", "", False),
        (ResourceSelector(label_selector=_APP), "pods", "ns", True),
        (ResourceSelector(label_selector={"matchLabels": {"app": "db"}}), "pods", "ns", False),
    ],
)
def test_an_item_matches_by_kind_namespace_and_labels(
    selector: ResourceSelector, group_resource: str, namespace: str, matches: bool
) -> None:
    assert selector.matches(group_resource, namespace=namespace, labels={"app": "web"}) is matches
