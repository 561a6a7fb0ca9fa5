"""Parts of synthetic runs: a nested model with branches and a shared layer, pictures, histograms, a cell over time."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.pictures.kinds import feature_maps
from tb_activations.recording.stock import image
from tb_activations.records.columns import HISTOGRAM_BUCKETS, TIME_BINS


def nested_place(layers: int, index: int) -> tuple[str, int, tuple[str, ...]]:
    """Name, call site and inputs: an input layer, blocks of four with a connection past them, a layer called twice."""
    if index in (0, layers - 1):
        return ("stem" if index == 0 else "head"), 0, () if index == 0 else (_nested_name(index - 1),)
    inputs = [_nested_name(index - 1)]
    if index % 4 == 0:
        inputs.append(_nested_name(index - 4))
    return _nested_name(index), index - 4 if index in (5, 6) else 0, tuple(inputs)


def _nested_name(index: int) -> str:
    if index == 0:
        return "stem"
    call = f"@{index - 4}" if index in (5, 6) else ""
    return f"encoder/block_{(index - 1) // 4}/dense_{4 if call else index}{call}"


def model_pictures(layer: str, index: int) -> list[Summary.Value]:
    """Maps of the first layer that say what they are, and a picture of the model that does not."""
    ramp = np.linspace(-1, 1 + index, 2 * 6 * 6 * 4, dtype=np.float32).reshape(2, 6, 6, 4)
    maps = feature_maps(ramp, about="Two samples, four channels.")
    plain = feature_maps(ramp[:1, :, :, :1])
    without_text = io.BytesIO()
    Image.open(io.BytesIO(plain.png)).convert("RGB").save(without_text, "JPEG")
    return [
        image(f"feature_maps/{layer}", maps.png, maps.width, maps.height, "Maps of the same inputs."),
        image("confusion", without_text.getvalue(), plain.width, plain.height, "Rows are **classes**."),
    ]


def sequences_of(layers: int, progress: float) -> NDArray[np.float32]:
    """`[layers, 1 + 2 * 64]`: of the first one only; gradients that reach back over fewer and fewer time steps."""
    values = np.full((layers, 1 + 2 * TIME_BINS), np.nan, np.float32)
    back = 1 - np.arange(TIME_BINS) / (TIME_BINS - 1)
    values[0] = [80, *np.linspace(0.2, 0.6, TIME_BINS), *10 ** (-2 - (2 + 6 * progress) * back)]
    return values


def histograms_of(layers: int, random: np.random.Generator) -> NDArray[np.float32]:
    """`[layers, 2, 32]` of random values."""
    values = np.empty((layers, 2, HISTOGRAM_BUCKETS + 2), np.float32)
    for kind, width in enumerate((1.0, 0.01)):
        for row in range(layers):
            counts, edges = np.histogram(random.normal(0, width, 512), HISTOGRAM_BUCKETS)
            values[row, kind] = [edges[0], edges[-1], *counts]
    return values
