"""What a store can't do is said by the right that it needs, and nothing is left of the tries."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pinnace.errors import ConditionUnsupportedError, StoreError
from pinnace.store.capabilities import Capability, Result, capabilities
from pinnace.store.filesystem import FilesystemStore
from pinnace.store.object_store import ObjectWriter, Upload

_NO_URLS = "; `velero backup logs` and `download` need such URLs"
_UNNOTICED = "two runs of one name at once would not be noticed"


class WeakStore(FilesystemStore):
    """A folder that fails as buckets do."""

    def __init__(self, root: Path, *, weakness: str) -> None:
        super().__init__(root)
        self._weakness = weakness

    def put(self, key: str, body: bytes, *, create_only: bool = False) -> None:
        if self._weakness == "no put":
            raise StoreError(location=self.location, action=f"s3:PutObject {key[:9]}", reason="denied")
        if self._weakness == "no condition" and create_only:
            raise ConditionUnsupportedError(location=self.location, action="s3:PutObject", reason="NotImplemented")
        super().put(key, body, create_only=create_only and self._weakness != "condition ignored")

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        if self._weakness == "ranges ignored":
            return super().get(key)
        return super().get(key, offset=offset, length=length)

    def uploads(self, prefix: str) -> Iterator[Upload]:
        if self._weakness == "no list of uploads":
            raise StoreError(location=self.location, action="s3:ListBucketMultipartUploads", reason="denied")
        return super().uploads(prefix)

    def open_writer(self, key: str, **options: Any) -> ObjectWriter:
        writer = super().open_writer(key, **options)
        if self._weakness == "no abort":
            writer.abort = self._denied_abort  # type: ignore[method-assign]
        return writer

    def _denied_abort(self) -> None:
        raise StoreError(location=self.location, action="s3:AbortMultipartUpload", reason="denied")

    def exists(self, key: str) -> bool:
        if self._weakness == "no look":
            raise StoreError(location=self.location, action=f"s3:GetObject {key}", reason="denied")
        return super().exists(key)

    def delete(self, key: str) -> None:
        if self._weakness != "delete ignored":
            super().delete(key)


def tried(store: FilesystemStore) -> dict[str, Capability]:
    return {each.name: each for each in capabilities(store)}


def test_a_folder_can_do_all_but_urls(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    found = [(each.name, each.right, each.result.value, each.detail) for each in capabilities(store)]
    assert [row[:3] for row in found] == [
        ("list", "s3:ListBucket", "works"),
        ("put", "s3:PutObject", "works"),
        ("conditional create", "s3:PutObject", "works"),
        ("ranged read", "s3:GetObject", "works"),
        ("presigned URL", "s3:GetObject", "lacks"),
        ("multipart upload", "s3:PutObject", "works"),
        ("abort an upload", "s3:AbortMultipartUpload", "works"),
        ("list uploads", "s3:ListBucketMultipartUploads", "works"),
        ("delete", "s3:DeleteObject", "works"),
    ]
    assert "a folder has no URLs" in found[4][3]
    assert found[4][3].endswith(_NO_URLS)
    assert list(store.list_keys("")) == []
    assert list(store.uploads("")) == []


def test_a_read_only_store_is_only_listed(tmp_path: Path) -> None:
    store = WeakStore(tmp_path, weakness="no put")
    assert list(capabilities(store, is_read_only=True)) == [Capability("list", "s3:ListBucket", Result.WORKS)]


@pytest.mark.parametrize(
    ("weakness", "name", "result", "has_detail"),
    [
        ("no put", "put", Result.FAILS, lambda text: text.endswith("s3:PutObject metadata/: denied")),
        ("no condition", "conditional create", Result.LACKS,
         lambda text: text == f"it has no conditional create: {_UNNOTICED}"),
        ("condition ignored", "conditional create", Result.LACKS,
         lambda text: text == f"it ignores If-None-Match and replaced an object: {_UNNOTICED}"),
        ("ranges ignored", "ranged read", Result.FAILS, lambda text: "a range is not what was asked for" in text),
        ("no abort", "abort an upload", Result.FAILS, lambda text: text.endswith("s3:AbortMultipartUpload: denied")),
        ("no list of uploads", "list uploads", Result.FAILS, lambda text: text.endswith("Uploads: denied")),
        ("no look", "delete", Result.WORKS, lambda text: text == ""),
        ("delete ignored", "delete", Result.FAILS, lambda text: "it is still there" in text),
    ],
)  # fmt: skip
def test_what_does_not_work_is_named(
    tmp_path: Path, weakness: str, name: str, result: Result, has_detail: Callable[[str], Any]
) -> None:
    found = tried(WeakStore(tmp_path, weakness=weakness))
    assert (found[name].result, bool(has_detail(found[name].detail))) == (result, True), found[name].detail
    assert ("multipart upload" in found) is (weakness != "no put")
