"""Bodies that the extension reads over TLS, and what happens where it can't, or where they break off."""

import random
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from command import kubeconfig_of
from faults.list_server import Answer, chunked, listening
from pinnace.cluster import certificates
from pinnace.cluster.certificates import Certificates
from pinnace.engine import Piece
from pinnace.errors import KubeError, ServerUnreachableError
from pinnace.kube import client as kube_client
from pinnace.kube.call import Call
from pinnace.kube.client import Client, connect

_BODY = random.Random(7).randbytes(3_000_000)
_CHUNKED = {"Transfer-Encoding": "chunked"}
_PIECE_BYTES = 100_000


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("tls") / "certificates")


def connected(url: str, *, folder: Path, cluster: dict[str, object], user: object = None) -> Client:
    return connect(kubeconfig=kubeconfig_of(url, folder=folder, user=user or {"token": "t"}, cluster=cluster))


def read(client: Client, call: Call | None = None) -> list[bytes | Piece]:
    with client.open("/list", {}, call=call) as response:
        return list(response.chunks(_PIECE_BYTES))


@pytest.mark.parametrize("chunk_bytes", [1000, 4096, 70_000, len(_BODY)])
def test_a_chunked_body_comes_in_large_pieces_and_its_connection_serves_on(
    tmp_path: Path, tls: Certificates, chunk_bytes: int
) -> None:
    answer = Answer(chunked(_BODY, chunk_bytes=chunk_bytes), headers=_CHUNKED)
    with listening(lambda _: answer, tls=tls) as (url, asked):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        for _ in range(2):
            pieces = read(client)
            assert all(isinstance(piece, Piece) for piece in pieces)
            assert all(_PIECE_BYTES <= len(piece) <= _PIECE_BYTES + (16 << 10) for piece in pieces[:-1])
            assert b"".join(map(bytes, pieces)) == _BODY
    assert asked.connections == 1


def test_a_body_of_known_length_and_a_refusal_come_by_the_same_connection(tmp_path: Path, tls: Certificates) -> None:
    answers = [Answer(_BODY), Answer(b'{"message":"gone"}', status=410), Answer(b"0\r\n\r\n", headers=_CHUNKED)]
    with listening(lambda _: answers.pop(0), tls=tls) as (url, asked):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        assert b"".join(map(bytes, read(client))) == _BODY
        with pytest.raises(KubeError, match="gone"):
            read(client)
        assert read(client) == []
    assert asked.connections == 1


def test_a_response_that_ends_the_connection_is_read_to_its_end(tmp_path: Path, tls: Certificates) -> None:
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers={**_CHUNKED, "Connection": "close"})
    with listening(lambda _: answer, tls=tls) as (url, asked):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        assert b"".join(map(bytes, read(client) + read(client))) == 2 * _BODY
    assert asked.connections == 2


@pytest.mark.parametrize(
    ("body", "cut_after", "why"),
    [
        (chunked(_BODY, chunk_bytes=5000), 1_000_000, "the server closed the connection"),
        (
            chunked(_BODY, chunk_bytes=5000),
            len(chunked(_BODY, chunk_bytes=5000)) - 2,
            "the server closed the connection",
        ),
        (b"5\r\nhello\r\nworld\r\n", None, "the chunked body is broken: a chunk has no size"),
        (b"3\r\nabc\r\n0\r\n\r\nmore", None, "the chunked body is broken: bytes follow its end"),
    ],
)
def test_a_body_that_breaks_off_or_is_broken_says_so(
    tmp_path: Path, tls: Certificates, body: bytes, cut_after: int | None, why: str
) -> None:
    answers = [
        Answer(body, headers=_CHUNKED, cut_after=cut_after),
        Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED),
    ]
    with listening(lambda _: answers.pop(0), tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        with pytest.raises(KubeError, match=f"GET /list: the response broke off: {why}"):
            read(client)
        assert b"".join(map(bytes, read(client))) == _BODY


def test_a_body_that_stands_still_can_be_hung_up_on(tmp_path: Path, tls: Certificates) -> None:
    hold, call = threading.Event(), Call()
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED, hold=hold, hold_after=500_000)
    with listening(lambda _: answer, tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        threading.Timer(0.3, call.hang_up).start()
        with pytest.raises(KubeError, match="broke off"):
            read(client, call)
        hold.set()


def test_a_last_response_of_a_connection_can_be_hung_up_on_too(tmp_path: Path, tls: Certificates) -> None:
    """`http.client` has closed its socket by then."""
    hold, call = threading.Event(), Call()
    headers = {**_CHUNKED, "Connection": "close"}
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=headers, hold=hold, hold_after=500_000)
    with listening(lambda _: answer, tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        threading.Timer(0.3, call.hang_up).start()
        with pytest.raises(KubeError, match="broke off"):
            read(client, call)
        hold.set()


def test_a_body_that_is_not_wanted_any_more_ends_its_connection(tmp_path: Path, tls: Certificates) -> None:
    """At once, also while somebody still has the response, so that the server does not go on with it."""
    hold = threading.Event()
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED, hold=hold, hold_after=500_000)
    with listening(lambda _: answer, tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        with client.open("/list", {}) as response:
            chunks = response.chunks(_PIECE_BYTES)
            next(chunks)
        with pytest.raises(KubeError, match="broke off"):
            list(chunks)
        hold.set()


def test_a_body_that_stands_still_for_too_long_is_given_up(
    tmp_path: Path, tls: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_client, "_READ_TIMEOUT_SECONDS", 0.2)
    hold = threading.Event()
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED, hold=hold, hold_after=500_000)
    with listening(lambda _: answer, tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(tls.ca)})
        with pytest.raises(KubeError, match="broke off: the read operation timed out"):
            read(client)
        hold.set()


