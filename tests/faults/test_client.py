"""The client against servers that rotate tokens, sit behind proxies, hold other certificates or are too old."""

import json
import os
import stat
from pathlib import Path

import pytest

import pinnace
from command import kubeconfig_of
from faults.list_server import Answer, listening, serving
from pinnace import interruption
from pinnace.cluster import certificates
from pinnace.errors import KubeError, ServerUnreachableError
from pinnace.kube.client import connect
from pinnace.kube.discovery import discover

_OK = Answer(b'{"major":"1","minor":"35","gitVersion":"v1.35.4"}')
_REFUSED = Answer(b'{"kind":"Status","message":"Unauthorized"}', status=401)


def plugin(folder: Path, script: str) -> dict[str, object]:
    """An exec credential plugin."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}}


def credential(token: str) -> str:
    return json.dumps(
        {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    )


def test_a_request_says_who_asks_and_wants_no_compression(tmp_path: Path) -> None:
    with serving([_OK], folder=tmp_path) as (client, asked):
        client.version()
    (headers,) = asked.headers
    sent = {key.lower(): value for key, value in headers.items() if key.lower() != "host"}
    assert sent == {
        "accept-encoding": "identity",
        "accept": "application/json",
        "user-agent": f"pinnace/{pinnace.__version__}",
        "authorization": "Bearer t",
    }


@pytest.mark.parametrize(
    ("major", "minor", "streams"), [("1", "33", True), ("1", "32", False), ("1", "35+", True), ("2", "0", True)]
)
def test_the_version_tells_whether_lists_are_streamed(tmp_path: Path, major: str, minor: str, streams: bool) -> None:
    answer = Answer(json.dumps({"major": major, "minor": minor}).encode())
    with serving([answer], folder=tmp_path) as (client, _):
        assert not client.streams_lists
        client.version()
    assert client.streams_lists is streams


def busy(retry_after: str) -> Answer:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Answer(b'{"kind":"Status","message":"Too many requests"}', status=429, headers=headers)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of the client, which are not slept."""
    slept: list[float] = []
    monkeypatch.setattr(interruption, "sleep", slept.append)
    return slept


def test_small_requests_are_sent_again_after_the_pause_that_a_busy_server_names(
    tmp_path: Path, pauses: list[float]
) -> None:
    with serving([busy("2"), busy("3"), _OK, busy("4"), _OK], folder=tmp_path) as (client, asked):
        client.version()
        client.send("PATCH", "/x", body={"a": 1})
    assert (pauses, client.throttled_count) == ([2.0, 3.0, 4.0], 3)
    assert asked.paths == ["/version"] * 3 + ["/x"] * 2
    assert asked.bodies[-2:] == [b'{"a": 1}'] * 2


@pytest.mark.parametrize(
    ("answers", "slept"),
    [
        ([busy("")], []),
        ([busy("61")], []),
        ([busy("40"), busy("30")], [40.0]),
        ([busy("2"), busy("")], [2.0]),
        ([Answer(b"{}", status=503, headers={"Retry-After": "1"})], []),
    ],
)
def test_what_names_no_pause_or_stays_busy_for_a_minute_is_the_callers(
    tmp_path: Path, pauses: list[float], answers: list[Answer], slept: list[float]
) -> None:
    with serving(answers, folder=tmp_path) as (client, _), pytest.raises(KubeError, match="GET /version"):
        client.version()
    assert pauses == slept


def test_a_process_that_was_told_to_stop_asks_a_busy_server_no_more(
    tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "is_noted", lambda: True)
    with serving([busy("2")], folder=tmp_path) as (client, _), pytest.raises(KubeError, match="Too many requests"):
        client.version()
    assert pauses == []


def test_a_rotated_token_is_read_anew_when_the_server_refuses_the_old_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    answers = [_OK, _REFUSED, _OK]
    with listening(lambda _: answers.pop(0)) as (url, asked):
        client = connect(kubeconfig=kubeconfig_of(url, user={"tokenFile": str(token)}, folder=tmp_path))
        client.version()
        token.write_text("second")
        client.version()
    sent = [headers["authorization"] for headers in asked.headers]
    assert sent == ["Bearer first", "Bearer first", "Bearer second"]


def test_in_a_pod_the_service_account_is_used_and_its_rotated_token_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, token = certificates.ensure(tmp_path / "tls"), tmp_path / "token"
    token.write_text("first")
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(made.ca))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    answers = [_OK, _REFUSED, _OK]
    with listening(lambda _: answers.pop(0), tls=made) as (url, asked):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", url.rpartition(":")[2])
        client = connect()
        client.version()
        token.write_text("second")
        client.version()
    sent = [headers["authorization"] for headers in asked.headers]
    assert sent == ["bearer first", "bearer first", "bearer second"]
    assert capsys.readouterr().out == ""


