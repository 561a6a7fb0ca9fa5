"""What the start of a training shows of units that are silent later."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.gains import shows_start

HARDLY = 0.9
"""With a larger share of zeros before the first step, the start is to blame, even if the units die a little later. It
is about a half in a layer that starts well."""

LARGE_BIAS = 0.1
"""A bias that starts larger, as root mean square, was set on purpose or by mistake: the default is zero."""


def hardly_fired(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether nearly all outputs were zero before the first step; False if that was not observed."""
    return history.once("hardly fired", _hardly_fired)


def initial_biases(history: History) -> NDArray[np.float64]:
    """`[layers]`: the root mean square of the biases before the first step; NaN without any or if not observed."""
    return history.once("initial biases", _initial_biases)


def _hardly_fired(history: History) -> NDArray[np.bool_]:
    if not shows_start(history):
        return np.zeros(len(history.spec.layers), bool)
    assert history.first is not None
    fired: NDArray[np.bool_] = history.first.layer("zero_fraction") >= HARDLY
    return fired


def _initial_biases(history: History) -> NDArray[np.float64]:
    squares, counts = np.zeros((2, len(history.spec.layers)))
    norms = history.first.weight("weight_norm") if history.first is not None and shows_start(history) else ()
    for weight, norm in zip(history.spec.weights, norms, strict=False):
        row = history.row_of.get(weight.layer)
        if row is not None and weight.name.endswith("bias"):
            squares[row] += float(norm) ** 2
            counts[row] += math.prod(weight.shape)
    means: NDArray[np.float64] = np.divide(squares, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return np.sqrt(means)
