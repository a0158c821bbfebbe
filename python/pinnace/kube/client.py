"""One connection to the API server: small answers whole, large ones as unread bodies."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson
import urllib3

from pinnace import interruption
from pinnace.engine import Piece
from pinnace.errors import KubeError
from pinnace.kube import credentials
from pinnace.kube.call import Call
from pinnace.kube.engine_socket import chunked_body, release
from pinnace.kube.refusal import no_answer, refusal

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["CHUNK_BYTES", "Access", "Client", "Response", "connect", "describe"]

CHUNK_BYTES = 256 << 10
"""Pieces of a body; the server's own are of 2 to 4 kB, and each costs a step of every station after it."""

Answer = TypeVar("Answer")

_CONNECT_TIMEOUT_SECONDS = 10.0
_THROTTLED = 429
_THROTTLED_SECONDS = 60.0
"""An API server that is busy for longer is not waited for here; who asks may know that it is worth more."""

_PAGE_LIMIT = "500"
_READ_TIMEOUT_SECONDS = 90.0
"""Longer than the apiserver's own request timeout of 60 s, so that its answer is heard."""

_STREAMS_LISTS_SINCE = (1, 33)
"""From here on the apiserver encodes a list item by item, so that its size costs the server no memory."""


def describe(path: str, query: Mapping[str, str]) -> str:
    """Name a request in sentences; a continue token says nothing to people and is cut."""
    shown = "&".join(f"{key}={value if key != 'continue' else '...'}" for key, value in query.items())
    return f"GET {path}?{shown}" if shown else f"GET {path}"


class Response:
    """An answer with status 200 whose body is read in chunks; close it when it is not read to its end."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, request: str, first_byte_seconds: float) -> None:
        self._response = response
        self.request = request
        self.first_byte_seconds = first_byte_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes | Piece]:
        """Read the body in pieces of about that size; a connection that breaks is a KubeError of status 0."""
        try:
            body = chunked_body(self._response)
            while chunk := body.read(chunk_bytes) if body else self._response.read(chunk_bytes):
                yield chunk
            if body:
                release(self._response)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # ValueError: hung up under TLS
            raise KubeError(request=self.request, status=0, reason=f"the response broke off: {error}") from error

    def read(self) -> bytes:
        """Read the whole body, which the caller knows to be small."""
        return b"".join(map(bytes, self.chunks()))

    @property
    def content_type(self) -> str:
        """The header of that name."""
        return str(self._response.headers.get("Content-Type", ""))

    @property
    def raw(self) -> urllib3.BaseHTTPResponse:
        """The unread response, for the client library's own watch."""
        return self._response

    def close(self) -> None:
        """Drop what is unread, and the connection with it; one that was read to its end serves on."""
        self._response.close()


@dataclass(frozen=True)
class Access:
    """What another client needs to reach the same server as the same user; files are "" where there are none."""

    server: str
    ca_file: str
    cert_file: str
    key_file: str
    verifies: bool
    authorization: str = field(repr=False)
    """The header's value, "" for none; a secret, so it is handed on by pipe and never as an argument."""


