"""Layers whose gradient the training step replaces by zeros, as in a network that is thawed layer by layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History

SATURATED = 0.99
"""With a larger share of saturated outputs, the layer itself may leave nothing of the gradient."""


def zeroed(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the optimizer gets zeros for all weights of a layer with a bias, although a gradient arrives.

    The gradient of a bias is the sum of what arrives at the layer, so it is not zero in every step by itself, unless
    the layer's activation lets nothing through: outputs that are all alike, or saturated, prove nothing.
    """
    known = np.isfinite(history.stat("weight_gradient_norm"))
    result: NDArray[np.bool_] = np.asarray(known.any(axis=0) & (zeroed_steps(history) | ~known).all(axis=0))
    return result


def zeroed_steps(history: History) -> NDArray[np.bool_]:
    """`[checks kept, layers]`: the same of each step."""
    return history.once_a_step("zeroed", _zeroed_steps)


def _zeroed_steps(history: History) -> NDArray[np.bool_]:
    has_arrived, is_varied = history.stat("gradient_norm") > 0, history.stat("std") > 0
    is_through = is_varied & ~(history.stat("saturated_fraction") >= SATURATED)
    is_zero: NDArray[np.bool_] = (history.stat("weight_gradient_norm") == 0) & has_arrived & is_through
    return is_zero & history.once("with bias", _with_bias)


def _with_bias(history: History) -> NDArray[np.bool_]:
    spec = history.spec
    vectors, kernels = (
        {weight.layer for weight in spec.weights if weight.has_gradient and (len(weight.shape) > 1) == is_kernel}
        for is_kernel in (False, True)
    )
    return np.array([layer.name in vectors & kernels for layer in spec.layers], bool)
