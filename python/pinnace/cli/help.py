"""`--help` with its options grouped, in plain text: rich's boxes are slow to import and cut long names."""

from typing import Any

from typer.core import TyperCommand

__all__ = ["HELP_WIDTH", "GroupedCommand"]

HELP_WIDTH = {"max_content_width": 110}
"""Columns that help uses of a wider terminal; lines that are longer are tiring to read."""


class GroupedCommand(TyperCommand):
    """A command whose options stand below the `rich_help_panel` they name, and whose switches are spelled as Go's too.

    Commands for `velero` say `--include-cluster-resources=true`; the same line must work here.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, after `--switch=true` and `--switch=false` became what this parser knows."""
        names: dict[str, str] = {}
        for parameter in self.get_params(ctx):
            if getattr(parameter, "is_flag", False):
                names |= {f"{name}=true": parameter.opts[0] for name in parameter.opts}
                names |= {f"{name}=false": other for name in parameter.opts for other in parameter.secondary_opts[:1]}
        parsed: list[str] = super().parse_args(ctx, [names.get(argument, argument) for argument in args])
        return parsed

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Give the words of the usage line, arguments as plain as options."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel, and those options that name none at the end."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                is_option = parameter.param_type_name == "option"
                panel = getattr(parameter, "rich_help_panel", None) or ("Options" if is_option else "Arguments")
                sections.setdefault(panel, []).append(record)
        options = sections.pop("Options", [])
        for title, records in (*sections.items(), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
