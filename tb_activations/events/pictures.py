"""Arrays as PNG pictures for TensorBoard's image tab.

Colours are told apart by people who do not see all colours: values run from dark blue over grey to light yellow, what
stands out of them is vermilion (dead) or purple (not a number), gaps are white.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LONGEST_SIDE = 1024
"""Pixels, without the legend below; larger pictures are drawn from averages (life maps) or with fewer maps."""
SMALLEST_MAP = 48
"""Pixels a feature map is at least enlarged to."""
LARGEST_GRID = 64
"""Samples or channels in one picture of feature maps; more are left out."""

_SCALE = np.array([[10, 30, 85], [72, 84, 110], [125, 125, 122], [185, 172, 105], [255, 236, 80]], np.float64)
_NOT_A_NUMBER = np.array([204, 121, 167], np.uint8)
_DEAD = np.array([213, 94, 0], np.uint8)
_GAP = 255
_LEGEND_TEXT, _LEGEND_GAP, _LEGEND_BAR = 12, 6, 96
LEGEND_HEIGHT = _LEGEND_TEXT + 2 * _LEGEND_GAP
_LOWEST_ACTIVITY = -4.0
"""Decimal logarithm of the activity that gets the darkest colour."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture with a legend of `LEGEND_HEIGHT` pixels below it that says what its colours mean.

    Attributes:
        png: the encoded picture.
        width: in pixels.
        height: in pixels.
        low: value of the darkest colour, NaN if there is none.
        high: value of the lightest colour, NaN if there is none.
    """

    png: bytes
    width: int
    height: int
    low: float
    high: float


def feature_maps(maps: NDArray[np.float32], *, common_scale: bool = True) -> Picture:
    """A grid of maps, samples down and channels across, enlarged without smoothing, with gaps between.

    Args:
        maps: `[samples, height, width, channels]`; of more than 64 samples or channels the first are shown. NaN is
            purple, infinities get the colour of the nearest end.
        common_scale: whether one scale holds for all maps; otherwise each has its own, and `low` and `high` span them.

    Raises:
        ValueError: `maps` has not four axes or is empty.
    """
    if maps.ndim != 4 or not maps.size:
        raise ValueError(f"maps must have the shape [samples, height, width, channels], none 0, got {maps.shape}")
    height, width = maps.shape[1:3]
    zoom = max(1, math.ceil(SMALLEST_MAP / max(height, width)))
    rows = min(len(maps), LARGEST_GRID, max(1, LONGEST_SIDE // (height * zoom + 1)))
    columns = min(maps.shape[3], LARGEST_GRID, max(1, LONGEST_SIDE // (width * zoom + 1)))
    shown = maps[:rows, :, :, :columns].astype(np.float64).transpose(0, 3, 1, 2)
    low, high = _limits(shown)
    limits = [(low, high) if common_scale else _limits(one) for one in shown.reshape(-1, height, width)]
    colours = [_coloured(one, *limit) for one, limit in zip(shown.reshape(-1, height, width), limits, strict=True)]
    tiles = np.stack(colours).repeat(zoom, axis=1).repeat(zoom, axis=2)
    legend = _legend(f"{low:.4g}", f"{high:.4g}" if common_scale else f"{high:.4g}, each map its own")
    return _picture(_grid(tiles, rows, columns), legend, low, high)


def life_map(activity: NDArray[np.float32]) -> Picture:
    """Which units were active when: units down, steps across; a unit that was active on no sample is vermilion.

    Where units or steps are more than pixels, a pixel is dead when at least half of what it stands for is, and shows
    the mean of the rest.

    Args:
        activity: `[steps, units]` in [0, 1], NaN (purple) where not measured. Colours are logarithmic from 1e-4 to 1.

    Raises:
        ValueError: `activity` has not two axes or is empty.
    """
    if activity.ndim != 2 or not activity.size:
        raise ValueError(f"activity must have the shape [steps, units], none 0, got {activity.shape}")
    values = _averaged(activity.T.astype(np.float64))
    with np.errstate(divide="ignore"):
        colours = _coloured(np.log10(values), _LOWEST_ACTIVITY, 0.0)
    colours[values == 0] = _DEAD
    for axis in (0, 1):
        colours = colours.repeat(max(1, LONGEST_SIDE // 2 // colours.shape[axis]), axis=axis)
    low, high = 10**_LOWEST_ACTIVITY, 1.0
    legend = _legend("active on 0.01 %", "100 % of samples", ((_DEAD, "never active"),))
    return _picture(colours, legend, low, high)


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)


def _coloured(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """`[height, width, 3]`; a single value gets the middle of the scale."""
    width = high - low
    with np.errstate(invalid="ignore"):
        place = np.clip((values - low) / width, 0, 1) if width > 0 else np.where(np.isnan(values), np.nan, 0.5)
    known = np.nan_to_num(place)
    stops = np.linspace(0, 1, len(_SCALE))
    colours = np.stack([np.interp(known, stops, channel) for channel in _SCALE.T], axis=-1).round().astype(np.uint8)
    colours[np.isnan(place)] = _NOT_A_NUMBER
    return colours


def _grid(tiles: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """`[rows * columns, height, width, 3]` as one picture with a gap of one pixel between neighbours."""
    height, width = tiles.shape[1:3]
    framed = np.full((rows, columns, height + 1, width + 1, 3), _GAP, np.uint8)
    framed[:, :, :height, :width] = tiles.reshape(rows, columns, height, width, 3)
    joined = framed.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 1), columns * (width + 1), 3)
    return joined[:-1, :-1]


def _averaged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `LONGEST_SIDE` rows and columns, each standing for a block; 0 where half of the block is."""
    dead, measured = values == 0, ~np.isnan(values)
    sums = _block_sums(np.where(measured, values, 0.0))
    counts = _block_sums(measured.astype(np.float64))
    deaths = _block_sums(dead.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / counts
    return np.where((2 * deaths >= counts) & (counts > 0), 0.0, means)


def _block_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        size = values.shape[axis]
        blocks = min(size, LONGEST_SIDE)
        values = np.add.reduceat(values, np.arange(blocks) * size // blocks, axis=axis)
    return values


def _legend(low: str, high: str, marks: Sequence[tuple[NDArray[np.uint8], str]] = ()) -> Image.Image:
    """What the colours mean, as a strip to stand below a picture: marks, then the scale between its two ends."""
    font = ImageFont.load_default(_LEGEND_TEXT)
    bar = Image.fromarray(np.tile(_coloured(np.linspace(0, 1, _LEGEND_BAR)[None], 0, 1), (_LEGEND_TEXT, 1, 1)))
    pieces: list[Image.Image | str] = []
    for colour, name in marks:
        pieces += [Image.new("RGB", (_LEGEND_TEXT, _LEGEND_TEXT), tuple(colour.tolist())), name]
    pieces += [low, bar, high]
    widths = [round(font.getlength(piece)) if isinstance(piece, str) else piece.width for piece in pieces]
    strip = Image.new("RGB", (sum(widths) + _LEGEND_GAP * (len(pieces) + 1), LEGEND_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    left = _LEGEND_GAP
    for piece, width in zip(pieces, widths, strict=True):
        if isinstance(piece, str):
            draw.text((left, _LEGEND_GAP - 1), piece, fill="black", font=font)
        else:
            strip.paste(piece, (left, _LEGEND_GAP))
        left += width + _LEGEND_GAP
    return strip


def _picture(colours: NDArray[np.uint8], legend: Image.Image, low: float, high: float) -> Picture:
    drawn = Image.fromarray(colours)
    whole = Image.new("RGB", (max(drawn.width, legend.width), drawn.height + legend.height), "white")
    whole.paste(drawn, (0, 0))
    whole.paste(legend, (0, drawn.height))
    encoded = io.BytesIO()
    whole.save(encoded, "PNG")
    return Picture(encoded.getvalue(), whole.width, whole.height, low, high)
