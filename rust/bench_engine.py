"""MB/s of the engine for one and two threads beside Python (json, tarfile, gzip) and `gzip -1`, in one run."""

import gzip
import io
import json
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

MEGABYTES = 100
PYTHON_MEGABYTES = 10
ROUND_SECONDS = 0.8
ROOT = Path(__file__).resolve().parents[1]


def example(*, profile: str = "release") -> Path:
    """The engine's example, built with the features that the extension has: with ISA-L where it can be."""
    features = subprocess.run(
        ["just", "features"], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    command = ["cargo", "build", "--profile", profile, "--locked", "-p", "pinnace-engine", "--example", "bench_engine"]
    built = subprocess.run(
        [*command, *features, "--message-format", "json", "--quiet"],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    lines = [json.loads(line) for line in built.stdout.splitlines()]
    return Path(next(line["executable"] for line in lines if line.get("executable")))


def python_rate(body: bytes) -> float:
    """MB/s of page bytes by json, tarfile and gzip -6, writing the same entries."""
    started = time.perf_counter()
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(), mode="wb", compresslevel=6), mode="w") as tar:
        for item in json.loads(body)["items"]:
            item |= {"apiVersion": "v1", "kind": "ConfigMap"}
            text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            place = f"namespaces/{item['metadata']['namespace']}/{item['metadata']['name']}.json"
            for folder in ("resources/configmaps", "resources/configmaps/v1-preferredversion"):
                entry = tarfile.TarInfo(f"{folder}/{place}")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
    return len(body) / (time.perf_counter() - started) / 1e6


def gzip_line(tar: Path, *, level: int, body_bytes: int) -> str:
    """Rate and ratio of GNU gzip on the same tar; page bytes so that it compares with the engine."""
    started = time.perf_counter()
    packed = subprocess.run(["gzip", f"-{level}", "-c", tar], check=True, capture_output=True).stdout
    seconds = time.perf_counter() - started
    ratio = tar.stat().st_size / len(packed)
    return f"gzip -{level} of the same tar: MB/s={body_bytes / seconds / 1e6:.0f} tar/archive={ratio:.2f}"


def main() -> None:
    """Print one line each."""
    engine = example()
    with tempfile.TemporaryDirectory() as folder:
        body, tar = Path(folder, "body.json"), Path(folder, "body.tar")
        subprocess.run([engine, "generate", body, tar, str(MEGABYTES)], check=True)
        body_bytes = body.stat().st_size
        print(f"{body_bytes / 1e6:.0f} MB of list pages, {tar.stat().st_size / 1e6:.0f} MB of tar; MB/s of page bytes")
        for level in ("fast", "default", "small"):
            subprocess.run([engine, body, level, str(ROUND_SECONDS), "1", "2"], check=True)
        for level in (1, 6):
            print(gzip_line(tar, level=level, body_bytes=body_bytes), flush=True)
        subprocess.run([engine, "generate", body, tar, str(PYTHON_MEGABYTES)], check=True)
        print(f"Python (json, tarfile, gzip -6): MB/s={python_rate(body.read_bytes()):.0f}")


if __name__ == "__main__":
    main()
