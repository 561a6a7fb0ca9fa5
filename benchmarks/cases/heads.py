"""How the output layers of a training fit its targets: their units, activation, loss and targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.cases.base import Training

Array = NDArray[Any]

RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "elu": (-1.0, math.inf),
}
"""Activations of limited range."""

PROBABILITIES = {"sigmoid", "hard_sigmoid", "softmax"}

REGRESSION = ("squared", "absolute", "huber", "log_cosh", "logcosh", "mse", "mae", "msle", "mape")
"""Parts of the names of losses that compare an output with a target of the same scale."""

TOLERANCE = 0.05


def heads(training: Training) -> dict[str, dict[str, Any]]:
    """By the name of each output layer of the compiled model what is known of its fit.

    Targets are compared only where they are an array; a model without named outputs, such as a subclassed one, is
    judged by the first network to measure.
    """
    found = {}
    for layer, name, loss, targets in _outputs(training):
        activation = _activation(layer)
        kind = _kind(loss)
        shape = layer.output.shape
        units = shape[_axis(layer)] if activation == "softmax" else shape[-1]
        certain, slight = _beyond(targets, activation, kind, int(shape[-1] or 0), loss)
        found[name] = {
            "activation": activation,
            "units": units,
            "loss": kind,
            "is_softmax": activation == "softmax",
            "is_probability": activation in PROBABILITIES or _is_from_logits(loss),
            "beyond": certain,
            "slightly_beyond": slight,
        }
    return found


def _outputs(training: Training) -> Iterator[tuple[keras.layers.Layer, str, Any, Any]]:
    """Output layers with their name in the run, loss and targets, None if unknown."""
    view = training.views[0] if training.views else None
    network = view.network if view else training.model
    if not hasattr(network, "_nodes_by_depth") and not isinstance(network, keras.Sequential):
        return
    has_own_loss = view is not None and view.loss is not None
    targets = training.y if view is None or view.y is None else view.y
    for number, tensor in enumerate(network.outputs):
        layer = network.get_layer(tensor._keras_history.operation.name)
        name = network.output_names[number] if hasattr(network, "output_names") else layer.name
        loss = None if has_own_loss else _chosen(training.model.loss, name, number)
        yield layer, (view.prefix if view else "") + layer.name, loss, _chosen(targets, name, number)


def _chosen(values: Any, name: str, number: int) -> Any:
    """The value of one output among those of all."""
    if isinstance(values, Mapping):
        return values.get(name)
    return values[number] if isinstance(values, list | tuple) else values


def _kind(loss: Any) -> str:
    """What a loss does with its targets: "crossentropy", "sparse", "regression" or "own"."""
    name = _loss_name(loss)
    if "crossentropy" in name:
        return "sparse" if "sparse" in name else "crossentropy"
    return "regression" if any(part in name for part in REGRESSION) else "own"


def _loss_name(loss: Any) -> str:
    return loss if isinstance(loss, str) else str(getattr(loss, "name", None) or getattr(loss, "__name__", ""))


def _is_from_logits(loss: Any) -> bool:
    known = getattr(loss, "_fn_kwargs", None) or getattr(loss, "get_config", dict)()
    return bool(known.get("from_logits") or getattr(loss, "from_logits", False))


def _activation(layer: keras.layers.Layer) -> str:
    if isinstance(layer, keras.layers.Softmax | keras.layers.ReLU):
        return type(layer).__name__.lower() if not getattr(layer, "negative_slope", 0) else "leaky_relu"
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _axis(layer: keras.layers.Layer) -> int:
    """The axis over which a softmax sums to 1."""
    axis = getattr(layer, "axis", -1) if isinstance(layer, keras.layers.Softmax) else -1
    return axis if isinstance(axis, int) else -1


def _beyond(
    targets: Any, activation: str, kind: str, units: int, loss: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """By description the share of targets that the head certainly cannot give, and of those that it arguably cannot."""
    if not isinstance(targets, np.ndarray) or targets.dtype.kind not in "fiub" or not np.isfinite(targets).any():
        return {}, {}
    values = targets.astype("float64")
    values = values[np.isfinite(values)]
    if kind == "sparse":
        share = float(((values < 0) | (values >= units)).mean())
        return _known({f"class numbers beyond {units} units": share}), {}
    if kind == "crossentropy":
        outside, slight = _shares(values, (0.0, 1.0))
        empty = (
            float((targets.reshape(-1, targets.shape[-1]).sum(-1) == 0).mean()) if _is_one_hot(targets, loss) else 0.0
        )
        return _known({"outside [0, 1]": outside, "without a class": empty}), _known({"outside [0, 1]": slight})
    outside, slight = _shares(values, RANGES.get(activation, (-math.inf, math.inf)))
    name = f"beyond the range of {activation}"
    if kind == "regression":
        return _known({name: outside}), _known({name: slight})
    return {}, _known({name: slight})


def _shares(values: Array, bounds: Sequence[float]) -> tuple[float, float]:
    """Share of the values beyond the bounds by more than the tolerance, and at all."""
    low, high = bounds
    extent = high - low if math.isfinite(high - low) else float(np.ptp(values))
    margin = TOLERANCE * extent
    by_far = ((values < low - margin) | (values > high + margin)).mean()
    return float(by_far), float(((values < low - 1e-6) | (values > high + 1e-6)).mean())


def _is_one_hot(targets: Array, loss: Any) -> bool:
    """Whether every row should name a class."""
    return "categorical" in _loss_name(loss) and targets.ndim > 1 and targets.shape[-1] > 1


def _known(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: share for name, share in shares.items() if share > 0}
