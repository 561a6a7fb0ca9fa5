"""Where a model behaves differently in training than in use."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.calls import LayerCall, parts, recorded, to_numpy
from tb_activations.probe.inputs import batches
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.taps.layers import LayerChoice


@dataclasses.dataclass(frozen=True)
class ModeDifference:
    """Relative distances ‖training - inference‖ / ‖inference‖ of one layer's output, over all values and samples.

    0 is no difference, infinity a difference to an output that is all zero, NaN an output that is not finite.

    Attributes:
        whole: with all layers in the mode; holds what the layers before it do differently.
        own: with only this layer in training mode, on the inputs it has in inference mode.
    """

    whole: float
    own: float


def compare_modes(
    model: keras.Model, x: Any, layers: LayerChoice = None, batch_size: int = 32
) -> dict[str, ModeDifference]:
    """How far each layer's output in training mode is from that in inference mode, for the same inputs.

    A dropout layer, or batch normalisation whose moving averages do not fit the data, shows in `own`; all behind it
    show in `whole`. Nothing is learned from the calls: weights, moving averages, seeds and metrics stay as they were,
    so the same call gives the same answer. Batch normalisation in training mode depends on the `batch_size`: give the
    one you train with.

    Args:
        model: any Keras model.
        x: as for `activations`.
        layers: layer names, a regular expression, or a function from a layer to a bool; None takes all.
        batch_size: samples a call; not used for a dataset.

    Returns:
        Distances by the names of `activations`, in call order. A layer that is called in only one of the two modes is
        left out.

    Raises:
        ValueError, TypeError: as `activations`.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    among = None
    for batch in batches(x, batch_size):
        build(model, batch)
        among = among or alive()
        with preserved(model, among):
            for name, squares in _compared(model, batch, layers):
                sums[name] = sums.get(name, np.zeros(3)) + squares
    return {name: ModeDifference(_ratio(whole, base), _ratio(own, base)) for name, (base, whole, own) in sums.items()}


def _compared(model: keras.Model, batch: Any, layers: LayerChoice) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """By output name, the sums of `_squares`."""
    with preserved(model), recorded(model, layers) as plain:
        model(batch, training=False)
    with preserved(model), recorded(model, layers) as trained:
        model(batch, training=True)
    in_training = trained.outputs()
    for name, call in plain.calls().items():
        alone = dict(parts(name, _in_training(call)))
        for key, output in parts(name, call.output):
            if key in in_training and key in alone:
                yield key, _squares(key, output, in_training[key], alone[key])


def _in_training(call: LayerCall) -> Any:
    keywords = {name: value for name, value in call.keywords.items() if name != "training"}
    # A call of its own, outside any other, so that layers inside this one are in training mode too.
    with preserved(call.layer):
        return call.layer(*call.arguments, **keywords, training=True)


def _squares(name: str, output: tf.Tensor, whole: tf.Tensor, own: tf.Tensor) -> NDArray[np.float64]:
    """Sums of squares: of the output, of the whole difference, of the layer's own."""
    base, *others = (_wide(to_numpy(name, value)) for value in (output, whole, own))
    if any(other.shape != base.shape for other in others):
        return np.full(3, math.nan)
    return np.array([np.square(np.abs(values)).sum() for values in (base, *(other - base for other in others))])


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values, np.complex128 if np.iscomplexobj(values) else np.float64)


def _ratio(difference: float, base: float) -> float:
    if not math.isfinite(base) or not math.isfinite(difference):
        return math.nan
    if base == 0:
        return math.inf if difference else 0.0
    return math.sqrt(difference / base)
