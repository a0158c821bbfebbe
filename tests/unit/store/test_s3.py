"""The requests that a bucket gets, as boto3 would send them, and what is made of its answers."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from pinnace.errors import ObjectExistsError, StoreError, StoreUnavailableError
from pinnace.store.open import open_store
from pinnace.store.s3 import S3Store
from unit.store.captured_requests import Answer, CapturedRequests, bucket_that_answers, error

_KEY = b"0123456789abcdef0123456789abcdef"
_SSE_C = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": base64.b64encode(_KEY).decode(),
    "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(
        hashlib.md5(_KEY, usedforsecurity=False).digest()
    ).decode(),
}
_LOST = EndpointConnectionError(endpoint_url="https://s3.example")


def use_every_verb(store: S3Store) -> None:
    store.put("k", b"body")
    store.size("k")
    store.get("k")
    with store.open_writer("large") as writer:
        writer.write(bytes(9 << 20))
        writer.commit()


def those_with(captured: CapturedRequests, wanted: dict[str, str]) -> list[str]:
    return [line for index, line in enumerate(captured.lines) if wanted.items() <= captured.headers(index).items()]


_ALL = [
    "PUT k",
    "HEAD k",
    "GET k",
    "POST large?uploads",
    "PUT large?uploadId=u1&partNumber=1",
    "PUT large?uploadId=u1&partNumber=2",
    "POST large?uploadId=u1",
]


def test_a_customers_key_is_on_every_request_about_content(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(_KEY)
    store, captured = bucket_that_answers(options={"customerKeyEncryptionFile": str(tmp_path / "key")})
    use_every_verb(store)
    assert captured.lines == _ALL
    assert those_with(captured, _SSE_C) == _ALL


def test_tags_are_on_the_requests_that_begin_an_object() -> None:
    store, captured = bucket_that_answers(options={"tagging": "team=a&cost=b"})
    use_every_verb(store)
    assert those_with(captured, {"x-amz-tagging": "team=a&cost=b"}) == ["PUT k", "POST large?uploads"]


def test_server_side_encryption_is_on_the_requests_that_begin_an_object() -> None:
    for options, header in (
        ({"serverSideEncryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"kmsKeyId": "k1"},
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k1"},
        ),
    ):
        store, captured = bucket_that_answers(options=options)
        use_every_verb(store)
        assert those_with(captured, header) == ["PUT k", "POST large?uploads"]


def test_without_an_algorithm_bodies_are_signed_and_carry_no_checksum_and_no_trailer() -> None:
    store, captured = bucket_that_answers()
    use_every_verb(store)
    for index in range(len(captured.requests)):
        headers = captured.headers(index)
        assert not [name for name in headers if "checksum" in name or name in ("x-amz-trailer", "content-encoding")]
    assert captured.headers(0)["x-amz-content-sha256"] == hashlib.sha256(b"body").hexdigest()


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_a_header_of_each_body_and_named_when_the_upload_is_completed(algorithm: str) -> None:
    store, captured = bucket_that_answers(options={"checksumAlgorithm": algorithm})
    use_every_verb(store)
    header = f"x-amz-checksum-{algorithm.lower()}"
    bodies = {0: b"body", 4: bytes(8 << 20), 5: bytes(1 << 20)}
    for index, body in bodies.items():
        (checksum,) = store.config.request_checksum(body).values()
        assert captured.headers(index)[header] == checksum
        assert f"<Checksum{algorithm}>{checksum}".encode() in captured.body(6) or index == 0
    assert captured.headers(3)["x-amz-checksum-algorithm"] == algorithm
    assert not [index for index in range(7) if "x-amz-trailer" in captured.headers(index)]


def test_a_conditional_create_that_was_stored_though_its_answer_got_lost_is_a_success() -> None:
    store, captured = bucket_that_answers(
        _LOST, error(412, "PreconditionFailed"), Answer(body=b"mine"), waits_seconds=[0]
    )
    store.put("k", b"mine", create_only=True)
    assert captured.lines == ["PUT k", "PUT k", "GET k"]
    assert captured.headers(0)["if-none-match"] == "*"


@pytest.mark.parametrize(
    "answers",
    [
        (error(412, "PreconditionFailed"),),
        (_LOST, error(412, "PreconditionFailed"), Answer(body=b"another's")),
    ],
)
def test_a_conditional_create_that_finds_anothers_object_is_refused(answers: tuple[Answer | Exception, ...]) -> None:
    store, _ = bucket_that_answers(*answers, waits_seconds=[0])
    with pytest.raises(ObjectExistsError):
        store.put("k", b"mine", create_only=True)


def test_a_download_that_breaks_off_asks_for_the_rest_of_the_very_same_object() -> None:
    broken = Answer(body=b"01234", headers={"Content-Length": "10", "ETag": '"one"'})
    rest = Answer(206, b"56789", {"ETag": '"one"'})
    store, captured = bucket_that_answers(broken, rest)
    assert b"".join(store.chunks("k", chunk_bytes=5)) == b"0123456789"
    assert [(captured.headers(index).get("range"), captured.headers(index).get("if-match")) for index in (0, 1)] == [
        (None, None),
        ("bytes=5-", '"one"'),
    ]


def test_a_download_of_an_object_that_was_replaced_meanwhile_is_refused() -> None:
    broken = Answer(body=b"01234", headers={"Content-Length": "10"})
    store, _ = bucket_that_answers(broken, error(412, "PreconditionFailed"))
    with pytest.raises(StoreError, match="it was replaced while it was read; read it again"):
        list(store.chunks("k", chunk_bytes=5))


def test_a_download_that_never_goes_on_is_given_up() -> None:
    empty = Answer(body=b"", headers={"Content-Length": "10"})
    store, captured = bucket_that_answers(*[empty] * 9)
    with pytest.raises(StoreUnavailableError, match="bucket b: s3:GetObject k: 0 read, but total bytes expected is 10"):
        list(store.chunks("k"))
    assert len(captured.requests) == 3


def test_a_server_that_ignores_ranges_is_refused_instead_of_mixed_up() -> None:
    store, _ = bucket_that_answers(Answer(body=b"0123456789"))
    with pytest.raises(StoreError, match="the server ignores ranges"):
        store.get("k", offset=3, length=2)


def test_the_folder_markers_of_consoles_are_no_objects() -> None:
    listing = b"<ListBucketResult>%s</ListBucketResult>" % b"".join(
        b"<Contents><Key>%s</Key><Size>0</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>" % key
        for key in (b"backups/", b"backups/b/", b"backups/b//x", b"backups/b/x")
    )
    store, _ = bucket_that_answers(Answer(body=listing))
    assert [info.key for info in store.list_keys("backups/")] == ["backups/b/x"]


def test_a_presigned_url_is_at_the_public_address_and_no_request_is_made() -> None:
    store, captured = bucket_that_answers(options={"publicUrl": "https://public.example:9000"})
    url = store.presigned_get("backups/b/b.tar.gz", expires_seconds=600)
    assert url.startswith("https://public.example:9000/b/backups/b/b.tar.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert "&X-Amz-Expires=600&" in url
    assert "very-secret" not in url
    assert captured.requests == []
    plain, _ = bucket_that_answers()
    assert plain.presigned_get("k", expires_seconds=1).startswith("https://s3.example/b/k?")


@pytest.mark.parametrize(
    ("path_style", "place"), [("true", "public.example/our-backups/p/x"), ("false", "our-backups.public.example/p/x")]
)
def test_a_presigned_url_is_in_the_locations_style_and_region(
    path_style: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    options = f"s3Url=https://s3.example&publicUrl=https://public.example&region=eu-1&s3ForcePathStyle={path_style}"
    url = open_store(f"s3://our-backups/p?{options}").presigned_get("x", expires_seconds=600)
    assert url.startswith(f"https://{place}?")
    assert "%2Feu-1%2Fs3%2Faws4_request" in url


def test_a_presigned_url_for_an_object_with_a_customers_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(_KEY)
    store, _ = bucket_that_answers(options={"customerKeyEncryptionFile": str(tmp_path / "key")})
    with pytest.raises(StoreError, match="a URL can't carry the key; read it with `pinnace backup download`"):
        store.presigned_get("k", expires_seconds=600)


@pytest.fixture
def asked_for_the_region(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that knows where bucket `there` is; gives what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            there = self.path == "/there"
            self.send_response(403 if there else 404)
            if there:
                self.send_header("x-amz-bucket-region", "eu-north-1")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def test_the_region_is_looked_up_from_the_bucket(asked_for_the_region: list[str]) -> None:
    store = open_store("s3://there/p?s3ForcePathStyle=true")
    assert isinstance(store, S3Store)
    assert store.client.meta.region_name == "eu-north-1"
    assert asked_for_the_region == ["/there"]


@pytest.mark.usefixtures("asked_for_the_region")
def test_a_bucket_without_a_region_is_not_there() -> None:
    with pytest.raises(StoreError) as missing:
        open_store("s3://gone?s3ForcePathStyle=true")
    assert str(missing.value) == (
        "bucket gone: find the region (s3:ListBucket): no such bucket; create it, or correct its name"
    )
