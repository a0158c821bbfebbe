"""Catches the requests that boto3 would send, by its `before-send` event, and answers them as told: no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from pinnace.store.patience import Patience
from pinnace.store.s3 import S3Store
from pinnace.store.s3_config import from_url

__all__ = ["Answer", "CapturedRequests", "bucket_that_answers", "error"]

_CREATED = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
_COMPLETED = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


@dataclass(frozen=True)
class Answer:
    """What the server says."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str = "as told") -> Answer:
    """An S3 error document."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


class _Body(BytesIO):
    def stream(self, *_: object, **__: object) -> Any:
        yield self.read()


@dataclass
class CapturedRequests:
    """The requests in order; `scripted` answers come first, then each gets the one that success has."""

    scripted: list[Answer | Exception] = field(default_factory=list)
    requests: list[AWSPreparedRequest] = field(default_factory=list)
    on_request: Callable[[AWSPreparedRequest], None] = lambda _: None

    def __call__(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Answer one."""
        self.requests.append(request)
        self.on_request(request)
        answer = self.scripted.pop(0) if self.scripted else _success(request)
        if isinstance(answer, Exception):
            raise answer
        headers = {"ETag": '"e"', "Content-Length": str(len(answer.body))} | answer.headers
        return AWSResponse(str(request.url), answer.status, HTTPHeaders.from_dict(headers), _Body(answer.body))

    @property
    def lines(self) -> list[str]:
        """Method, path and query of each."""
        return [f"{request.method} {str(request.url).partition('/b/')[2]}" for request in self.requests]

    def body(self, index: int) -> bytes:
        """The body of one."""
        body = self.requests[index].body or b""
        assert isinstance(body, bytes | bytearray)
        return bytes(body)

    def headers(self, index: int) -> dict[str, str]:
        """The headers of one, names in lower case."""
        return {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in self.requests[index].headers.items()
        }


def _success(request: AWSPreparedRequest) -> Answer:
    if request.method == "DELETE":
        return Answer(204)
    if request.method == "POST":
        return Answer(body=_CREATED if str(request.url).endswith("?uploads") else _COMPLETED)
    return Answer()


def bucket_that_answers(
    *scripted: Answer | Exception, waits_seconds: Sequence[float] = (), options: Mapping[str, str] | None = None
) -> tuple[S3Store, CapturedRequests]:
    """A store over bucket `b` whose client never reaches the network."""
    given = {"s3Url": "https://s3.example", "region": "eu-1", "s3ForcePathStyle": "true", **(options or {})}
    store = S3Store(bucket="b", prefix="", config=from_url(given), patience=Patience(tuple(waits_seconds)))
    captured = CapturedRequests(list(scripted))
    events: Any = store.client.meta.events
    events.register("before-send.s3", captured)
    return store, captured
