"""SVG as PNG, for where only pictures are shown, by the extra `pinnace[bench]` (resvg, a wheel of 1.5 MB)."""

from pathlib import Path
from typing import Final

from pinnace.errors import BenchError

__all__ = ["drawn"]

_ZOOM: Final = 2.0
_FONT_FOLDERS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
_FONTS: Final = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Roboto-Regular.ttf")
_FAMILIES: Final = ("DejaVu Sans", "Liberation Sans", "Noto Sans", "Roboto")


def drawn(svg: str) -> bytes:
    """Draw it at twice its size, on white; BenchError where the library or a font is missing."""
    try:
        import resvg_py
    except ImportError as error:
        raise BenchError("resvg-py is not installed: pip install 'pinnace[bench]'") from error
    font, family = _font()
    picture = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=_ZOOM,
        background="white",
        skip_system_fonts=True,
        font_files=[str(font)],
        font_family=family,
        sans_serif_family=family,
    )
    return bytes(picture)


def _font() -> tuple[Path, str]:
    """Without one, text would be left out without a word."""
    for name, family in zip(_FONTS, _FAMILIES, strict=True):
        for folder in _FONT_FOLDERS:
            if found := next(folder.rglob(name), None):
                return found, family
    raise BenchError(f"none of the fonts {', '.join(_FAMILIES)} is installed; on Debian: apt install fonts-dejavu-core")
