"""A command in a container ends in each way that a kubelet, or what is between, can show, and is cut in time."""

import json
import signal
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from faults.list_server import Answer, serving
from pinnace import interruption
from pinnace.errors import ExecError, ExecExitError, ExecTimeoutError, InterruptedRun, KubeError
from pinnace.kube.client import Client
from pinnace.kube.exec import OUTPUT_BYTES, Output, execute

CLOSE, PING, BINARY = 8, 9, 2
STDOUT, STDERR, ERROR = 1, 2, 3
SUCCESS = {"metadata": {}, "status": "Success"}


def frame(data: bytes, *, opcode: int = BINARY) -> bytes:
    """RFC 6455, 5.2, not masked, as servers send it."""
    head = bytes([0x80 | opcode])
    length = len(data)
    return head + (bytes([length]) if length < 126 else b"\x7f" + struct.pack(">Q", length)) + data


def said(channel: int, text: bytes) -> bytes:
    return frame(bytes([channel]) + text)


def ended(status: dict[str, Any], *, closes: bool = True) -> bytes:
    return said(ERROR, json.dumps(status).encode()) + (frame(b"\x03\xe8", opcode=CLOSE) if closes else b"")


def failure(message: str, **details: Any) -> dict[str, Any]:
    return {"metadata": {}, "status": "Failure", "message": message, **details}


def exit_code(code: object) -> dict[str, Any]:
    causes = [{"reason": "ExitCode", "message": code}]
    return failure("error executing command", reason="NonZeroExitCode", details={"causes": causes})


def run(client: Client, *, seconds: float = 30.0) -> Output:
    return execute(
        client, namespace="shop", pod="db-0", container="db", command=["sh", "-c", "a b&c"], timeout_seconds=seconds
    )


def opened(body: bytes, **answer: Any) -> Answer:
    return Answer(body, status=101, **answer)


def test_a_command_that_ends_well_gives_what_it_said(tmp_path: Path) -> None:
    first = said(STDOUT, b"") + said(STDOUT, b"a ") + frame(b"", opcode=PING) + said(STDERR, b"\xff\n")
    last = frame(bytes([255, STDOUT])) + frame(b"") + said(9, b"no such channel") + ended(SUCCESS)
    body = first + said(STDOUT, b"b\n") + last
    with serving([opened(body)], folder=tmp_path) as (client, asked):
        assert run(client) == Output(stdout="a b", stderr="\ufffd")
    path, _, query = asked.paths[0].partition("?")
    assert path == "/api/v1/namespaces/shop/pods/db-0/exec"
    assert query == "container=db&stdout=true&stderr=true&command=sh&command=-c&command=a%20b%26c"
    sent = {key.lower(): value for key, value in asked.headers[0].items()}
    assert (sent["authorization"], sent["sec-websocket-protocol"]) == (
        "Bearer t",
        "v5.channel.k8s.io,v4.channel.k8s.io",
    )


@pytest.mark.parametrize(
    ("body", "error", "sentence"),
    [
        (ended(exit_code("7")), ExecExitError, "command terminated with exit code 7"),
        (ended(exit_code("seven")), ExecError, "error executing command"),
        (ended(failure("exec: no such file")), ExecError, "exec: no such file"),
        (ended({"status": "Failure"}), ExecError, '{"status": "Failure"}'),
        (ended({}), ExecError, "the connection ended before the command did"),
        (frame(b"", opcode=CLOSE), ExecError, "the connection ended before the command did"),
        (b"", ExecError, "the connection ended before the command did"),
        (b"\x82", ExecError, "the connection ended before the command did"),
        (b"\xff\x00", ExecError, "the connection ended before the command did: rsv is not implemented, yet"),
    ],
)
def test_a_command_that_does_not_end_well_is_an_error_with_what_it_said(
    body: bytes, error: type[ExecError], sentence: str, tmp_path: Path
) -> None:
    with (
        serving([opened(said(STDOUT, b"out") + said(STDERR, b"err") + body)], folder=tmp_path) as (client, _),
        pytest.raises(ExecError) as raised,
    ):
        run(client)
    assert (type(raised.value), str(raised.value)) == (error, sentence)
    assert (raised.value.stdout, raised.value.stderr) == ("out", "err")


def test_of_a_flood_the_beginning_is_kept(tmp_path: Path) -> None:
    body = said(STDOUT, b"y\n" * 20_000) * 100 + ended(SUCCESS)
    with serving([opened(body)], folder=tmp_path) as (client, _):
        output = run(client)
    assert output == Output("y\n" * (OUTPUT_BYTES // 2 - 1) + "y" + f" (and {4_000_000 - OUTPUT_BYTES} more bytes)", "")


@pytest.mark.parametrize(
    ("hold_after", "seconds", "stdout", "sentence"),
    [
        (None, 0.1, "", "timed out after 100ms: no connection to the container came about"),
        (6, 1.0, "", "timed out after 1s"),
        (7, 1.0, "said", "timed out after 1s"),
    ],
    ids=["connecting", "in a message", "between messages"],
)
def test_one_that_hangs_is_cut_wherever_it_waits(
    hold_after: int | None, seconds: float, stdout: str, sentence: str, tmp_path: Path
) -> None:
    held = threading.Event()
    answer = opened(said(STDOUT, b"said") + ended(SUCCESS), hold=held, hold_after=hold_after)
    try:
        with serving([answer], folder=tmp_path) as (client, _), pytest.raises(ExecTimeoutError) as raised:
            run(client, seconds=seconds)
    finally:
        held.set()
    assert (str(raised.value), raised.value.stdout) == (sentence, stdout)


def test_a_refusal_says_what_the_server_says(tmp_path: Path) -> None:
    status = {"kind": "Status", "message": 'pods "db-0" is forbidden: ...', "details": {"kind": "pods"}}
    answers = [Answer(json.dumps(status).encode(), status=403), Answer(b"no backend\n", status=502)]
    with serving(answers, folder=tmp_path) as (client, _):
        with pytest.raises(KubeError) as forbidden:
            run(client)
        with pytest.raises(KubeError) as broken:
            run(client)
    fix = "grant get,create on pods/exec to the user or service account that backs up"
    assert str(forbidden.value) == f'exec shop/db-0: pods "db-0" is forbidden: ...; {fix}'
    assert (broken.value.status, str(broken.value)) == (502, "exec shop/db-0: no backend")


def test_expired_credentials_are_read_anew(tmp_path: Path) -> None:
    answers = [Answer(b'{"message":"Unauthorized"}', status=401), opened(ended(SUCCESS))]
    with serving(answers, folder=tmp_path) as (client, asked):
        assert run(client) == Output("", "")
    assert len(asked.paths) == 2


def test_a_server_that_is_not_there_is_a_refusal_without_a_status(tmp_path: Path) -> None:
    with serving([], folder=tmp_path) as (client, _):
        pass
    with pytest.raises(KubeError, match=r"^exec shop/db-0: .*refused") as raised:
        run(client)
    assert raised.value.status == 0


@pytest.mark.parametrize("hold_after", [pytest.param(None, id="connecting"), pytest.param(7, id="running")])
def test_a_run_that_is_told_to_stop_does_not_wait_for_a_command(
    hold_after: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "_state", interruption._State())
    never = threading.Event()
    answer = opened(said(STDOUT, b"said") + ended(SUCCESS), hold=never, hold_after=hold_after)
    with serving([answer], folder=tmp_path) as (client, _):
        interruption._state.signal_number = signal.SIGTERM
        try:
            with pytest.raises(InterruptedRun):
                run(client, seconds=300)
        finally:
            never.set()
