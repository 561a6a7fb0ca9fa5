"""The gain of initial kernels: by which factor they change the size of a signal."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.kernels import fan_in, is_kernel

LARGEST = 5.0
"""A kernel with a larger gain starts far too large."""

NOT_SCALED = frozenset({"Embedding", "ReversibleEmbedding"})
"""Layers whose tables sum over no inputs."""


@dataclasses.dataclass(frozen=True)
class Gain:
    """Bounds of a kernel's gain before the first step; they differ if the shape does not determine the fan-in.

    `is_of_inputs` is true for a kernel that multiplies the layer's inputs, not a state or another kernel's outputs.
    """

    least: float
    most: float
    is_of_inputs: bool

    @property
    def is_exact(self) -> bool:
        return self.least == self.most


def gains_by_row(history: History) -> dict[int, list[Gain]]:
    """Layer row to the gains of its kernels before the first step; empty if that was not observed."""
    if not shows_start(history):
        return {}
    assert history.first is not None
    rows = {layer.name: row for row, layer in enumerate(history.spec.layers)}
    gains: dict[int, list[Gain]] = {}
    norms = history.first.weight("weight_norm").astype(np.float64)
    for weight, norm in zip(history.spec.weights, norms if len(norms) else [], strict=False):
        row = rows.get(weight.layer)
        if row is None or not is_kernel(weight) or not np.isfinite(norm):
            continue
        least, most = fan_in(weight, history.spec.layers[row].class_name)
        size = float(norm) / math.sqrt(math.prod(weight.shape))
        is_of_inputs = not weight.name.endswith(("recurrent_kernel", "pointwise_kernel"))
        gains.setdefault(row, []).append(Gain(size * math.sqrt(least), size * math.sqrt(most), is_of_inputs))
    return gains


def shows_start(history: History) -> bool:
    """Whether the weights before the first step were observed; a training that resumes shows none."""
    return history.first is not None and history.first.step == 0


def is_scaled(history: History, row: int) -> bool:
    """Whether the size of the layer's kernels is that of its outputs, and matters to other layers than gates."""
    is_table = history.spec.layers[row].class_name in NOT_SCALED
    return not is_table and not history.graph.is_normalized[row] and not _feeds_gates_only(history, row)


def too_large(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether a trained kernel of the layer starts so large that the first steps say little of later ones.

    Nothing is known of that where the first step was not observed.
    """
    return history.once("start too large", _too_large)


def _too_large(history: History) -> NDArray[np.bool_]:
    flags = np.zeros(len(history.spec.layers), bool)
    for row, gains in gains_by_row(history).items():
        is_large = max(gain.least for gain in gains) > LARGEST
        flags[row] = is_large and bool(history.is_trained[row]) and is_scaled(history, row)
    return flags


def _feeds_gates_only(history: History, row: int) -> bool:
    """Whether the layer serves only to compute gates, as in squeeze-and-excite blocks: they are bounded."""
    fed = np.flatnonzero(history.graph.direct[row])
    return bool(len(fed)) and all(history.spec.layers[other].is_gate for other in fed)
