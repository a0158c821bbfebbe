"""One result is a table for people, or a document that programs read whole or line by line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pinnace.cli.output import Output, print_rows, show, show_each

_ROWS = [{"NAME": "a", "CAUSE": "first\nsecond"}, {"NAME": "longer", "CAUSE": ""}]


def test_columns_are_as_wide_as_they_need_and_a_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, output=Output.TABLE, rows=_ROWS)
    print_rows(_ROWS, has_header=False)
    print_rows([])
    assert capsys.readouterr().out == (
        "NAME    CAUSE\na       first second\nlonger\n"  # with its header
        "a       first second\nlonger\n"
    )


@pytest.mark.parametrize(("output", "read"), [(Output.JSON, json.loads), (Output.YAML, yaml.safe_load)])
def test_documents_are_read_back(output: Output, read: Any, capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a": ["ä", 1, None], "b": {"c": "yes"}}
    show(document, output=output, rows=_ROWS)
    assert read(capsys.readouterr().out) == document


@pytest.mark.parametrize(("output", "read"), [(Output.JSON, json.loads), (Output.YAML, yaml.safe_load)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_lists_are_printed_as_they_come(
    output: Output, read: Any, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: list[str] = []

    def documents() -> Iterator[tuple[str, dict[str, int]]]:
        for number in range(count):
            yield str(number), {"n": number}
            printed.append(capsys.readouterr().out)

    show_each(documents(), output=output)
    text = "".join(printed) + capsys.readouterr().out
    assert read(text) == [{"n": number} for number in range(count)]
    assert all(f'"n": {number}' in line for number, line in enumerate(printed))
    show_each(documents(), output=Output.TABLE)
    assert "".join(printed[count:]) + capsys.readouterr().out == "".join(f"{number}\n" for number in range(count))
