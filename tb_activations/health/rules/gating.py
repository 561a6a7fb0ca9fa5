"""Which of the layers whose outputs are multiplied are gates, and which are let through by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History

SWITCHES = frozenset({"sigmoid", "hard_sigmoid"})
"""Functions whose outputs run from closed to open."""


def is_gate(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the output is multiplied by that of another layer, which is not itself a gate.

    Of the two factors of a gated unit, tanh(x) · sigmoid(y), the sigmoid is the gate (van den Oord et al. 2016).
    """
    return history.once("gates of layers", _is_gate)


def _is_gate(history: History) -> NDArray[np.bool_]:
    layers, direct = history.spec.layers, history.graph.direct
    is_factor = np.array([layer.is_gate for layer in layers], bool)
    is_switch = is_factor & np.array([layer.activation in SWITCHES for layer in layers], bool)
    is_let_through = direct[:, direct[is_switch].any(axis=0)].any(axis=1) & ~is_switch
    result: NDArray[np.bool_] = is_factor & ~is_let_through
    return result
