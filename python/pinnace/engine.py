"""The typed face of the extension: the one place that imports it, so that a missing build says what to do."""

try:
    from pinnace._engine import Archive, Digest, FlaggedItem, Page, PageSummary, RefusedItem, build_info
except ModuleNotFoundError as error:
    if error.name != "pinnace._engine":
        raise
    raise ModuleNotFoundError(
        "the extension pinnace._engine is not built; run `maturin develop --release`", name=error.name
    ) from error

__all__ = ["Archive", "Digest", "FlaggedItem", "Page", "PageSummary", "RefusedItem", "build_info"]
