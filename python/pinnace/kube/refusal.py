"""What the API server's refusals and failed connections say, as errors that name the fix."""

import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import urllib3

from pinnace.errors import KubeError, ServerUnreachableError

__all__ = ["no_answer", "read_status", "refusal", "retry_after_seconds"]

_STATUS_BYTES = 1 << 20
"""As much of a refusal's body as is read; a Status is far smaller."""

_REFUSED_USER = re.compile(r'User "(?P<user>[^"]+)" cannot (?P<verb>[a-z]+) ')
"""What the API server's authorizer writes into a 403 (k8s.io/apiserver, handlers/responsewriters/errors.go)."""

_LONGEST_RETRY_AFTER_SECONDS = 300.0
"""A server that asks for more is asked again after that."""


def refusal(answer: urllib3.BaseHTTPResponse, *, request: str) -> KubeError:
    """Read an answer whose status is not 200; its connection serves on if the body was read to its end."""
    try:
        body = answer.read(_STATUS_BYTES)
    except (urllib3.exceptions.HTTPError, OSError):
        body = b""
    finally:
        answer.close()
    status = read_status(body)
    reason = str(status.get("message") or body[:200].decode(errors="replace").strip() or answer.reason)
    error = KubeError(
        request=request,
        status=answer.status,
        reason=reason,
        fix=_fix(answer.status, reason=reason, details=_mapping(status.get("details"))),
    )
    error.continue_token = str(_mapping(status.get("metadata")).get("continue") or "")
    error.retry_after_seconds = retry_after_seconds(answer.headers.get("Retry-After"), now=datetime.now(UTC))
    return error


def no_answer(error: Exception, *, request: str, server: str) -> KubeError:
    """Say why a request got no answer; ServerUnreachableError where no connection came about."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ServerUnreachableError(
                request=request,
                status=0,
                reason=f"the certificate of {server} is not accepted: {cause.verify_message}",
                fix="is certificate-authority of the kubeconfig this cluster's?",
            )
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError | urllib3.exceptions.ProtocolError):
            return KubeError(request=request, status=0, reason=_reason(cause))
    return ServerUnreachableError(request=request, status=0, reason=_reason(error), fix=f"is {server} reachable?")


def retry_after_seconds(text: str | None, *, now: datetime) -> float:
    """Read `Retry-After`, seconds or an HTTP date (RFC 9110, 10.2.3); 0 where it is absent or no such thing."""
    if text is None:
        return 0.0
    if text.strip().isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _fix(status: int, *, reason: str, details: Mapping[str, Any]) -> str:
    if status == 401:
        return "log in again, or give another --context"
    if status != 403:
        return ""
    # `details.kind` of a Status is the plural that was asked for.
    plural, group = str(details.get("kind") or ""), str(details.get("group") or "")
    what = ".".join(filter(None, (plural, group))) or "it"
    refused = _REFUSED_USER.search(reason)
    if refused is None:
        return f"grant get,list on {what} to the user or service account that backs up"
    return f"grant {refused['verb']} on {what} to {refused['user']}"


def read_status(body: bytes) -> Mapping[str, Any]:
    """Read a Status (`message`, `reason`, `details` ...); empty where the body is no JSON document."""
    try:
        return _mapping(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk to the roots; urllib3 hangs the cause of a MaxRetryError on its `reason`, others on `args`."""
    while error is not None:
        yield error
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else next(_exceptions(error.args), None)
        error = inner or error.__cause__


def _exceptions(values: tuple[object, ...]) -> Iterator[BaseException]:
    return (value for value in values if isinstance(value, BaseException))


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__
