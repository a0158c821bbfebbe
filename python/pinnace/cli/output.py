"""Prints one result as a table, JSON or YAML."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO

__all__ = ["Output", "print_rows", "show", "show_each"]


class Output(StrEnum):
    """`--output`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show(document: Any, *, output: Output, rows: Sequence[Mapping[str, object]], has_header: bool = True) -> None:
    """Print `document` for programs, or `rows` for people."""
    if output is Output.JSON:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    elif output is Output.YAML:
        import yaml

        yaml.safe_dump(document, sys.stdout, sort_keys=False, allow_unicode=True)
    else:
        print_rows(rows, has_header=has_header)


def show_each(documents: Iterable[tuple[str, Mapping[str, Any]]], *, output: Output) -> None:
    """Print a list of any length as it comes: a line of text each, or one array with an element a line."""
    if output is Output.TABLE:
        for text, _ in documents:
            print(text)
        return
    is_json = output is Output.JSON
    separator = "[" if is_json else ""
    for _, document in documents:
        line = json.dumps(document, ensure_ascii=False)
        # A JSON object on one line is YAML too.
        print(f"{separator}\n  {line}" if is_json else f"- {line}", end="" if is_json else "\n")
        separator = ","
    if is_json:
        print("[]" if separator == "[" else "\n]")
    elif not separator:
        print("[]")


def print_rows(rows: Sequence[Mapping[str, object]], *, has_header: bool = True, file: TextIO | None = None) -> None:
    """Print a line for each row, columns as wide as they need; nothing where there are no rows."""
    if not rows:
        return
    names = list(rows[0])
    header = [names] if has_header else []
    cells = [*header, *([" ".join(str(row[name]).splitlines()) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    for line in cells:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(text.rstrip(), file=file or sys.stdout)
