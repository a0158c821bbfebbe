"""Runs a command in a container of a pod by a websocket to its exec subresource, for a limited time in fixed memory."""

import json
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinnace import interruption
from pinnace.errors import ExecError, ExecExitError, ExecTimeoutError, KubeError
from pinnace.kube.client import Client
from pinnace.kube.refusal import read_status
from pinnace.velero.duration import format_duration

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["OUTPUT_BYTES", "Output", "execute"]

OUTPUT_BYTES = 16 << 10
"""As much of stdout and stderr as is kept: what a person reads in a log. One that floods must not fill our memory."""

_STDOUT, _STDERR, _ERROR = 1, 2, 3
_CLOSED = 255
"""What the first byte of a message says (v4.channel.k8s.io, v5.channel.k8s.io)."""

_STATUS_BYTES = 1 << 20
_FORBIDDEN = 403
_SHORTEST_SECONDS = 0.001
"""A timeout of 0 would mean to a socket that it must not wait at all."""


@dataclass(frozen=True)
class Output:
    """What a command said, each the first 16 KiB, with a note where there was more."""

    stdout: str
    stderr: str


def execute(
    client: Client, *, namespace: str, pod: str, container: str, command: Sequence[str], timeout_seconds: float
) -> Output:
    """Run a command, without a shell and without stdin, and wait for its end; exit code 0 returns what it said.

    ExecExitError for another exit code, ExecTimeoutError after `timeout_seconds` in all (the command may run on, since
    the API can't end it), other ExecErrors where it can't be started or the connection breaks; KubeError where the API
    server refuses. A websocket is opened by a GET: it needs `get` on pods/exec, and since Kubernetes 1.35 `create` too.
    """
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", word) for word in command)]
    import kubernetes.stream.ws_client  # noqa: F401  # takes long, and is not the command's fault

    deadline = _Deadline(timeout_seconds)

    def ask(api_client: "ApiClient") -> Output:
        url, headers, _ = client.serialized(api_client, "GET", path, query=query, headers={})
        websocket = _connected(api_client, url, headers, request=f"exec {namespace}/{pod}", deadline=deadline)
        try:
            return _Conversation(deadline).listen(websocket)
        finally:
            websocket.shutdown()

    return client.renewing(ask)


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self.sentence = f"timed out after {format_duration(seconds)}"

    def left_seconds(self) -> float:
        return max(self._ends_at - time.monotonic(), 0.0)


def _connected(
    api_client: "ApiClient", url: str, headers: Mapping[str, str], *, request: str, deadline: _Deadline
) -> Any:
    """Open the websocket; the library can't be told how long that may take, so a thread waits that can be left."""
    from kubernetes.stream import ws_client

    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    is_late = threading.Event()

    def connect() -> None:
        try:
            answer = ws_client.create_websocket(
                api_client.configuration, ws_client.get_websocket_url(url), {k.lower(): v for k, v in headers.items()}
            )
        except Exception as error:  # whatever it is, who waits for it raises it
            answer = error
        answers.put(answer)
        if is_late.is_set() and not isinstance(answer, Exception):
            answer.shutdown()

    threading.Thread(target=connect, name=request, daemon=True).start()
    try:
        answer = _answer(answers, deadline=deadline)
    except BaseException:
        is_late.set()
        raise
    if isinstance(answer, Exception):
        raise _refusal(answer, request=request) from answer
    return answer


def _answer(answers: "queue.SimpleQueue[Any]", *, deadline: _Deadline) -> Any:
    """What came of connecting; ExecTimeoutError, or InterruptedRun where the run was told to stop."""
    while True:
        interruption.check()
        try:
            return answers.get(timeout=min(deadline.left_seconds(), interruption.LOOK_SECONDS))
        except queue.Empty:
            if not deadline.left_seconds():
                reason = f"{deadline.sentence}: no connection to the container came about"
                raise ExecTimeoutError(reason) from None


