"""One connection to the API server: small answers whole, large ones as unread bodies."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
import urllib3

from pinnace.errors import KubeError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["Client", "Response", "connect", "describe"]

_CONNECT_TIMEOUT_SECONDS = 10.0
_READ_TIMEOUT_SECONDS = 90.0
"""Longer than the apiserver's own request timeout of 60 s, so that its answer is heard."""

_STATUS_BYTES = 1 << 20
"""As much of a refusal's body as is read; a Status is far smaller."""


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

    def chunks(self, chunk_bytes: int = 256 << 10) -> Iterator[bytes]:
        """Read the body in pieces; a connection that breaks is a KubeError of status 0."""
        try:
            yield from self._response.stream(chunk_bytes)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeError(request=self.request, status=0, reason=f"the response broke off: {error}") from error
        self._response.release_conn()

    def close(self) -> None:
        """Drop what is unread, and the connection with it."""
        self._response.close()


class Client:
    """Requests to one API server, with the rights of one user."""

    def __init__(self, api_client: "ApiClient") -> None:
        self._api_client = api_client

    @property
    def server(self) -> str:
        """The server's URL."""
        return str(self._api_client.configuration.host)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> Any:
        """Read a small answer and parse it."""
        query = query or {}
        with self.open(path, query, accept=accept) as response:
            body = b"".join(response.chunks())
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise KubeError(
                request=describe(path, query), status=200, reason=f"the answer is not JSON: {error}"
            ) from error

    def open(self, path: str, query: Mapping[str, str], *, accept: str = "application/json") -> Response:
        """Ask, and return as soon as the answer's first bytes are there; KubeError for any status but 200."""
        request = describe(path, query)
        started = time.monotonic()
        answer = self._ask("GET", path, query=query, headers={"Accept": accept}, request=request)
        if answer.status != 200:
            raise _refusal(answer, request=request, method="GET")
        return Response(answer, request=request, first_byte_seconds=time.monotonic() - started)

    def send(self, method: str, path: str, *, query: Mapping[str, str], body: str, content_type: str) -> Any:
        """Change something, and return what the server made of it; KubeError for any status but 200 and 201."""
        request = f"{method} {path}"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        answer = self._ask(method, path, query=query, headers=headers, request=request, body=body)
        if answer.status not in (200, 201):
            raise _refusal(answer, request=request, method=method)
        return orjson.loads(b"".join(Response(answer, request=request, first_byte_seconds=0.0).chunks()))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        request: str,
        body: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Ask, and return the answer with its body unread; KubeError of status 0 where none came."""
        method, url, header_params, *_ = self._api_client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=dict(headers),
            auth_settings=["BearerToken"],
        )
        timeouts = (_CONNECT_TIMEOUT_SECONDS, _READ_TIMEOUT_SECONDS)
        try:
            answer: urllib3.BaseHTTPResponse = self._api_client.call_api(
                method, url, header_params=header_params, body=body, _request_timeout=timeouts
            ).response
        except Exception as error:  # the generated client wraps some of urllib3's errors and lets others through
            raise KubeError(
                request=request, status=0, reason=_reason(error), fix=f"is {self.server} reachable?"
            ) from error
        return answer

    def version(self) -> Mapping[str, str]:
        """Read `/version`: `gitVersion`, `major`, `minor` ..."""
        answer: Mapping[str, str] = self.get("/version")
        return answer


def connect(*, kubeconfig: Path | None = None, context: str | None = None) -> Client:
    """Connect as kubectl does: the file given, $KUBECONFIG, ~/.kube/config; inside a pod, as its service account."""
    import kubernetes.client
    import kubernetes.config

    configuration = kubernetes.client.Configuration()
    try:
        if kubeconfig is None and context is None:
            kubernetes.config.load_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=None if kubeconfig is None else str(kubeconfig),
                context=context,
                client_configuration=configuration,
            )
    except (kubernetes.config.ConfigException, OSError) as error:
        where = kubeconfig or "the default kubeconfig"
        raise KubeError(
            request=f"reading {where}", status=0, reason=str(error), fix="give --kubeconfig and --context"
        ) from error
    # Retries are decided where it is known what was already archived, not below it.
    configuration.retries = urllib3.Retry(0)
    configuration.connection_pool_maxsize = 8
    return Client(kubernetes.client.ApiClient(configuration))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__


def _refusal(answer: urllib3.BaseHTTPResponse, *, request: str, method: str) -> KubeError:
    try:
        body = answer.read(_STATUS_BYTES)
    except (urllib3.exceptions.HTTPError, OSError):
        body = b""
    finally:
        answer.close()
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    error = KubeError(
        request=request,
        status=answer.status,
        reason=str(status.get("message") or body[:200].decode(errors="replace").strip() or answer.reason),
        fix=_fix(answer.status, method=method),
    )
    metadata = status.get("metadata")
    error.continue_token = str(metadata.get("continue", "")) if isinstance(metadata, dict) else ""
    error.retry_after_seconds = _seconds(answer.headers.get("Retry-After"))
    return error


_VERBS = {"GET": "list", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def _fix(status: int, *, method: str) -> str:
    if status == 401:
        return "log in again, or give another --context"
    if status == 403:
        return f"grant the verb {_VERBS[method]} on it to the user or service account that backs up"
    return ""


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 1.0
