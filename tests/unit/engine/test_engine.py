"""The engine through its border: against golden files, a slow reference, and the readers that people use."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnace.engine import Archive, Digest, build_info, read_items
from pinnace.errors import EngineError, MalformedPageError

GOLDEN = Path(__file__).parents[2] / "golden"
MTIME_SECONDS = 1_700_000_000


class Written:
    """The three streams of one archive, gathered while it is made."""

    def __init__(self, *, level: str = "default", threads: int = 2) -> None:
        self.archive = Archive(level=level, mtime_seconds=MTIME_SECONDS, threads=threads)
        self.bytes = b""
        self.index = b""
        self.resource_list = b""

    def page(self, body: bytes, *, chunk_bytes: int = 1 << 20, **names: Any) -> Any:
        page = self.archive.page(request="GET /test", **names)
        for start in range(0, len(body), chunk_bytes):
            page.feed(body[start : start + chunk_bytes])
            self._take()
        return page.finish()

    def finish(self) -> Digest:
        digest = self.archive.finish()
        self._take()
        return digest

    def _take(self) -> None:
        self.bytes += self.archive.take_archive()
        self.index += self.archive.take_index()
        self.resource_list += self.archive.take_resource_list()

    def files(self) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.bytes)) as tar:
            return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]

    def index_entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in gzip.decompress(self.index).splitlines()]


def go_json(document: Any) -> bytes:
    """What Go's `json.Marshal` writes, by Python's `json`."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def config_maps(count: int, *, text: str = "some text, " * 100) -> bytes:
    items = [
        {"metadata": {"name": f"n{n}", "namespace": "ns", "uid": f"u{n}"}, "data": {"b": text, "a": str(n)}}
        for n in range(count)
    ]
    return json.dumps({"kind": "ConfigMapList", "metadata": {"resourceVersion": "7"}, "items": items}).encode()


CONFIG_MAPS: dict[str, Any] = {"group_resource": "configmaps", "api_version": "v1", "kind": "ConfigMap"}


def golden_lists() -> list[tuple[dict[str, Any], bytes]]:
    lists = []
    for path in sorted((GOLDEN / "cluster").glob("api*.json")):
        body = path.read_bytes()
        document = json.loads(body)
        if document.get("kind", "").endswith("List") and document.get("items"):
            lists.append((document, body))
    return lists


def identity(item: dict[str, Any]) -> tuple[str, ...]:
    metadata = item["metadata"]
    return (
        item["apiVersion"],
        item["kind"],
        metadata.get("namespace", ""),
        metadata["name"],
        metadata.get("resourceVersion", ""),
    )


def test_every_golden_item_file_of_the_same_version_is_written_as_velero_wrote_it() -> None:
    """Velero 1.18.1's item files are the truth, byte for byte."""
    written = Written()
    for document, body in golden_lists():
        kind = document["kind"].removesuffix("List")
        api_version = document["apiVersion"]
        group_resource = f"{kind.lower()}s.{api_version.replace('/', '.')}"
        written.page(body, chunk_bytes=1000, group_resource=group_resource, api_version=api_version, kind=kind)
    written.finish()
    ours = {identity(json.loads(text)): text for name, text in written.files().items() if name.endswith(".json")}
    equal, missing = 0, set()
    for path in (GOLDEN / "bucket/backups").glob("*/*.tar.gz"):
        with tarfile.open(path) as tar:
            for member in tar:
                text = tar.extractfile(member).read()  # type: ignore[union-attr]
                if not member.name.endswith(".json"):
                    continue
                found = ours.get(identity(json.loads(text)))
                if found is None:
                    missing.add(json.loads(text)["kind"])
                else:
                    assert found == text, member.name
                    equal += 1
    assert missing <= {"EndpointSlice"}
    assert equal == 574


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.text("abc-.:ü9", min_size=1, max_size=130).filter(lambda name: name not in {".", ".."})