def _refusal(error: Exception, *, request: str) -> KubeError:
    """Say why there is no connection; a server that answers gives a status code and mostly a Status."""
    code, body = int(getattr(error, "status_code", 0) or 0), getattr(error, "resp_body", None) or b""
    reason = str(read_status(body).get("message") or body[:200].decode(errors="replace").strip() or error)
    fix = "grant get,create on pods/exec to the user or service account that backs up" if code == _FORBIDDEN else ""
    return KubeError(request=request, status=code, reason=reason, fix=fix)


@dataclass
class _Stream:
    """The beginning of what came, and how much more there was."""

    limit_bytes: int = OUTPUT_BYTES
    kept: bytearray = field(default_factory=bytearray)
    dropped_bytes: int = 0

    def add(self, data: bytes) -> None:
        room = self.limit_bytes - len(self.kept)
        self.kept += data[:room]
        self.dropped_bytes += max(len(data) - room, 0)

    def text(self) -> str:
        more = f" (and {self.dropped_bytes} more bytes)" if self.dropped_bytes else ""
        return self.kept.decode(errors="replace").removesuffix("\n") + more


class _Conversation:
    """Reads what the container says until it says how the command ended."""

    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        self._streams = {_STDOUT: _Stream(), _STDERR: _Stream(), _ERROR: _Stream(_STATUS_BYTES)}

    def listen(self, websocket: Any) -> Output:
        broken = self._read(websocket)
        stdout, stderr = self._streams[_STDOUT].text(), self._streams[_STDERR].text()
        status = read_status(bytes(self._streams[_ERROR].kept))
        if status.get("status") == "Success":
            return Output(stdout, stderr)
        if (code := _exit_code(status)) is not None:
            raise ExecExitError(code=code, stdout=stdout, stderr=stderr)
        if status:
            raise ExecError(str(status.get("message") or json.dumps(status)), stdout=stdout, stderr=stderr)
        raise ExecError(f"the connection ended before the command did{broken}", stdout=stdout, stderr=stderr)

    def _read(self, websocket: Any) -> str:
        """Collect messages until the server closes; give "" or what broke the connection. A flood stops no clock."""
        import websocket as library

        while True:
            try:
                if not self._deadline.left_seconds():
                    raise library.WebSocketTimeoutException
                self._await(websocket.sock)
                websocket.settimeout(max(self._deadline.left_seconds(), _SHORTEST_SECONDS))
                opcode, frame = websocket.recv_data_frame(control_frame=True)
            except library.WebSocketTimeoutException:
                streams = (self._streams[_STDOUT].text(), self._streams[_STDERR].text())
                raise ExecTimeoutError(self._deadline.sentence, stdout=streams[0], stderr=streams[1]) from None
            except library.WebSocketConnectionClosedException:
                return ""
            except (library.WebSocketException, OSError) as error:
                return f": {error}"
            if opcode == library.ABNF.OPCODE_CLOSE:
                return ""
            if opcode in (library.ABNF.OPCODE_BINARY, library.ABNF.OPCODE_TEXT):
                self._take(frame.data)

    def _await(self, connected: socket.socket) -> None:
        """Wait until something came, for as long as there is time; InterruptedRun where the run was told to stop."""
        waiting = select.poll()
        waiting.register(connected, select.POLLIN)
        # TLS may have read ahead what a poll of the socket can't see any more.
        while not (isinstance(connected, ssl.SSLSocket) and connected.pending()):
            interruption.check()
            seconds = min(self._deadline.left_seconds(), interruption.LOOK_SECONDS)
            if waiting.poll(seconds * 1000) or not self._deadline.left_seconds():
                return

    def _take(self, message: bytes) -> None:
        if message and message[0] != _CLOSED and message[0] in self._streams:
            self._streams[message[0]].add(message[1:])


def _exit_code(status: Mapping[str, Any]) -> int | None:
    """The exit code in a Status of reason NonZeroExitCode."""
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            with suppress(ValueError):
                return int(cause.get("message"))
    return None
