"""The verbs that read, as their users run them, over what the real Velero wrote: in a folder and in a real bucket."""

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from command import PINNACE, pinnace
from integration.s3_fixtures import new_bucket
from integration.s3_server import SeaweedServer
from pinnace.store.open import open_store

_GOLDEN = Path(__file__).parents[1] / "golden" / "bucket"
_NAMES = ["golden-all", "golden-namespace", "golden-newfilters", "golden-resources", "golden-selector"]


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path, credentials: None) -> str:
    """A store that holds the golden backups; changes to it concern nobody else."""
    if request.param == "folder":
        where = tmp_path.as_uri()
    else:
        server: SeaweedServer = request.getfixturevalue("s3_server")
        where = server.store_url(new_bucket(server), "clusters/prod")
    store = open_store(where)
    for path in sorted(_GOLDEN.rglob("*")):
        if path.is_file():
            store.put(path.relative_to(_GOLDEN).as_posix(), path.read_bytes())
    return where


def test_get_lists_them_with_velero_s_columns(url: str) -> None:
    shown = pinnace("backup", "get", "--store", url)
    lines = [re.split(r"  +", line) for line in shown.stdout.splitlines()]
    assert lines[0] == [
        "NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR",
    ]  # fmt: skip
    assert [line[0] for line in lines[1:]] == _NAMES
    selector = [*lines[-1][:5], *lines[-1][6:]]
    assert selector == ["golden-selector", "Completed", "0", "0", "2026-11-23 23:41:37 +0000 UTC", "default", "app=web"]
    documents = json.loads(pinnace("backup", "get", "--store", url, "-o", "json").stdout)
    assert documents == [
        json.loads((_GOLDEN / "backups" / name / "velero-backup.json").read_bytes()) for name in _NAMES
    ]


def test_describe_shows_it_for_people_and_programs(url: str) -> None:
    text = pinnace("backup", "describe", "golden-resources", "--store", url, "--details").stdout
    assert text.startswith("Name:         golden-resources\nNamespace:    velero\n")
    listed = (
        "Resource List:\n  v1/ConfigMap:\n    - golden-a/awkward\n    - golden-a/kube-root-ca.crt\n"
        "  v1/Pod:\n    - golden-a/db-0\n    - golden-a/web-7dbb774d-h2clq\n    - golden-a/web-7dbb774d-xr7pv\n"
    )
    assert listed in text
    document = yaml.safe_load(pinnace("backup", "describe", "golden-resources", "--store", url, "-o", "yaml").stdout)
    assert {key: document[key] for key in ("manifest", "results", "resourceCounts", "archiveBytes")} == {
        "manifest": None,
        "results": [],
        "resourceCounts": {"v1/ConfigMap": 2, "v1/Pod": 3},
        "archiveBytes": 3673,
    }


def test_a_log_that_is_not_there_is_one_sentence_and_one_that_is_there_is_printed(url: str) -> None:
    missing = pinnace("backup", "logs", "golden-all", "--store", url)
    assert (missing.returncode, missing.stdout) == (6, "")
    assert "backup golden-all has no log: backups/golden-all/golden-all-logs.gz is not there" in missing.stderr
    store = open_store(url)
    store.put("backups/golden-all/golden-all-logs.gz", gzip.compress(b"a line\n") + gzip.compress("ä\n".encode()))
    assert pinnace("backup", "logs", "golden-all", "--store", url).stdout == "a line\nä\n"


def test_contents_come_from_the_archive(url: str) -> None:
    arguments = ("backup", "contents", "golden-resources", "--store", url)
    assert pinnace(*arguments).stdout.splitlines() == [
        "pods/golden-a/db-0",
        "pods/golden-a/web-7dbb774d-h2clq",
        "pods/golden-a/web-7dbb774d-xr7pv",
        "configmaps/golden-a/awkward",
        "configmaps/golden-a/kube-root-ca.crt",
    ]
    documents = json.loads(pinnace(*arguments, "-o", "json").stdout)
    assert documents[0] == {"groupResource": "pods", "namespace": "golden-a", "name": "db-0", "bytes": 2962}
    assert yaml.safe_load(pinnace(*arguments, "-o", "yaml").stdout) == documents


def test_download_writes_a_new_file_or_stdout(url: str, tmp_path: Path) -> None:
    archive = (_GOLDEN / "backups/golden-all/golden-all.tar.gz").read_bytes()
    target = tmp_path / "a.tar.gz"
    arguments = ("backup", "download", "golden-all", "--store", url, "--to")
    assert (pinnace(*arguments, str(target)).stdout, target.read_bytes()) == (f"{target}\n", archive)
    again = pinnace(*arguments, str(target))
    assert (again.returncode, again.stderr) == (2, f"error: {target} exists; give another file with --to\n")
    piped = subprocess.run([*PINNACE, *arguments, "-"], capture_output=True, check=True)
    assert (piped.stdout, piped.stderr) == (archive, b"")


def test_extract_prints_an_item_and_names_one_that_is_not_there(url: str) -> None:
    arguments = ("backup", "extract", "golden-all", "--store", url)
    for item in ("clusterroles.rbac.authorization.k8s.io/golden:reader", "pods/golden-a/db-0"):
        assert json.loads(pinnace(*arguments, item).stdout)["metadata"]["name"] == item.rpartition("/")[2]
    missing = pinnace(*arguments, "pods/nowhere")
    assert (missing.returncode, missing.stdout) == (6, "")
    assert "backup golden-all has no item pods/nowhere; `pinnace backup contents golden-all` lists" in missing.stderr


@pytest.mark.parametrize("name", ["golden-all", "golden-selector"])
def test_verify_says_what_it_proved_and_what_not(url: str, name: str) -> None:
    verified = json.loads(pinnace("backup", "verify", name, "--store", url, "-o", "json").stdout)
    backup = json.loads((_GOLDEN / "backups" / name / "velero-backup.json").read_bytes())
    assert (verified["backup_name"], verified["written_by"]) == (name, "another tool")
    assert verified["item_count"] == backup["status"]["progress"]["itemsBackedUp"]
    assert (len(verified["proven"]), len(verified["not_proven"])) == (4, 2)


def test_verify_exits_with_5_and_one_sentence_at_a_difference(url: str) -> None:
    store = open_store(url)
    key = "backups/golden-all/golden-all-resource-list.json.gz"
    names = gzip.decompress(store.get(key))
    store.put(key, gzip.compress(names.replace(b'"golden-a/db-0"', b'"golden-a/db-1"')))
    refused = pinnace("backup", "verify", "golden-all", "--store", url)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert refused.stderr == (
        f"error: {store.location}: {key} does not name v1/Pod golden-a/db-0, which is in the archive\n"
    )


def test_a_backup_that_is_not_there_is_one_sentence_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINNACE_STORE", _GOLDEN.as_uri())
    sentence = f"error: folder {_GOLDEN}: backup nowhere not found; `pinnace backup get` lists what is there\n"
    for verb in ("describe", "logs", "contents", "verify", "download", "extract"):
        missing = pinnace("backup", verb, "nowhere", *(["pods/a"] if verb == "extract" else []))
        assert (verb, missing.returncode, missing.stdout, missing.stderr) == (verb, 6, "", sentence)
    assert list(tmp_path.iterdir()) == []