@settings(max_examples=60, deadline=None)
@given(
    items=st.dictionaries(st.tuples(st.just("") | NAMES, NAMES), JSON, max_size=8),
    threads=st.integers(1, 3),
    chunk_bytes=st.integers(1, 4000),
    ascii_only=st.booleans(),
)
def test_the_archive_holds_what_a_slow_reference_writes(
    items: dict[tuple[str, str], Any], threads: int, chunk_bytes: int, ascii_only: bool
) -> None:
    """Python's json and tarfile are the reference; GNU tar's view of long names is tarfile's."""
    documents, expected = [], {"metadata/version": b"1.1.0\n"}
    for (namespace, name), spec in items.items():
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        documents.append({"metadata": metadata, "spec": spec})
        place = f"namespaces/{namespace}/{name}.json" if namespace else f"cluster/{name}.json"
        text = go_json({"apiVersion": "v1", "kind": "ConfigMap", **documents[-1]})
        expected[f"resources/configmaps/{place}"] = text
        expected[f"resources/configmaps/v1-preferredversion/{place}"] = text
    written = Written(threads=threads)
    body = json.dumps({"items": documents}, ensure_ascii=ascii_only).encode()
    summary = written.page(body, chunk_bytes=chunk_bytes, **CONFIG_MAPS)
    written.finish()
    assert summary.written_count == len(items)
    assert written.files() == expected
    names = sorted(f"{namespace}/{name}" if namespace else name for namespace, name in items)
    assert json.loads(gzip.decompress(written.resource_list)) == ({"v1/ConfigMap": names} if names else {})


def test_one_item_is_read_from_its_member_alone() -> None:
    written = Written()
    written.page(config_maps(3000), **CONFIG_MAPS)
    digest = written.finish()
    entries = written.index_entries()
    assert (len(entries), digest.item_count) == (3000, 3000)
    assert digest.member_count > 3
    for entry in entries[::301]:
        start, length = entry["member"]
        plain = gzip.decompress(written.bytes[start : start + length])
        item = plain[entry["offset"] : entry["offset"] + entry["length"]]
        assert json.loads(item)["metadata"]["name"] == entry["name"]
        assert hashlib.sha256(item).hexdigest() == entry["sha256"]


def test_the_digest_is_of_the_bytes() -> None:
    written = Written()
    written.page(config_maps(2000), **CONFIG_MAPS)
    digest = written.finish()
    assert digest.archive_sha256 == hashlib.sha256(written.bytes).hexdigest()
    assert digest.index_sha256 == hashlib.sha256(written.index).hexdigest()
    assert digest.archive_bytes == len(written.bytes)
    assert digest.tar_bytes == len(gzip.decompress(written.bytes))


def test_gzip_and_gnu_tar_read_the_archive(tmp_path: Path) -> None:
    written = Written()
    written.page(config_maps(1500), **CONFIG_MAPS)
    written.finish()
    path = tmp_path / "b.tar.gz"
    path.write_bytes(written.bytes)
    subprocess.run(["gzip", "-t", path], check=True)
    listed = subprocess.run(["tar", "-tzf", path], check=True, capture_output=True, text=True)
    assert listed.stdout.splitlines() == list(written.files())
    assert listed.stderr == ""


@pytest.mark.parametrize("level", ["fast", "default", "small"])
def test_the_number_of_threads_does_not_show(level: str) -> None:
    def bytes_of(threads: int) -> tuple[bytes, bytes, bytes]:
        written = Written(level=level, threads=threads)
        written.page(config_maps(3000), **CONFIG_MAPS)
        written.finish()
        return written.bytes, written.index, written.resource_list

    assert bytes_of(1) == bytes_of(3)


def test_another_thread_runs_while_bytes_are_worked_on() -> None:
    """The GIL is released: a thread that only counts is never kept waiting for a whole feed."""
    body = config_maps(20_000)
    gaps, done = [], threading.Event()

    def watch() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    written = Written(level="small", threads=1)
    written.page(body, chunk_bytes=len(body), **CONFIG_MAPS)
    feed_seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    assert max(gaps) < feed_seconds / 2


def test_a_malformed_page_names_its_request_and_byte() -> None:
    body = b'{"items":[{"metadata":{"name":"x"}},{"a":"\xff"}]}'
    written = Written()
    page = written.archive.page(request="GET /api/v1/pods", **CONFIG_MAPS)
    with pytest.raises(MalformedPageError) as raised:
        page.feed(body)
    assert (raised.value.request, raised.value.reason) == ("GET /api/v1/pods", "invalid_utf8")
    assert raised.value.offset == body.index(b"\xff")
    assert page.item_count == 1
    with pytest.raises(EngineError, match="the page is closed"):
        page.feed(b"")
    assert written.finish().item_count == 1


def test_a_body_that_ends_early_is_truncated() -> None:
    page = Written().archive.page(request="GET /x", **CONFIG_MAPS)
    page.feed(b'{"items":[')
    with pytest.raises(MalformedPageError) as raised:
        page.finish()
    assert (raised.value.offset, raised.value.reason) == (10, "truncated")