def test_a_plugin_is_asked_again_when_the_server_refuses_its_token(tmp_path: Path) -> None:
    user = plugin(tmp_path, f"echo x >>{tmp_path}/runs\necho '{credential('t')}'")
    answers = [_REFUSED, _OK]
    with listening(lambda _: answers.pop(0)) as (url, _):
        connect(kubeconfig=kubeconfig_of(url, user=user, folder=tmp_path)).version()
    assert (tmp_path / "runs").read_text() == "x\nx\n"


def test_a_second_refusal_is_an_error(tmp_path: Path) -> None:
    with serving([_REFUSED] * 2, folder=tmp_path) as (client, asked):
        with pytest.raises(KubeError, match="Unauthorized; log in again, or give another --context"):
            client.version()
        assert len(asked.paths) == 2


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'session expired' >&2; exit 1", "exec: process returned 1. session expired"),
        ("echo nonsense", "exec: failed to decode process output"),
    ],
)
def test_a_plugin_without_credentials_is_one_sentence_and_no_anonymous_request(
    tmp_path: Path, script: str, sentence: str
) -> None:
    config = kubeconfig_of("http://127.0.0.1:1", user=plugin(tmp_path, script), folder=tmp_path)
    with pytest.raises(KubeError) as raised:
        connect(kubeconfig=config)
    assert str(raised.value).startswith(f"getting credentials: {sentence}")
    assert str(raised.value).endswith("; log in again")
    assert raised.value.status == 401


def test_a_plugin_whose_session_ends_during_the_run_is_the_same_sentence(tmp_path: Path) -> None:
    once = f"if [ -e {tmp_path}/ran ]; then echo 'session expired' >&2; exit 1; fi; touch {tmp_path}/ran"
    user = plugin(tmp_path, f"{once}\necho '{credential('t')}'")
    with listening(lambda _: _REFUSED) as (url, _):
        client = connect(kubeconfig=kubeconfig_of(url, user=user, folder=tmp_path))
        with pytest.raises(KubeError, match=r"getting credentials: exec: process returned 1\. session expired"):
            client.version()


def test_a_certificate_of_another_authority_is_one_sentence(tmp_path: Path) -> None:
    made = certificates.ensure(tmp_path / "tls")
    with listening(lambda _: _OK, tls=made) as (url, _):
        client = connect(kubeconfig=kubeconfig_of(url, user={"token": "t"}, folder=tmp_path))
        with pytest.raises(ServerUnreachableError) as raised:
            client.version()
    assert str(raised.value) == (
        f"GET /version: the certificate of {url} is not accepted: unable to get local issuer certificate; "
        "is certificate-authority of the kubeconfig this cluster's?"
    )


def test_a_proxy_of_the_environment_is_used_and_exceptions_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with listening(lambda _: _OK) as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        config = kubeconfig_of("http://cluster.example", folder=tmp_path)
        connect(kubeconfig=config).version()
        assert asked.paths == ["http://cluster.example/version"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with serving([_OK], folder=tmp_path) as (client, direct):
            client.version()
        assert direct.paths == ["/version"]


def test_a_proxy_of_the_kubeconfig_is_used(tmp_path: Path) -> None:
    with listening(lambda _: _OK) as (proxy, asked):
        config = kubeconfig_of(
            "http://cluster.example", user={"token": "t"}, folder=tmp_path, cluster={"proxy-url": proxy}
        )
        connect(kubeconfig=config).version()
    assert asked.paths == ["http://cluster.example/version"]


def test_several_files_in_kubeconfig_are_merged_as_kubectl_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(lambda _: _OK) as (url, asked):
        config = kubeconfig_of(url, folder=tmp_path)
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "absent"), str(config)]))
        connect().version()
    assert asked.paths == ["/version"]
    assert capsys.readouterr().out == ""


def test_no_kubeconfig_at_all_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeError, match="give --kubeconfig and --context"):
        connect(kubeconfig=tmp_path / "absent")


def test_a_server_without_aggregated_discovery_is_one_sentence(tmp_path: Path) -> None:
    old = Answer(b'{"kind":"APIGroupList","groups":[]}')
    with (
        serving([old, old], folder=tmp_path) as (client, _),
        pytest.raises(KubeError, match=r"GET /api: .*aggregated discovery v2; Kubernetes 1\.30 or newer is needed"),
    ):
        discover(client)