class Client:
    """Requests to one API server, with the rights of one user; threads may share it.

    `reconnect` reads the credentials anew. It is called once for each time that the server calls them expired (401):
    tokens in files rotate, and those of plugins and certificates run out, while a long run goes on.
    """

    def __init__(self, api_client: "ApiClient", *, reconnect: "Callable[[], ApiClient] | None" = None) -> None:
        self._api_client = api_client
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._version: Mapping[str, str] = {}
        self._throttled_count = 0

    @property
    def api_client(self) -> "ApiClient":
        """The client library's own client, for those of its parts that want it."""
        return self._api_client

    @property
    def access(self) -> Access:
        """The server and the credentials as they are now."""
        configuration = self._api_client.configuration
        return Access(
            server=self.server,
            ca_file=configuration.ssl_ca_cert or "",
            cert_file=configuration.cert_file or "",
            key_file=configuration.key_file or "",
            verifies=bool(configuration.verify_ssl),
            authorization=str(configuration.auth_settings().get("BearerToken", {}).get("value") or ""),
        )

    @property
    def throttled_count(self) -> int:
        """How many requests the API server has answered with 429 so far."""
        return self._throttled_count

    @property
    def server(self) -> str:
        """The server's URL."""
        return str(self._api_client.configuration.host)

    @property
    def streams_lists(self) -> bool:
        """Whether the server is known (by `version()`) to send lists as it encodes them."""
        numbers = [re.match(r"\d+", self._version.get(key, "")) for key in ("major", "minor")]
        return all(numbers) and tuple(int(number[0]) for number in numbers if number) >= _STREAMS_LISTS_SINCE

    @property
    def minor_version(self) -> str:
        """The server's version (by `version()`) without its patch, as `1.35`; "" where it is not known."""
        found = re.match(r"v(\d+\.\d+)\.", self._version.get("gitVersion", ""))
        return found[1] if found else ""

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> Any:
        """Read a small answer and parse it."""
        query = query or {}
        body = self._when_admitted(lambda: self._read(path, query, accept=accept))
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise KubeError(
                request=describe(path, query), status=200, reason=f"the answer is not JSON: {error}"
            ) from error

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Read a list of any length, a page at a time, as the API server gives it now."""
        token = ""
        while True:
            page = self.get(path, {**query, "limit": _PAGE_LIMIT, **({"continue": token} if token else {})})
            yield page
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return

    def _read(self, path: str, query: Mapping[str, str], *, accept: str) -> bytes:
        with self.open(path, query, accept=accept) as response:
            return response.read()

    def _when_admitted(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, and again after the pause that a 429 names, as client-go does: the server has done nothing yet.

        A minute of such pauses, then it is the caller's; so is a 429 that names none.
        """
        waited_seconds = 0.0
        while True:
            try:
                return ask()
            except KubeError as error:
                pause_seconds = error.retry_after_seconds
                waited_seconds += pause_seconds
                is_named = error.status == _THROTTLED and pause_seconds > 0
                if not is_named or waited_seconds > _THROTTLED_SECONDS or interruption.is_noted():
                    raise
            interruption.sleep(pause_seconds)

    def open(
        self, path: str, query: Mapping[str, str], *, accept: str = "application/json", call: Call | None = None
    ) -> Response:
        """Ask, and return as soon as the answer's first bytes are there; KubeError for any status but 200.

        `call` is what another thread may hang up.
        """
        return self.renewing(lambda api_client: self._ask(api_client, path, query, accept=accept, call=call or Call()))

    def renewing(self, ask: Callable[["ApiClient"], Answer]) -> Answer:
        """Ask, and once more with credentials read anew if the server calls them expired."""
        api_client = self._api_client
        try:
            return ask(api_client)
        except KubeError as error:
            if error.status != 401 or self._reconnect is None:
                raise
        return ask(self._renewed(api_client))

    def _ask(
        self, api_client: "ApiClient", path: str, query: Mapping[str, str], *, accept: str, call: Call
    ) -> Response:
        request = describe(path, query)
        started = time.monotonic()
        answer = self._call(
            api_client, "GET", path, query=query, headers={"Accept": accept}, request=request, call=call
        )
        if answer.status != 200:
            raise refusal(answer, request=request)
        return Response(answer, request=request, first_byte_seconds=time.monotonic() - started)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Create, change or delete one object and parse the answer; KubeError for any status but 200, 201 and 202."""

        def ask(api_client: "ApiClient") -> Any:
            return self._send(api_client, method, path, body=body, query=query or {}, content_type=content_type)

        return self._when_admitted(lambda: self.renewing(ask))

    def _send(
        self,
        api_client: "ApiClient",
        method: str,
        path: str,
        *,
        body: Any,
        query: Mapping[str, str],
        content_type: str,
    ) -> Any:
        request = f"{method} {path}"
        answer = self._call(
            api_client,
            method,
            path,
            query=query,
            headers={"Accept": "application/json", "Content-Type": content_type},
            request=request,
            body=body,
        )
        if answer.status not in (200, 201, 202):
            raise refusal(answer, request=request)
        try:
            return orjson.loads(answer.read())
        except (urllib3.exceptions.HTTPError, OSError, orjson.JSONDecodeError) as error:
            raise KubeError(request=request, status=0, reason=f"the answer can't be read: {error}") from error
        finally:
            answer.release_conn()

    def _call(
        self,
        api_client: "ApiClient",
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        request: str,
        body: Any = None,
        call: Call | None = None,
    ) -> urllib3.BaseHTTPResponse:
        url, sent_headers, sent_body = self.serialized(
            api_client, method, path, query=list(query.items()), headers=headers, body=body
        )
        timeouts = (_CONNECT_TIMEOUT_SECONDS, _READ_TIMEOUT_SECONDS)
        try:
            with (call or Call()).in_this_thread():
                answer: urllib3.BaseHTTPResponse = api_client.call_api(
                    method, url, header_params=sent_headers, body=sent_body, _request_timeout=timeouts
                ).response
        except Exception as error:  # the generated client wraps some of urllib3's errors and lets others through
            raise no_answer(error, request=request, server=self.server) from error
        if answer.status == _THROTTLED:
            with self._lock:
                self._throttled_count += 1
        return answer

    def serialized(
        self,
        api_client: "ApiClient",
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: Any = None,
    ) -> tuple[str, dict[str, str], Any]:
        """Give URL, headers with the credentials, and body of a request; also for one that goes another way."""
        # One thread at a time: getting a token may read a file or run a plugin.
        with self._lock, credentials.credentials_failures_raise():
            _, url, sent_headers, sent_body, *_ = api_client.param_serialize(
                method,
                path,
                query_params=list(query),
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )
        return url, sent_headers, sent_body

    def _renewed(self, refused: "ApiClient") -> "ApiClient":
        """Replace the client that was refused, unless another thread did so already."""
        with self._lock:
            if self._api_client is refused and self._reconnect is not None:
                self._api_client = self._reconnect()
            return self._api_client

    def version(self) -> Mapping[str, str]:
        """Read `/version`: `gitVersion`, `major`, `minor` ..."""
        self._version = self.get("/version")
        return self._version


def connect(*, kubeconfig: Path | None = None, context: str | None = None) -> Client:
    """Connect as kubectl does: the file given, $KUBECONFIG, ~/.kube/config; inside a pod, as its service account."""

    def load() -> "ApiClient":
        return credentials.load(kubeconfig=kubeconfig, context=context)

    return Client(load(), reconnect=load)
