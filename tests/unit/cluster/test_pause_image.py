"""The pause image is a docker archive whose parts agree with each other."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from pinnace.cluster import pause_image


def _files(archive: bytes) -> dict[str, tuple[bytes, int]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: ((tar.extractfile(entry) or io.BytesIO()).read(), entry.mode) for entry in tar}


def test_the_layer_is_the_program_and_the_config_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"program")
    archive = pause_image.archive(tmp_path / "pause", machine="x86_64")
    files = {name: body for name, (body, _) in _files(archive).items()}
    assert _files(files["layer.tar"]) == {"pause": (b"program", 0o755)}
    assert json.loads(files["manifest.json"]) == [
        {"Config": "config.json", "RepoTags": ["localhost/pinnace-pause:1"], "Layers": ["layer.tar"]}
    ]
    config = json.loads(files["config.json"])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(files['layer.tar']).hexdigest()}"]
    assert (config["architecture"], config["config"]["Entrypoint"]) == ("amd64", ["/pause"])


def test_the_same_program_gives_the_same_archive(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"program")
    first = pause_image.archive(tmp_path / "pause", machine="aarch64")
    assert pause_image.archive(tmp_path / "pause", machine="aarch64") == first