def test_a_client_says_who_it_is_by_its_certificate(tmp_path: Path, tls: Certificates) -> None:
    user = {"client-certificate": str(tls.certificate("admin")), "client-key": str(tls.key("admin"))}
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED)
    with listening(lambda _: answer, tls=tls, asks_who=True) as (url, _):
        cluster: dict[str, object] = {"certificate-authority": str(tls.ca)}
        assert isinstance(read(connected(url, folder=tmp_path, cluster=cluster, user=user))[0], Piece)
        with pytest.raises(KubeError, match="GET /list"):
            read(connected(url, folder=tmp_path, cluster=cluster))


def _by_ssl(url: str, tls: Certificates, folder: Path) -> Client:
    del tls
    return connected(url, folder=folder, cluster={"insecure-skip-tls-verify": True})


def _by_another_name(url: str, tls: Certificates, folder: Path) -> Client:
    return connected(
        url, folder=folder, cluster={"certificate-authority": str(tls.ca), "tls-server-name": "kubernetes"}
    )


def _by_a_name(url: str, tls: Certificates, folder: Path) -> Client:
    cluster: dict[str, object] = {"certificate-authority": str(tls.ca)}
    return connected(url.replace("127.0.0.1", "localhost"), folder=folder, cluster=cluster)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(("reached", "is_by_engine"), [(_by_ssl, False), (_by_another_name, True), (_by_a_name, True)])
def test_servers_are_reached_as_the_kubeconfig_says(
    tmp_path: Path, tls: Certificates, reached: Callable[[str, Certificates, Path], Client], is_by_engine: bool
) -> None:
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED)
    with listening(lambda _: answer, tls=tls) as (url, _):
        pieces = read(reached(url, tls, tmp_path))
    assert b"".join(map(bytes, pieces)) == _BODY
    assert {isinstance(piece, Piece) for piece in pieces} == {is_by_engine}


def test_a_server_that_only_ssl_accepts_is_read_by_ssl(tmp_path: Path) -> None:
    """A server's certificate that is its own authority: rustls refuses it, OpenSSL and Go do not."""
    made = Certificates(tmp_path / "self-signed")
    made.folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(made.key("server")), "-out", str(made.certificate("server"))]
    subprocess.run([*command, *files], check=True, capture_output=True)
    answer = Answer(chunked(_BODY, chunk_bytes=5000), headers=_CHUNKED)
    with listening(lambda _: answer, tls=made) as (url, _):
        cluster: dict[str, object] = {"certificate-authority": str(made.certificate("server"))}
        pieces = read(connected(url, folder=tmp_path, cluster=cluster))
    assert b"".join(map(bytes, pieces)) == _BODY
    assert not any(isinstance(piece, Piece) for piece in pieces)


def test_a_foreign_certificate_is_refused_by_the_words_of_ssl(tmp_path: Path, tls: Certificates) -> None:
    other = certificates.ensure(tmp_path / "other")
    with listening(lambda _: Answer(b"{}"), tls=tls) as (url, _):
        client = connected(url, folder=tmp_path, cluster={"certificate-authority": str(other.ca)})
        with pytest.raises(ServerUnreachableError, match="is not accepted"):
            client.version()
