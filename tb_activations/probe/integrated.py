"""Integrated gradients, refined until they sum to the change of the output."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.targets import Scorer

TOLERANCE = 0.01
"""Largest error of the sum, as a share of the difference between the outputs."""
_MOST_REFINED = 64
"""Segments allowed for each of the initial ones."""
_NARROWEST = 1e-6
"""Segments are not halved below this length: the output jumps there."""
_ROUNDINGS = 16.0
"""Rounding errors allowed to add up in one sum."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Segment:
    """A part of the path from baseline (0) to input (1), integrated with the gradient at its middle.

    `at_low`, `at_high`: scores at its ends, `[samples]`. `missed`: the integral minus the difference of these scores.
    """

    low: float
    high: float
    at_low: NDArray[np.float64]
    at_high: NDArray[np.float64]
    missed: NDArray[np.float64]


def integrated_gradients(score: Scorer, x: tf.Tensor, baseline: tf.Tensor, steps: int) -> tf.Tensor:
    """float32 in the shape of `x`: input minus baseline, times the mean gradient on the straight line between them.

    The mean is computed by the midpoint rule over `steps` equal segments. The segment with the largest error is halved
    until the sum of every sample is within `TOLERANCE` of the difference between the scores. Each halving thus narrows
    in on a kink, such as one of a ReLU. Source: Sundararajan, Taly, Yan 2017, equation 1 and proposition 1.

    Raises:
        ArithmeticError: the score jumps or is not finite on the way, or 64 times `steps` segments are not enough.
    """
    path = _Path(score, x, baseline)
    edges = np.linspace(0, 1, steps + 1)
    scores = [path.score(edge) for edge in edges]
    total = tf.zeros(x.shape, tf.float32)
    segments: list[_Segment] = []
    for low, high, at_low, at_high in zip(edges, edges[1:], scores, scores[1:], strict=False):
        segment, part = path.segment(low, high, at_low, at_high)
        segments.append(segment)
        total += part
    missed = sum((segment.missed for segment in segments), np.zeros(len(x)))
    while True:
        allowed = TOLERANCE * np.abs(scores[-1] - scores[0]) + path.rounding(scores[0], scores[-1], total)
        if np.all(np.abs(missed) <= allowed):
            return total
        open_samples = np.abs(missed) > allowed
        worst = max(segments, key=lambda segment: np.max(np.abs(segment.missed[open_samples]), initial=0.0))
        if not np.all(np.isfinite(missed)) or worst.high - worst.low < _NARROWEST:
            raise _failure("the output jumps or is not finite on the way from the baseline", missed)
        if len(segments) >= steps * _MOST_REFINED:
            raise _failure(f"{len(segments)} steps are not enough", missed)
        segments.remove(worst)
        middle = (worst.low + worst.high) / 2
        at_middle = path.score(middle)
        _, replaced = path.segment(worst.low, worst.high, worst.at_low, worst.at_high)
        first, first_part = path.segment(worst.low, middle, worst.at_low, at_middle)
        second, second_part = path.segment(middle, worst.high, at_middle, worst.at_high)
        segments += [first, second]
        total += first_part + second_part - replaced
        missed += first.missed + second.missed - worst.missed


@dataclasses.dataclass(frozen=True)
class _Path:
    score_of: Scorer
    x: tf.Tensor
    baseline: tf.Tensor

    def _at(self, place: float) -> tf.Tensor:
        return self.baseline + tf.cast(place, self.x.dtype) * (self.x - self.baseline)

    def score(self, place: float) -> NDArray[np.float64]:
        """`[samples]` at a place from 0, the baseline, to 1, the input."""
        return np.asarray(tf.cast(self.score_of(self._at(place)), tf.float64).numpy())

    def segment(
        self, low: float, high: float, at_low: NDArray[np.float64], at_high: NDArray[np.float64]
    ) -> tuple[_Segment, tf.Tensor]:
        """The segment and its part of the attribution, in the shape of `x`."""
        # There may be thousands of segments, so gradients are not kept: halving a segment computes its gradient again.
        gradient = tf.cast(self.score_of.gradient(self._at((low + high) / 2)), tf.float32)
        part = (high - low) * tf.cast(self.x - self.baseline, tf.float32) * gradient
        change = np.asarray(tf.reduce_sum(tf.cast(part, tf.float64), range(1, part.shape.rank)).numpy())
        return _Segment(low, high, at_low, at_high, change - (at_high - at_low)), part

    def rounding(
        self, at_baseline: NDArray[np.float64], at_input: NDArray[np.float64], total: tf.Tensor
    ) -> NDArray[np.float64]:
        """`[samples]`: error that rounding alone can cause where the difference is small relative to its terms."""
        parts = np.asarray(tf.reduce_sum(tf.abs(total), range(1, total.shape.rank)).numpy(), np.float64)
        unit = max(self.score_of.epsilon(self.x), float(np.finfo(np.float32).eps))
        return np.asarray(_ROUNDINGS * unit * (np.abs(at_baseline) + np.abs(at_input) + parts))


def _failure(reason: str, missed: NDArray[np.float64]) -> ArithmeticError:
    return ArithmeticError(
        f"Integrated gradients miss the change of the output by {np.max(np.abs(missed)):.3g}: {reason}. "
        "Try other `baselines`, more `n_steps` or another method."
    )
