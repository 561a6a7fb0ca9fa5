"""How strongly the loss depends on the layers, and how far a signal has grown before the first step."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.elasticity import (
    SPREAD_OUT,
    comparable,
    elasticities,
    output_elasticity,
    passes_zero,
    reached_shares,
    rows_of_loss,
)

RECENT = 5
"""Observed steps whose median is the present elasticity."""

USUAL_WIDTH = 32
"""Width and height of a kernel up to which its norm needs no correction."""


@dataclasses.dataclass(frozen=True)
class Pull:
    """How strongly the loss depends on the layers.

    Attributes:
        steps: the observed steps that were used.
        median: `[layers]` median elasticity over these steps, NaN while there are too few.
        amplified: `[layers]` median ratio of elasticity to the elasticity of the outputs, infinite if that is unknown.
            For kernels larger than `USUAL_WIDTH` squared, divided by their width relative to `USUAL_WIDTH`.
        shares: `[layers]` share of the weights that the gradient reaches at the latest of these steps.
        is_swinging: whether the loss passes through zero.
    """

    steps: NDArray[np.int64]
    median: NDArray[np.float64]
    amplified: NDArray[np.float64]
    shares: NDArray[np.float64]
    is_swinging: bool


def pull(history: History, few: int) -> Pull:
    """Computed over the latest checks that have at least `few` rows each."""
    return history.once_a_step(("pull", few), lambda _: _pull(history, few))


def _pull(history: History, few: int) -> Pull:
    table = history.once_a_step("elasticities", elasticities)
    places = np.flatnonzero(history.once_a_step("rows of loss", rows_of_loss) >= few)[-RECENT:]
    if len(places) < RECENT:
        unknown = np.full(table.shape[1], np.nan)
        return Pull(history.steps[places], unknown, unknown, unknown, is_swinging=False)
    shares = history.once_a_step("reached", reached_shares)[places]
    recent = comparable(table[places], shares)
    outputs = history.once_a_step("output elasticity", output_elasticity)[places, None]
    ratios = np.full(recent.shape, np.inf)
    np.divide(recent, outputs, out=ratios, where=outputs > 0)
    # A gradient has few directions, so the norm of a large kernel overstates how much the gradient can change it.
    reached = history.weight_elements * np.minimum(shares[-1] / SPREAD_OUT, 1.0)
    ratios /= np.maximum(np.sqrt(reached) / USUAL_WIDTH, 1.0)
    # One NaN makes the median NaN: non-finite values are left to another rule.
    return Pull(
        history.steps[places],
        np.median(recent, axis=0),
        np.median(ratios, axis=0),
        shares[-1],
        is_swinging=passes_zero(history),
    )


def signal_sizes(history: History) -> NDArray[np.float64]:
    """`[layers]`: root mean square of the outputs at step 0, relative to the model's first floating-point input.

    NaN if unknown, for heads (the targets set their scale), and for layers whose scale a normalization removes.
    """
    first = history.first
    if first is None or first.step:
        return np.full(len(history.spec.layers), np.nan)
    sizes = np.hypot(first.layer("mean").astype(np.float64), first.layer("std").astype(np.float64))
    is_judged = ~(history.graph.is_head | history.graph.is_normalized)
    inputs = first.total("input_rms")
    return np.where(is_judged & (inputs > 0), sizes / (inputs or np.nan), np.nan)
