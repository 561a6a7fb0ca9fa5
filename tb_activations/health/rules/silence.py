"""What the start of a training shows of units that are silent later."""

from __future__ import annotations

import math

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.gains import shows_start

HARDLY = 0.9
"""With a larger share of zeros before the first step, the start is to blame, even if the units die a little later. It
is about a half in a layer that starts well."""

LARGE_BIAS = 0.1
"""A bias that starts larger, as root mean square, was set on purpose or by mistake: the default is zero."""


def hardly_fires(history: History, row: int) -> bool:
    """Whether nearly all outputs of a layer were zero before the first step; False if that was not observed."""
    if not shows_start(history):
        return False
    assert history.first is not None
    return bool(history.first.layer("zero_fraction")[row] >= HARDLY)


def initial_bias(history: History, row: int) -> float:
    """The root mean square of a layer's bias before the first step; NaN if it has none or that was not observed."""
    if not shows_start(history):
        return math.nan
    assert history.first is not None
    norms = history.first.weight("weight_norm")
    places = history.weight_rows.get(history.spec.layers[row].name, ()) if len(norms) else ()
    biases = [place for place in places if history.spec.weights[place].name.endswith("bias")]
    count = sum(math.prod(history.spec.weights[place].shape) for place in biases)
    return math.hypot(*norms[biases].astype(np.float64)) / math.sqrt(count) if count else math.nan
