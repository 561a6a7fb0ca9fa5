"""Draws arrays as PNG pictures for TensorBoard's image tab and reads back their details."""

from __future__ import annotations

import dataclasses
import io
import math
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tb_activations.pictures.colors import DEAD, DIVERGING, colored, true_colors
from tb_activations.pictures.drawing import below, grid, legend, tile_size
from tb_activations.pictures.png_texts import png_texts
from tb_activations.records.formatting import different

LONGEST_SIDE = 1024
"""Maximum side in pixels without the legend. Larger life maps are averaged, other pictures show fewer maps."""
LARGEST_GRID = 64
"""Maximum number of samples or channels in a picture; others are omitted."""

KINDS = (
    *("feature_maps", "mean_activation", "units", "through_time"),
    *("saliency", "maximized_input", "reconstruction"),
)
"""Kinds of pictures. The tag is the kind, "/" and the layer's name (for the last kind the model output's name)."""

Scale = Literal["common", "each", "logarithmic"]
"""One scale for the whole picture; one scale per map; one logarithmic scale for the whole picture."""

_LOWEST_ACTIVITY = -4.0
"""Decimal logarithm of the activity with the darkest color."""
_BAR = np.linspace(0, 1, 96)
_KEY = "layer_health:"


@dataclasses.dataclass(frozen=True)
class Details:
    """The value range of a picture. Stored as text in the PNG, since TensorBoard keeps only a tag's first description.

    Attributes:
        low: value of the darkest color, NaN if there is none.
        high: value of the lightest color, NaN if there is none.
        scale: the kind of scale; for "each", `low` and `high` span the scales of all maps.
        about: describes the content.
    """

    low: float
    high: float
    scale: Scale
    about: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture with a legend of `LEGEND_HEIGHT` pixels that explains its colors.

    Attributes:
        png: the encoded picture.
        width: in pixels.
        height: in pixels.
        details: also stored in `png`, see `read_details`.
    """

    png: bytes
    width: int
    height: int
    details: Details

    @property
    def low(self) -> float:
        return self.details.low

    @property
    def high(self) -> float:
        return self.details.high


def read_details(png: bytes) -> Details | None:
    """The details stored in a picture of this module, None for any other bytes. Pixels are not decoded."""
    text = png_texts(png)
    try:
        scale = text[_KEY + "scale"]
        if scale not in get_args(Scale):
            return None
        return Details(float(text[_KEY + "low"]), float(text[_KEY + "high"]), cast(Scale, scale), text[_KEY + "about"])
    except (ValueError, KeyError):
        return None


def feature_maps(maps: NDArray[np.float32], *, common_scale: bool = True, about: str = "") -> Picture:
    """A grid of maps, samples down and channels across, enlarged without smoothing, with gaps between.

    Args:
        maps: `[samples, height, width, channels]`; at most the first 64 samples and channels are shown. NaN is purple,
            infinities get the color of the nearest end.
        common_scale: whether all maps share one scale; otherwise each has its own, and `low` and `high` span them.
        about: describes the content.

    Raises:
        ValueError: `maps` does not have four axes or is empty.
    """
    _check_images("maps", maps)
    shown = _fitting(maps).transpose(0, 3, 1, 2)
    low, high = _limits(shown)
    limits = [(low, high) if common_scale else _limits(one) for row in shown for one in row]
    tiles = [colored(one, *limit) for one, limit in zip((one for row in shown for one in row), limits, strict=True)]
    drawn = grid(np.stack(tiles).reshape(*shown.shape, 3))
    details = Details(low, high, "common" if common_scale else "each", about)
    return _picture(drawn, details, colored(_BAR, 0, 1))


def images(rows: NDArray[np.float32], *, about: str = "") -> Picture:
    """Unprocessed images on one scale: three channels in color, otherwise the mean of the channels in gray.

    Args:
        rows: `[rows, columns, height, width, channels]`; columns that do not fit are omitted. NaN is purple.
        about: describes the content.

    Raises:
        ValueError: `rows` does not have five axes or is empty.
    """
    if rows.ndim != 5 or not rows.size:
        raise ValueError(
            f"rows must have shape [rows, columns, height, width, channels] without zeros, got {rows.shape}"
        )
    shown = rows[:, : _room(rows.shape[3], rows.shape[2], rows.shape[1])].astype(np.float64)
    low, high = _limits(shown)
    return _picture(grid(_image_colors(shown, low, high)), Details(low, high, "common", about), _gray_bar())


def saliency(inputs: NDArray[np.float32], maps: NDArray[np.float32], *, about: str = "") -> Picture:
    """Images, each above its saliency map: orange speaks for the output, blue against it, white is neutral.

    Args:
        inputs: `[samples, height, width, channels]`, drawn as by `images`, each on its own scale.
        maps: `[samples, height, width]`, each on its own scale around 0; the legend spans them.
        about: describes the content.

    Raises:
        ValueError: an array has other axes or is empty, or the two do not match.
    """
    _check_images("inputs", inputs)
    if maps.shape != inputs.shape[:3]:
        raise ValueError(f"maps must have shape {list(inputs.shape[:3])} like the inputs, got {list(maps.shape)}")
    count = _room(inputs.shape[2], inputs.shape[1], len(inputs))
    upper = [_image_colors(image, *_limits(image)) for image in inputs[:count].astype(np.float64)]
    ends = [max(map(abs, _limits(one))) for one in maps[:count].astype(np.float64)]
    lower = [colored(one, -end, end, DIVERGING) for one, end in zip(maps[:count], ends, strict=True)]
    end = float(np.max(ends))
    return _picture(grid(np.stack([upper, lower])), Details(-end, end, "each", about), colored(_BAR, 0, 1, DIVERGING))


def life_map(activity: NDArray[np.float32], *, about: str = "") -> Picture:
    """Activity of units over time: units down, steps across. Vermilion means active on no sample.

    If there are more units or steps than pixels, a pixel shows the mean of a block. It is dead if at least half of the
    block is.

    Args:
        activity: `[steps, units]` in [0, 1], NaN (purple) where not measured. Colors are logarithmic from 1e-4 to 1.
        about: describes the content.

    Raises:
        ValueError: `activity` does not have two axes or is empty.
    """
    _check_table("activity", activity)
    values = _averaged(activity.T.astype(np.float64))
    with np.errstate(divide="ignore"):
        colors = colored(np.log10(values), _LOWEST_ACTIVITY, 0.0)
    colors[values == 0] = DEAD
    details = Details(10**_LOWEST_ACTIVITY, 1.0, "logarithmic", about)
    strip = legend("active on 0.01 %", "100 % of samples", colored(_BAR, 0, 1), ((DEAD, "never active"),))
    return _encoded(below(_enlarged(colors), strip), details)


def through_time(gradient: NDArray[np.float32], activity: NDArray[np.float32], *, about: str = "") -> Picture:
    """A cell over time: observed steps down, time steps across; gradients above on a logarithmic scale, outputs below
    on a linear one.

    Args:
        gradient: `[steps, bins]` >= 0; NaN is purple, 0 has the darkest color. `low` and `high` are its own.
        activity: `[steps, bins]` >= 0; NaN is purple.
        about: describes the content.

    Raises:
        ValueError: an array does not have two axes or is empty.
    """
    _check_table("gradient", gradient, "[steps, bins]")
    _check_table("activity", activity, "[steps, bins]")
    upper, lower = (_averaged(one.astype(np.float64), zero_is_dead=False) for one in (gradient, activity))
    low, high = _limits(np.where(upper > 0, upper, math.nan))
    with np.errstate(divide="ignore"):
        shown = np.log10(upper)
    least, most = (math.log10(end) if end > 0 else math.nan for end in (low, high))
    ends = different(low, high)
    strips = [
        legend(f"gradient {ends[0]}", f"{ends[1]}, logarithmic", colored(_BAR, 0, 1)),
        legend("output 0", different(0.0, _limits(lower)[1])[1], colored(_BAR, 0, 1)),
    ]
    parts = [
        below(_enlarged(colored(shown, least, most), 4), strips[0]),
        below(_enlarged(colored(lower, 0.0, _limits(lower)[1]), 4), strips[1]),
    ]
    return _encoded(below(np.asarray(parts[0]), parts[1]), Details(low, high, "logarithmic", about))


def mean_activations(means: NDArray[np.float32], *, about: str = "") -> Picture:
    """Mean activation of each feature map over time: maps down, time across, on one scale.

    Args:
        means: `[times, maps]`; NaN is purple.
        about: describes the content.

    Raises:
        ValueError: `means` does not have two axes or is empty.
    """
    _check_table("means", means, "[times, maps]")
    values = _averaged(means.T.astype(np.float64), zero_is_dead=False)
    low, high = _limits(values)
    return _picture(_enlarged(colored(values, low, high)), Details(low, high, "common", about), colored(_BAR, 0, 1))


def _check_images(name: str, array: NDArray[np.float32]) -> None:
    if array.ndim != 4 or not array.size:
        raise ValueError(f"{name} must have shape [samples, height, width, channels] without zeros, got {array.shape}")


def _check_table(name: str, array: NDArray[np.float32], axes: str = "[steps, units]") -> None:
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must have shape {axes} without zeros, got {array.shape}")


def _fitting(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    samples, height, width, channels = maps.shape
    rows = _room(height, width, samples, axis=0)
    return maps[:rows, :, :, : _room(width, height, channels)].astype(np.float64)


def _room(size: int, other: int, wanted: int, axis: int = 1) -> int:
    """How many tiles fit along an axis of the picture; a tile has `size` values along it and `other` across."""
    pixels = tile_size(size, other)[0] if axis == 0 else tile_size(other, size)[1]
    return min(wanted, LARGEST_GRID, max(1, LONGEST_SIDE // (pixels + 1)))


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)


def _image_colors(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    if values.shape[-1] != 3:
        values = values.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    return true_colors(values, low, high)


def _gray_bar() -> NDArray[np.uint8]:
    return true_colors(_BAR[:, None].repeat(3, axis=1), 0, 1)


def _averaged(values: NDArray[np.float64], *, zero_is_dead: bool = True) -> NDArray[np.float64]:
    """Means over blocks, at most `LONGEST_SIDE` rows and columns; 0 (dead) if at least half of a block is 0."""
    measured = ~np.isnan(values)
    sums = _block_sums(np.where(measured, values, 0.0))
    counts = _block_sums(measured.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / counts
    if not zero_is_dead:
        return means
    deaths = _block_sums((values == 0).astype(np.float64))
    return np.where((2 * deaths >= counts) & (counts > 0), 0.0, means)


def _block_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        size = values.shape[axis]
        blocks = min(size, LONGEST_SIDE)
        values = np.add.reduceat(values, np.arange(blocks) * size // blocks, axis=axis)
    return values


def _enlarged(colors: NDArray[np.uint8], of: int = 2) -> NDArray[np.uint8]:
    """Small pictures enlarged to about half of `LONGEST_SIDE`, or to its `of`-th part in height."""
    for axis, size in enumerate((LONGEST_SIDE // of, LONGEST_SIDE // 2)):
        colors = colors.repeat(max(1, size // colors.shape[axis]), axis=axis)
    return colors


def _picture(drawn: NDArray[np.uint8], details: Details, bar: NDArray[np.uint8]) -> Picture:
    low, high = different(details.low, details.high)
    end = high + (", each its own scale" if details.scale == "each" else "")
    return _encoded(below(drawn, legend(low, end, bar)), details)


def _encoded(whole: Image.Image, details: Details) -> Picture:
    text = PngInfo()
    for name, value in (("low", details.low), ("high", details.high), ("scale", details.scale)):
        text.add_text(_KEY + name, str(value))
    text.add_itxt(_KEY + "about", details.about)
    encoded = io.BytesIO()
    whole.save(encoded, "PNG", pnginfo=text)
    return Picture(encoded.getvalue(), whole.width, whole.height, details)
