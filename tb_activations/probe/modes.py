"""Layers that behave differently in training mode than in inference mode."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.calls import outputs, parts, recorded, to_numpy
from tb_activations.probe.inputs import batches
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.taps.layer_calls import LayerCall
from tb_activations.taps.layers import LayerChoice


@dataclasses.dataclass(frozen=True)
class ModeDifference:
    """Relative distances ‖training - inference‖ / ‖inference‖ of one layer's output, over all values and samples.

    0 means no difference, infinity a difference from an all-zero output, NaN a non-finite output.

    Attributes:
        whole: with all layers in training mode; includes the differences of the layers before this one.
        own: with only this layer in training mode, on its inputs in inference mode.
    """

    whole: float
    own: float


def compare_modes(
    model: keras.Model, x: Any, *, layers: LayerChoice = None, batch_size: int = 32
) -> dict[str, ModeDifference]:
    """The distance between each layer's outputs in training mode and in inference mode, for the same inputs.

    `own` is large for dropout, and for batch normalization whose moving averages do not fit the data; `whole` is large
    for every layer after them. Weights, moving averages, seeds and metrics are restored, so the same call gives the
    same result. Batch normalization in training mode depends on the batch size: use the one you train with.

    Args:
        model: any Keras model.
        x: as for `activations`.
        layers: layer names, a regular expression, or a function from a layer to a bool; None for all.
        batch_size: samples per call of the model; not used for a dataset.

    Returns:
        Distances by the names of `activations`, in call order. A layer called in only one of the two modes is left out.

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
    in_training = outputs(trained.by_name())
    results: dict[int, Any] = {}
    for name, call in plain.by_name().items():
        # The last call of a shared layer has two names.
        if id(call) not in results:
            results[id(call)] = _in_training(call)
        alone = dict(parts(name, results[id(call)]))
        for key, output in parts(name, call.output):
            if key in in_training and key in alone:
                yield key, _squares(key, output, in_training[key], alone[key])


def _in_training(call: LayerCall) -> Any:
    keywords = {name: value for name, value in call.keywords.items() if name != "training"}
    # A top-level call, so that Keras puts the layers inside this one into training mode too.
    with preserved(call.layer):
        return call.layer(*call.arguments, **keywords, training=True)


def _squares(name: str, output: tf.Tensor, whole: tf.Tensor, own: tf.Tensor) -> NDArray[np.float64]:
    """Sums of squares: of the output, of the whole difference, of the layer's own difference."""
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
