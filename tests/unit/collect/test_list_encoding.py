"""Which kinds are asked for as protobuf, and what an answer is taken for."""

import pytest

from pinnace import engine
from pinnace.collect.list_encoding import JSON, Encoding, Encodings
from pinnace.kube.discovery import ApiResource

_DEPLOYMENTS = ApiResource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True)
_WIDGETS = ApiResource(group="example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)
_CRDS = ApiResource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
_AGGREGATED = ApiResource(
    group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True, aggregated=True
)
PROTOBUF = Encoding("1.35")


@pytest.mark.parametrize(
    ("wanted", "server", "resource", "expected"),
    [
        ("protobuf", "1.35", _DEPLOYMENTS, PROTOBUF),
        ("json", "1.35", _DEPLOYMENTS, JSON),
        ("protobuf", "1.34", _DEPLOYMENTS, JSON),
        ("protobuf", "", _DEPLOYMENTS, JSON),
        ("protobuf", "1.35", _WIDGETS, JSON),
        ("protobuf", "1.35", _CRDS, JSON),
        ("protobuf", "1.35", _AGGREGATED, JSON),
    ],
)
def test_only_kinds_of_the_servers_own_version_are_asked_for_as_protobuf(
    wanted: str, server: str, resource: ApiResource, expected: Encoding
) -> None:
    assert Encodings(wanted, server=server).of(resource) == expected


def test_a_refused_kind_is_asked_for_as_json_from_then_on() -> None:
    encodings = Encodings("protobuf", server="1.35")
    encodings.refuse(_DEPLOYMENTS)
    assert encodings.of(_DEPLOYMENTS) == JSON


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/vnd.kubernetes.protobuf", PROTOBUF),
        ("application/vnd.kubernetes.protobuf;charset=utf-8", PROTOBUF),
        ("application/json", JSON),
        ("", JSON),
    ],
)
def test_an_answer_is_what_its_header_says(content_type: str, expected: Encoding) -> None:
    assert PROTOBUF.answered(content_type) == expected


def test_an_answer_that_nobody_asked_for_as_protobuf_is_read_as_json() -> None:
    assert JSON.answered("application/vnd.kubernetes.protobuf") == JSON


def test_the_header_leaves_the_choice_to_the_server() -> None:
    assert (JSON.accept, PROTOBUF.accept) == (
        "application/json",
        "application/vnd.kubernetes.protobuf, application/json",
    )


def test_the_engine_has_no_table_of_a_version_that_it_does_not_know() -> None:
    assert engine.protobuf_kinds("1.36") == []
    assert ("v1", "Pod") in engine.protobuf_kinds("1.35")
