"""What the documents name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_COMPATIBILITY = (_ROOT / "docs" / "compatibility.md").read_text()
_BY_WORD = {"CSI": "tests/integration/test_csi_snapshots.py"}


def rows() -> Iterator[tuple[str, list[str], str]]:
    """Fact, tests and status of each row of the tables that name tests."""
    for table in re.findall(r"^\| fact \| test \| status \|\n\|[-|]+\n((?:\|.*\n)+)", _COMPATIBILITY, re.MULTILINE):
        for line in table.splitlines():
            fact, tests, status = re.split(r" \| ", line.strip("| "))
            yield fact, [test.strip("` ") for test in tests.split(", ")], status


def test_there_are_tables_of_items_hooks_and_volumes() -> None:
    assert _COMPATIBILITY.count("| fact | test | status |") == 3
    assert len(list(rows())) > 80


@pytest.mark.parametrize(("fact", "tests", "status"), list(rows()), ids=lambda value: str(value)[:40])
def test_each_rule_of_velero_names_tests_that_exist_or_says_why_there_is_none(
    fact: str, tests: list[str], status: str
) -> None:
    assert fact
    if tests == ["none"]:
        assert re.search(r"not there|can't apply|it is, since|no blocks", status), status
        return
    for test in tests:
        path = _BY_WORD.get(test, test if test.startswith("tests/") else f"tests/unit/{test}")
        assert "def test_" in (_ROOT / path).read_text(), path


@pytest.mark.parametrize("page", [*sorted(_ROOT.glob("docs/**/*.md")), _ROOT / "README.md"], ids=lambda page: page.name)
def test_links_lead_to_pages_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