def test_one_page_is_open_at_a_time() -> None:
    archive = Written().archive
    page = archive.page(request="GET /x", **CONFIG_MAPS)
    for refused in (
        lambda: archive.page(request="GET /y", **CONFIG_MAPS),
        archive.finish,
    ):
        with pytest.raises(EngineError, match="a page is open"):
            refused()
    page.abandon()
    archive.page(request="GET /y", **CONFIG_MAPS).abandon()
    archive.finish()
    with pytest.raises(EngineError, match="the archive is finished"):
        archive.finish()


def test_a_forgotten_page_is_abandoned() -> None:
    archive = Written().archive
    page = archive.page(request="GET /x", **CONFIG_MAPS)
    del page
    assert archive.finish().item_count == 0


def test_a_broken_response_goes_on_where_it_ended() -> None:
    body = config_maps(10)
    written = Written()
    page = written.archive.page(request="GET /x", **CONFIG_MAPS)
    page.feed(body[: len(body) // 2])
    page.abandon()
    passed, uid = page.item_count, page.last_uid
    assert (passed, uid, page.resource_version) == (4, "u3", "7")
    summary = written.page(body, **CONFIG_MAPS, skip_items=passed, skip_uid=uid)
    assert (summary.written_count, summary.skipped) == (6, {"resumed": 4})
    assert written.finish().item_count == 10
    other = written_with_wrong_uid(body)
    assert other.reason == "resume_mismatch"


def written_with_wrong_uid(body: bytes) -> MalformedPageError:
    with pytest.raises(MalformedPageError) as raised:
        Written().page(body, **CONFIG_MAPS, skip_items=4, skip_uid="other")
    return raised.value


def test_what_was_written_is_not_written_again() -> None:
    written = Written()
    item = b'{"metadata":{"name":"n1","namespace":"ns"}}'
    assert written.archive.add_item(item, **CONFIG_MAPS)
    assert not written.archive.add_item(item, **CONFIG_MAPS)
    summary = written.page(config_maps(3), **CONFIG_MAPS, deduplicate=True)
    assert (summary.written_count, summary.skipped) == (2, {"duplicate": 1})
    assert written.finish().item_count == 3


def test_filters_count_by_reason_and_refused_items_are_described() -> None:
    body = json.dumps(
        {
            "items": [
                {"metadata": {"name": "a", "namespace": "kept"}},
                {"metadata": {"name": "b", "namespace": "left"}},
                {"metadata": {"name": "../c", "namespace": "kept"}},
            ]
        }
    ).encode()
    summary = Written().page(body, **CONFIG_MAPS, excluded_namespaces=["left"])
    assert (summary.namespaces, summary.skipped, summary.refused_count) == ({"kept": 1}, {"namespace": 1}, 1)
    (refused,) = summary.refused
    assert (refused.namespace, refused.name, refused.reason) == ("kept", "../c", "unsafe_name")
    assert body[refused.offset :].startswith(b'{"metadata": {"name": "../c"')


@pytest.mark.parametrize(
    "arguments",
    [{"level": "best", "mtime_seconds": 1}, {"level": "fast", "mtime_seconds": 1 << 33}],
)
def test_an_archive_that_can_not_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        Archive(**arguments)


def test_build_info_says_what_was_built() -> None:
    keys = {"version", "profile", "target", "commit", "deflate", "deflate_version"}
    assert set(build_info()) == keys
    assert all(build_info().values())


def claims(*members: str) -> bytes:
    items = ",".join(
        f'{{"metadata":{{"name":"n{number}","namespace":"ns"}}{member}}}' for number, member in enumerate(members)
    )
    return f'{{"metadata":{{"resourceVersion":"7"}},"items":[{items}]}}'.encode()


VOLUME = ',"spec":{"volumeName":"pv"}'
NO_VOLUME = ',"spec":{"volumeName":""}'


def test_items_with_a_hit_are_handed_out_in_their_place_and_others_archived() -> None:
    written = Written()
    page = written.archive.page(request="GET /x", **CONFIG_MAPS, hold_paths=[("spec", "volumeName")])
    page.feed(claims("", VOLUME, NO_VOLUME, VOLUME, ""))
    held = page.take_held()
    assert [(item.namespace, item.name) for item in held] == [("ns", "n1"), ("ns", "n3")]
    first = (
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n1","namespace":"ns"},"spec":{"volumeName":"pv"}}'
    )
    assert held[0].json == first.encode()
    for item in held:
        page.advance()
        written.archive.add_item(item.json, **CONFIG_MAPS)
    summary = page.finish()
    assert (summary.item_count, summary.written_count, summary.held_count) == (5, 3, 2)
    assert (summary.namespaces, written.finish().item_count) == ({"ns": 3}, 5)
    assert [line["name"] for line in written.index_entries()] == ["n0", "n1", "n2", "n3", "n4"]


def test_held_items_must_be_taken() -> None:
    page = Written().archive.page(request="GET /x", **CONFIG_MAPS, hold_everything=True)
    page.feed(claims("", ""))
    for not_yet in (lambda: page.feed(b""), page.advance, page.finish, page.abandon):
        with pytest.raises(EngineError, match="held items of the page were not taken"):
            not_yet()
    assert len(page.take_held()) == 2
    assert page.finish().held_count == 2


def test_held_items_before_a_byte_that_can_not_be_are_handed_out() -> None:
    page = Written().archive.page(request="GET /x", **CONFIG_MAPS, hold_names={"ns/n0"})
    with pytest.raises(MalformedPageError):
        page.feed(claims("", "").replace(b"n1", b"\xff"))
    assert [item.name for item in page.take_held()] == ["n0"]
    assert (page.item_count, page.abandon().held_count) == (1, 1)


def test_a_registered_item_is_neither_registered_nor_held_again() -> None:
    archive = Written().archive
    assert archive.register(api_version="v1", kind="ConfigMap", namespace="ns", name="n0")
    assert not archive.register(api_version="v1", kind="ConfigMap", namespace="ns", name="n0")
    page = archive.page(request="GET /x", **CONFIG_MAPS, hold_everything=True, deduplicate=True)
    page.feed(claims("", ""))
    assert [item.name for item in page.take_held()] == ["n1"]
    item = b'{"metadata":{"name":"n0","namespace":"ns"}}'
    assert not archive.add_item(item, **CONFIG_MAPS)
    assert archive.add_item(item, **CONFIG_MAPS, registered=True)


def test_items_of_a_list_are_read_without_an_archive() -> None:
    body = (
        b'{"items":[{"metadata":{"name":"a","labels":{"velero.io/exclude-from-backup":"true"}},"n":1.0},'
        b'{"metadata":{"name":"b","deletionTimestamp":"x"}},{"metadata":{"name":".."}}]}'
    )
    items = read_items(body, request="GET /x", api_version="v1", kind="Node")
    assert [item.name for item in items] == ["a", "b"]
    assert b'"n":1.0}' in items[0].json
    with pytest.raises(MalformedPageError, match="GET /x: byte 0"):
        read_items(b"[]", request="GET /x", api_version="v1", kind="Node")


def test_nothing_is_cut_or_adopted_within_a_page_or_after_the_end() -> None:
    written = Written()
    page = written.archive.page(request="GET /test", group_resource="pods", api_version="v1", kind="Pod")
    archive = written.archive
    acts = (
        archive.cut,
        lambda: archive.adopt_index(b""),
        lambda: archive.adopt(archive_bytes=0, archive_sha256="", tar_bytes=0, member_count=0),
    )
    for act in acts:
        with pytest.raises(EngineError, match="a page is open"):
            act()
    page.abandon()
    written.finish()
    with pytest.raises(EngineError, match="the archive is finished"):
        written.archive.cut()


def test_a_stretch_is_members_without_beginning_and_end_of_a_tar() -> None:
    body = json.dumps({"items": [{"metadata": {"name": "a", "namespace": "n"}}]}).encode()
    names: dict[str, Any] = {"group_resource": "pods", "api_version": "v1", "kind": "Pod"}
    stretch, whole = Written(), Written()
    stretch.archive = Archive(level="default", mtime_seconds=MTIME_SECONDS, is_stretch=True)
    for written in (stretch, whole):
        written.archive.cut()
        written.page(body, **names)
    digest, own = stretch.finish(), whole.finish()
    plain = gzip.decompress(stretch.bytes)
    assert (len(plain), digest.tar_bytes) == (4 * 512, 4 * 512), "two entries of a header and a block each"
    assert gzip.decompress(whole.bytes) == gzip.decompress(whole.bytes)[:1024] + plain + bytes(1024)
    assert (own.stretches, digest.stretches) == ([], [])
    with pytest.raises(EngineError, match=r"not a line of an index: \{\}"):
        Written().archive.adopt_index(b"{}\n")
