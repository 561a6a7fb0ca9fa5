"""Assembles colored tiles into grids and draws the legend below every picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tb_activations.pictures.colors import GAP

SMALLEST_TILE = 48
"""Minimum length of a tile's longer side in pixels; smaller tiles are enlarged."""
THINNEST_TILE = 8
"""Minimum length of its shorter side in pixels, so that a single row of values is visible."""

_TEXT, _GAP, _BAR = 12, 6, 96
LEGEND_HEIGHT = _TEXT + 2 * _GAP

Colors = NDArray[np.uint8]


def tile_size(height: int, width: int) -> tuple[int, int]:
    """Height and width in pixels of a tile with this many values."""
    zoom = max(1, math.ceil(SMALLEST_TILE / max(height, width)))
    return height * _thickened(height, zoom), width * _thickened(width, zoom)


def grid(tiles: Colors) -> Colors:
    """One picture from `[rows, columns, height, width, 3]`, enlarged without smoothing, with gaps of one pixel.

    Its size is `rows * (h + 1) - 1` by `columns * (w + 1) - 1`, where h, w is the `tile_size`.
    """
    rows, columns, height, width = tiles.shape[:4]
    tall, wide = tile_size(height, width)
    framed = np.full((rows, columns, tall + 1, wide + 1, 3), GAP, np.uint8)
    framed[:, :, :tall, :wide] = tiles.repeat(tall // height, axis=2).repeat(wide // width, axis=3)
    joined = framed.transpose(0, 2, 1, 3, 4).reshape(rows * (tall + 1), columns * (wide + 1), 3)
    return joined[:-1, :-1]


def _thickened(size: int, zoom: int) -> int:
    return max(zoom, math.ceil(THINNEST_TILE / size))


def legend(low: str, high: str, bar: Colors, marks: Sequence[tuple[Colors, str]] = ()) -> Image.Image:
    """Explains the colors: marks, then the scale between its two ends.

    Args:
        low, high: labels left and right of the scale.
        bar: `[colors, 3]`, the scale from one end to the other.
        marks: single colors and their meaning.
    """
    font = ImageFont.load_default(_TEXT)
    scale = Image.fromarray(np.tile(bar[np.arange(_BAR) * len(bar) // _BAR][None], (_TEXT, 1, 1)))
    pieces: list[Image.Image | str] = []
    for color, name in marks:
        pieces += [Image.new("RGB", (_TEXT, _TEXT), tuple(color.tolist())), name]
    pieces += [low, scale, high]
    widths = [round(font.getlength(piece)) if isinstance(piece, str) else piece.width for piece in pieces]
    strip = Image.new("RGB", (sum(widths) + _GAP * (len(pieces) + 1), LEGEND_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    left = _GAP
    for piece, width in zip(pieces, widths, strict=True):
        if isinstance(piece, str):
            draw.text((left, _GAP - 1), piece, fill="black", font=font)
        else:
            strip.paste(piece, (left, _GAP))
        left += width + _GAP
    return strip


def below(drawn: Colors, strip: Image.Image) -> Image.Image:
    """`drawn` with the legend below it."""
    upper = Image.fromarray(drawn)
    whole = Image.new("RGB", (max(upper.width, strip.width), upper.height + strip.height), "white")
    whole.paste(upper, (0, 0))
    whole.paste(strip, (0, upper.height))
    return whole
