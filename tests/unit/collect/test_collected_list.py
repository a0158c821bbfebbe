"""What is told of a list."""

import base64

import pytest

from pinnace.collect.collected_list import CollectedList, Span, last_key
from pinnace.collect.plan import ListRequest
from pinnace.kube.discovery import ApiResource

_PODS = ApiResource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)


@pytest.mark.parametrize(
    ("token", "key"),
    [
        ('{"v":"meta.k8s.io/v1","rv":9,"start":"/n/a\\u0000"}', "n/a"),
        ('{"v":"meta.k8s.io/v1","rv":9,"start":"node-1\\u0000"}', "node-1"),
        ('{"v":"meta.k8s.io/v1","rv":9}', ""),
        ("[]", ""),
        ("nothing", ""),
    ],
)
def test_the_last_key_is_read_from_an_apiservers_token(token: str, key: str) -> None:
    assert last_key(base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")) == key


def test_a_token_of_one_namespace_is_completed() -> None:
    token = base64.urlsafe_b64encode(b'{"start":"a\\u0000"}').decode()
    assert last_key(token, namespace="n") == "n/a"


def test_a_token_of_another_form_tells_no_key() -> None:
    assert [last_key(token) for token in ("", "t1", "ü", "%%%")] == ["", "", "", ""]


def test_pages_of_one_revision_are_one_span() -> None:
    collected = CollectedList(ListRequest(_PODS))
    for revision, count in (("7", 2), ("7", 3), ("9", 1), ("", 1)):
        collected.add(resource_version=revision, item_count=count, page_bytes=10)
    assert collected.spans == [Span("7", 5), Span("9", 2)]
    assert (collected.revisions, collected.item_count, collected.page_bytes) == (["7", "9"], 7, 40)
