"""Prints one result as a table, JSON or YAML."""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

__all__ = ["Output", "show"]


class Output(StrEnum):
    """`--output`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show(document: Any, *, output: Output, rows: Sequence[Mapping[str, object]]) -> None:
    """Print `document` for programs, or `rows` for people: one line each, columns as wide as they need."""
    if output is Output.JSON:
        import json

        print(json.dumps(document, indent=2, ensure_ascii=False))
    elif output is Output.YAML:
        import yaml

        yaml.safe_dump(document, sys.stdout, sort_keys=False, allow_unicode=True)
    elif rows:
        names = list(rows[0])
        cells = [names, *([str(row[name]) for name in names] for row in rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
        for line in cells:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
