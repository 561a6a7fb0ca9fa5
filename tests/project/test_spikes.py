"""The benchmark of predicted spikes, on made-up courses."""

from __future__ import annotations

import numpy as np

from benchmarks.spikes import APART, Course, Prediction, predict, spikes


def course(spike_at: list[int], surprise_at: list[int]) -> Course:
    losses = 1 + 0.01 * np.random.default_rng(0).normal(size=400)
    losses[spike_at] = 5.0
    surprise = np.ones(400)
    surprise[surprise_at] = 3.0
    return Course("made up", losses, surprise)


def test_spikes_begin_where_the_loss_leaves_its_history() -> None:
    assert spikes(course([], []).losses) == []
    assert spikes(course([100, 101, 100 + APART, 300], []).losses) == [100, 300]


def test_a_spike_is_predicted_one_to_eight_steps_before() -> None:
    assert predict([course([100], [99])], 2.0) == Prediction(1, 1, 1)
    assert predict([course([100], [92, 200])], 2.0) == Prediction(1, 2, 1)
    assert predict([course([100], [91])], 2.0) == predict([course([100], [100])], 2.0) == Prediction(0, 1, 0)
