"""A large object's parts: their sizes, the memory they may take, and what is done when one fails."""

import threading

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import EndpointConnectionError

from pinnace.errors import ObjectNotFoundError, StoreError, StoreUnavailableError
from pinnace.store import multipart, part_sizes
from pinnace.store.object_store import StretchPlace
from unit.store.captured_requests import Answer, bucket_that_answers, error

_MIB = 1 << 20
_AWAY = EndpointConnectionError(endpoint_url="https://s3.example")
_CREATED = Answer(body=b"<R><UploadId>u1</UploadId></R>")


def test_what_is_held_stays_below_the_budget() -> None:
    """What was fed and not answered yet is held; the bucket is slow, so that an unbounded writer would run ahead."""
    store, captured = bucket_that_answers()
    fed = 0
    held_bytes: list[int] = []

    def be_slow(_: AWSPreparedRequest) -> None:
        threading.Event().wait(0.1)
        held_bytes.append(fed - sum(len(captured.body(index)) for index in range(1, len(captured.requests) - 1)))

    captured.on_request = be_slow
    writer = store.open_writer("k", budget_bytes=24 * _MIB)
    for _ in range(80):
        fed += _MIB
        writer.write(bytes(_MIB))
    writer.commit()
    assert max(held_bytes) == 24 * _MIB
    assert [len(captured.body(index)) for index in range(1, 11)] == [8 * _MIB] * 10


def test_a_budget_of_one_part_lets_writing_and_uploading_alternate() -> None:
    store, captured = bucket_that_answers()
    writer = store.open_writer("k", budget_bytes=8 * _MIB)
    for part in range(1, 4):
        writer.write(bytes(8 * _MIB))
        assert len(captured.requests) == 1 + part
    writer.abort()


def test_chunks_of_any_length_are_cut_into_the_same_parts() -> None:
    body = bytes(range(256)) * 70_000
    for step in (len(body), 1_000_003):
        store, captured = bucket_that_answers()
        with store.open_writer("k") as writer:
            for start in range(0, len(body), step):
                writer.write(body[start : start + step])
            writer.commit()
        parts = [captured.body(index) for index in range(1, len(captured.requests) - 1)]
        assert [len(part) for part in parts] == [8 * _MIB, 8 * _MIB, len(body) - 16 * _MIB]
        assert b"".join(parts) == body


def test_an_object_of_too_many_parts_is_refused_before_the_part_that_is_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "MOST_PARTS", 2)
    store, captured = bucket_that_answers()

    def write() -> None:
        with store.open_writer("k") as writer:
            writer.write(bytes(24 * _MIB))

    with pytest.raises(StoreError) as refused:
        write()
    assert str(refused.value) == (
        "bucket b: s3:PutObject k: the object needs more than 2 parts, which hold 273 GiB; "
        "split the backup by --include-namespaces"
    )
    assert captured.lines[-1] == "DELETE k?uploadId=u1"
    assert [line for line in captured.lines if "partNumber=3" in line] == []


def test_a_part_is_repeated_while_the_bucket_is_away() -> None:
    store, captured = bucket_that_answers(_CREATED, _AWAY, error(503, "SlowDown"), waits_seconds=[0, 0])
    with store.open_writer("k") as writer:
        writer.write(bytes(8 * _MIB))
        writer.commit()
    assert [line for line in captured.lines if "partNumber" in line] == ["PUT k?uploadId=u1&partNumber=1"] * 3


def test_a_part_that_fails_for_good_ends_the_writing_and_the_failed_abort_does_not_hide_it() -> None:
    store, _ = bucket_that_answers(_CREATED, error(403, "AccessDenied"), error(403, "AccessDenied"))

    def write() -> None:
        with store.open_writer("k", budget_bytes=8 * _MIB) as writer:
            writer.write(bytes(8 * _MIB))

    with pytest.raises(StoreError) as failed:
        write()
    assert str(failed.value).startswith("bucket b: s3:PutObject k: as told; grant s3:PutObject")
    (note,) = failed.value.__notes__
    assert note.startswith("and its upload could not be aborted: bucket b: s3:AbortMultipartUpload k: as told; grant")


@pytest.mark.parametrize(("stored_bytes", "is_success"), [(8 * _MIB, True), (7, False)])
def test_a_completion_whose_answer_got_lost_is_one_if_the_object_is_there(stored_bytes: int, is_success: bool) -> None:
    head = Answer(headers={"Content-Length": str(stored_bytes)})
    store, _ = bucket_that_answers(_CREATED, Answer(), _AWAY, error(404, "NoSuchUpload"), head, head, waits_seconds=[0])
    writer = store.open_writer("k")
    writer.write(bytes(8 * _MIB))
    if is_success:
        writer.commit()
    else:
        with pytest.raises(ObjectNotFoundError):
            writer.commit()


def test_an_abort_does_not_wait_for_a_bucket_that_is_away() -> None:
    store, captured = bucket_that_answers(_CREATED, *[_AWAY] * 9, waits_seconds=[3600])
    writer = store.open_writer("k")
    writer.write(bytes(8 * _MIB))
    with pytest.raises(StoreUnavailableError, match="s3:AbortMultipartUpload"):
        writer.abort()
    assert captured.lines[-1] == "DELETE k?uploadId=u1"


def test_a_stretch_that_needs_more_parts_than_it_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_sizes, "MOST_PARTS", 100 + 2 * 3)
    store, captured = bucket_that_answers()

    def write() -> None:
        with store.open_stretch("k", StretchPlace("u1", 1, 2)) as writer:
            writer.write(bytes(40 * _MIB))

    with pytest.raises(StoreError) as refused:
        write()
    assert str(refused.value) == ("bucket b: s3:PutObject k: one of 2 shards needs more than 2 parts; use fewer shards")
    # Parts that had not left when it was refused do not leave any more; none has another stretch's number.
    assert captured.lines[0] == "PUT k.stretch-1-first"
    assert set(captured.lines[1:]) <= {"PUT k?uploadId=u1&partNumber=5", "PUT k?uploadId=u1&partNumber=6"}


def test_the_beginning_of_a_shared_object_keeps_to_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_sizes, "MOST_PARTS", 100 + 2 * 3)
    store, captured = bucket_that_answers()

    def write() -> None:
        with store.open_writer("k") as writer:
            writer.share(stretch_count=2)
            writer.write(bytes(40 * _MIB))

    with pytest.raises(StoreError, match="one of 2 shards needs more than 2 parts; use fewer shards"):
        write()
    assert [line for line in captured.lines if "partNumber=4" in line] == []
    assert captured.lines[-1] == "DELETE k?uploadId=u1"
