"""Random changes of the same kind: what a person without advice might try."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.advice.changes import (
    Activation,
    Change,
    ClipNorm,
    ConstantRate,
    Initialize,
    RateAtMost,
    Scale,
    StandardizeInputs,
    StandardizeTargets,
    TargetsBetween,
)
from benchmarks.advice.losses import SafeLoss
from benchmarks.advice.remedies import Advised

ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu", "gelu", "linear")

Random = np.random.Generator


def control(changes: Sequence[Change], advised: Advised, random: Random) -> tuple[Change, ...]:
    """For each change a random one of its kind: other layers, sizes or functions.

    Args:
        advised: the advice that the changes follow, for the names of the layers and the learning rate.
    """
    return tuple(_CONTROLS.get(type(change), _same)(change, advised, random) for change in changes)


def _same(change: Change, advised: Advised, random: Random) -> Change:
    return change


def _rate(change: Change, advised: Advised, random: Random) -> Change:
    """A learning rate up to a thousand times larger or smaller."""
    start = advised.rate if np.isfinite(advised.rate) and advised.rate > 0 else 1e-3
    return ConstantRate(float(start * 10.0 ** random.uniform(-3, 3)))


def _initialize(change: Change, advised: Advised, random: Random) -> Change:
    """As many layers, chosen at random, at a size between a hundredth and a hundred times the usual one."""
    assert isinstance(change, Initialize)
    count = len(change.layers) or len(advised.weighted)
    chosen = tuple(random.permutation(advised.weighted)[:count].tolist())
    return Initialize(chosen, float(10.0 ** random.uniform(-2, 2)))


def _activation(change: Change, advised: Advised, random: Random) -> Change:
    assert isinstance(change, Activation)
    count = len(change.layers) or len(advised.activations)
    chosen = tuple(random.permutation(advised.activations)[:count].tolist())
    return Activation(str(random.choice(ACTIVATIONS)), chosen)


def _clip(change: Change, advised: Advised, random: Random) -> Change:
    return ClipNorm(float(10.0 ** random.uniform(-3, 3)))


def _scale(change: Change, advised: Advised, random: Random) -> Change:
    return Scale(float(10.0 ** random.uniform(-3, 3)), of_targets=not isinstance(change, StandardizeInputs))


def _least(change: Change, advised: Advised, random: Random) -> Change:
    return SafeLoss(float(10.0 ** random.uniform(-7, 0)))


_CONTROLS: Mapping[Any, Callable[[Change, Advised, Random], Change]] = {
    RateAtMost: _rate,
    ConstantRate: _rate,
    Initialize: _initialize,
    Activation: _activation,
    ClipNorm: _clip,
    SafeLoss: _least,
    StandardizeInputs: _scale,
    StandardizeTargets: _scale,
    TargetsBetween: _scale,
}
