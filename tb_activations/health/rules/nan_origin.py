"""Finds where NaN began, from the step at which it was first seen."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.records.columns import LAYER_COLUMNS
from tb_activations.records.specs import LayerSpec

INPUT_COLUMN = "input_rms"
"""Root mean square of a layer's or the model's input; layers have it only in newer runs."""

_PASSING = frozenset(
    {
        *("Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "SimpleRNN", "LSTM", "GRU"),
        *("Flatten", "Reshape", "Permute", "Concatenate", "Dropout", "Rescaling", "Normalization"),
    }
)
"""Layer classes that map finite inputs to finite outputs if their weights are finite and nothing overflows."""


class Origin(enum.Enum):
    """Where NaN began.

    `UNSEEN`: between two observed steps; `SUSPECTED`: likewise, but only this layer comes after operations of the
    program that are not finite for every number.
    """

    DATA = "data"
    LOSS = "loss"
    UNSEEN = "unseen"
    SUSPECTED = "suspected"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Seen:
    """Where NaN began according to one observed step.

    Attributes:
        given: name of the layer that received non-finite data, "" for the model's input as a whole.
    """

    origin: Origin
    given: str = ""


def origin_at(history: History, place: int) -> Seen:
    """Where NaN began in the step at `place` of the window.

    A value that is NaN in every kept step was never measured and proves nothing.
    """
    counts = {column: history.stat(column)[place] for column in LAYER_COLUMNS if "nonfinite" in column}
    has_lost_weights = np.any(counts["weight_nonfinite"] > 0)
    given = _layer_given_nan(history, place, counts)
    if given or _is_lost(history.total(INPUT_COLUMN), place):
        return Seen(Origin.DATA, given)
    if has_lost_weights:
        return Seen(Origin.UNSEEN)
    is_forward_finite = not np.any(counts["nonfinite"] > 0)
    # A layer without weights may follow the last one with weights, and be where the gradient is lost.
    is_end = history.graph.is_head & ~history.graph.reaches.any(axis=1)
    begins_at_output = np.any(counts["gradient_nonfinite"][is_end] > 0)
    if is_forward_finite and (begins_at_output or _is_lost(history.losses, place)):
        return Seen(Origin.LOSS)
    return Seen(Origin.UNKNOWN)


def lost_behind(history: History, row: int) -> list[str]:
    """The layers that a layer feeds, if the gradient at their outputs is finite in the latest step, and not at its own.

    It was lost on the way back through them. Empty if that is not known of all of them.
    """
    fed = np.flatnonzero(history.graph.direct[row])
    is_lost = history.stat("gradient_nonfinite")[-1] > 0
    is_known = np.isfinite(history.stat("gradient_norm")[-1])
    if not is_lost[row] or is_lost[fed].any() or not is_known[fed].all():
        return []
    return [history.spec.layers[other].name for other in fed.tolist()]


def _is_lost(values: NDArray[np.float64] | NDArray[np.float32], place: int) -> bool:
    """Whether a measured value is not finite at this step."""
    return bool(np.isinf(values[place]) or (np.isnan(values[place]) and not np.all(np.isnan(values))))


def _layer_given_nan(history: History, place: int, counts: Mapping[str, NDArray[np.float32]]) -> str:
    """The first layer that received non-finite data from outside the network, "" if no layer shows that."""
    # Finite data may overflow in a layer that is called again and again, with finite weights.
    is_finite = history.total("input_nonfinite")[place] == 0
    for row, layer in enumerate(history.spec.layers):
        if not layer.is_whole or history.graph.sources(row).size or counts["weight_nonfinite"][row] > 0:
            continue
        own = {column: float(values[row]) for column, values in counts.items()}
        if (not is_finite and _shows_nan_given(layer, own)) or _is_measured_lost(history, place, row):
            return layer.name
    return ""


def _shows_nan_given(layer: LayerSpec, own: Mapping[str, float]) -> bool:
    """Whether only non-finite inputs can explain the outputs or weight gradients of a layer with finite weights."""
    if layer.class_name not in _PASSING or layer.dtype == "float16":
        return False
    # ReLU may turn NaN into 0. The kernel's gradient, the inputs times a finite gradient, still shows it.
    is_hidden = own["gradient_nonfinite"] == 0 and own["weight_gradient_nonfinite"] > 0
    return own["nonfinite"] > 0 or is_hidden


def _is_measured_lost(history: History, place: int, row: int) -> bool:
    return INPUT_COLUMN in LAYER_COLUMNS and _is_lost(history.stat(INPUT_COLUMN)[:, row], place)
