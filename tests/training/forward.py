"""One forward pass with taps, outside of a training."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.numbers.values import Row, StepValues
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.step_taps import StepTaps
from tests.training.observe import value_of

__all__ = ["peaks_of", "row_of", "seen_by", "value_of"]


def seen_by(model: keras.Model, x: Any, *, eager: bool = False, jit_compile: bool = False) -> StepValues:
    """The values of `model(x, training=True)`, compiled unless `eager`."""
    if not model.built:
        model(x)
    on_model = StepTaps({"": model}, None, Options(with_histograms=True, with_maps=True))

    def step(data: Any) -> dict[str, tf.Tensor]:
        with on_model.observing() as observation:
            model(data, training=True)
        return on_model.pack(observation)

    with on_model.on_layers():
        data = tf.nest.map_structure(tf.convert_to_tensor, x)
        packed = step(data) if eager else tf.function(step, autograph=False, jit_compile=jit_compile)(data)
    assert on_model.failure == ""
    return PackedStep(0, packed, on_model, has_histograms=False).unpack()


def row_of(seen: StepValues, layer: str, call_site: int = 0) -> Row:
    """The row of a layer."""
    return next(row for row in seen.rows if (row.call.name, row.call_site) == (layer, call_site))


def peaks_of(seen: StepValues, layer: str) -> Any:
    """`[units]`: the largest absolute outputs of a layer's units."""
    start = 0
    for row in seen.rows:
        if (row.call.name, row.call_site) == (layer, 0):
            return seen.peak[start : start + row.units]
        start += row.units
    raise KeyError(layer)
