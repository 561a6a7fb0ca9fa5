"""Kernels: how many products an output sums, and the size of the steps that training takes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.records.specs import WeightSpec

SMALL_GAIN = 0.05
"""A kernel with a smaller gain starts near zero on purpose; its first steps are large compared with it."""


def fan_in(weight: WeightSpec, class_name: str) -> tuple[float, float]:
    """Bounds of a kernel's fan-in, the number of products that one output sums: lower, upper.

    Args:
        weight: of rank >= 2.
        class_name: of its layer. For a custom class, the last axis is assumed to count outputs.
    """
    *space, inner, outer = weight.shape
    positions = math.prod(space)
    if class_name.startswith("DepthwiseConv") or weight.name.endswith("depthwise_kernel"):
        return positions, positions
    if "Transpose" in class_name:
        # The stride is unknown: each output sums over one position of the kernel at least, and all at most.
        return outer, positions * outer
    if class_name == "EinsumDense":
        # The equation, which is unknown here, determines how many of the leading axes are summed over.
        return weight.shape[0], positions * inner
    return positions * inner, positions * inner


def is_kernel(weight: WeightSpec) -> bool:
    return len(weight.shape) > 1 and weight.name.endswith("kernel") and math.prod(weight.shape) > 0


def is_grown(history: History, checks: int) -> NDArray[np.bool_]:
    """`[checks, weights]`: whether a weight was not near zero before the step, at the last checks."""
    kept = max(min(checks, len(history.steps)), 0)
    norms = history.weight_stat("weight_norm")[len(history.steps) - kept :].astype(np.float64)
    return norms * history.once("kernel scales", _scales) >= SMALL_GAIN


def _scales(history: History) -> NDArray[np.float64]:
    """`[weights]`: what turns a kernel's norm into its gain, 0 for vectors."""
    classes = {layer.name: layer.class_name for layer in history.spec.layers}
    scales = [
        math.sqrt(fan_in(weight, classes.get(weight.layer, ""))[1] / max(math.prod(weight.shape), 1))
        if len(weight.shape) > 1
        else 0.0
        for weight in history.spec.weights
    ]
    return np.array(scales, np.float64)


def kernel_steps(history: History, checks: int, counted: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """`[checks, layers]`: the largest update-to-weight ratio of a layer's kernels at the last checks, NaN without any.

    Vectors are left out: biases start at zero, so their first update is always relatively huge.

    Args:
        counted: `[checks, weights]`, the steps that count; None for all.
    """
    kept = max(min(checks, len(history.steps)), 0)
    ratios = history.weight_stat("update_ratio")[len(history.steps) - kept :].astype(np.float64)
    if counted is not None:
        ratios = np.where(counted, ratios, np.nan)
    steps = np.full((kept, len(history.spec.layers)), np.nan)
    places, rows, starts = history.once("kernels", _kernels)
    if len(rows):
        steps[:, rows] = np.fmax.reduceat(ratios[:, places], starts, axis=1)
    return steps


def kernel_growth(history: History, checks: int) -> NDArray[np.float64]:
    """`[layers]`: the largest factor by which a kernel's norm grew from one observed step to the next, lately.

    NaN without a kernel that was not near zero before.
    """
    kept = max(min(checks, len(history.steps)), 0)
    norms = history.weight_stat("weight_norm")[-kept:].astype(np.float64)
    factors = np.full((max(kept - 1, 0), norms.shape[1]), np.nan)
    np.divide(norms[1:], norms[:-1], out=factors, where=is_grown(history, kept)[:-1] & np.isfinite(norms[1:]))
    growth = np.full(len(history.spec.layers), np.nan)
    places, rows, starts = history.once("kernels", _kernels)
    if len(rows) and len(factors):
        growth[rows] = np.fmax.reduceat(np.fmax.reduce(factors, axis=0)[places], starts)
    return growth


def has_size(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether some weight of the layer is more than slopes, scales or offsets, one for each unit.

    Those start at zero or one and may end anywhere, so steps are not measured by their size. True where the weights are
    unknown.
    """
    return history.once("sized", _has_size)


def _has_size(history: History) -> NDArray[np.bool_]:
    weights = history.spec.weights
    sized = {one.layer for one in weights if is_kernel(one) or sum(length > 1 for length in one.shape) > 1}
    flat = {one.layer for one in weights} - sized
    return np.array([layer.name not in flat for layer in history.spec.layers], bool)


def layer_maxima(history: History, column: str) -> NDArray[np.float64]:
    """`[layers]`: the largest value of a weight column at the latest step among a layer's kernels, NaN without any."""
    result = np.full(len(history.spec.layers), np.nan)
    places, rows, starts = history.once("kernels", _kernels)
    if len(rows):
        latest = history.weight_stat(column)[-1, places].astype(np.float64)
        result[rows] = np.fmax.reduceat(latest, starts)
    return result


def _kernels(history: History) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The places of all kernels, those of a layer side by side; the layers' rows; where each layer's kernels start."""
    owners = [
        (history.row_of[weight.layer], place)
        for place, weight in enumerate(history.spec.weights)
        if len(weight.shape) > 1 and weight.layer in history.row_of
    ]
    table = np.array(sorted(owners), np.int64).reshape(-1, 2)
    rows, starts = np.unique(table[:, 0], return_index=True)
    return table[:, 1], rows, starts
