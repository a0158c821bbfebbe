"""When a request of the `velero` CLI is answered, and when it is forgotten."""

from typing import Any

import pytest

from pinnace.dispatcher import download_requests, server_status
from pinnace.dispatcher.download_requests import download_step
from pinnace.dispatcher.server_status import server_status_step, server_version
from unit.dispatcher.documents import NOW, later


def request(*, created: float = -1, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r", "creationTimestamp": later(created)}, **({"status": status} if status else {})}


@pytest.mark.parametrize(
    ("document", "step"),
    [
        (request(), download_requests.Sign()),
        (request(phase="New", created=-599), download_requests.Sign()),
        (request(created=-600), download_requests.Remove()),
        (request(phase="Processed", expiration=later(300)), download_requests.Wait(300.0)),
        (request(phase="Processed", expiration=later(0)), download_requests.Remove()),
        (request(phase="New", expiration=later(-1)), download_requests.Remove()),
    ],
)
def test_a_download_is_signed_for_ten_minutes(document: dict[str, Any], step: object) -> None:
    assert download_step(document, now=NOW) == step


@pytest.mark.parametrize(
    ("document", "step"),
    [
        (request(), server_status.Answer()),
        (request(phase="New"), server_status.Answer()),
        (request(phase="Processed", processedTimestamp=later(-10)), server_status.Wait(50.0)),
        (request(phase="Processed", processedTimestamp=later(-60)), server_status.Remove()),
        (request(phase="Processed", created=-61), server_status.Remove()),
    ],
)
def test_a_server_status_is_told_for_a_minute(document: dict[str, Any], step: object) -> None:
    assert server_status_step(document, now=NOW) == step


def test_the_version_says_whose_api_it_is_and_who_serves_it() -> None:
    assert server_version("0.1.0") == "v1.18.1+pinnace.0.1.0"
