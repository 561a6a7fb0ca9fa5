"""Questions of rules about the window of observed steps."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.health.history import History
from tb_activations.health.rules.window import has_learned, medians, since, trailing
from tests.health.trainings import chain, record

SPEC = chain("a", "out")


def with_losses(*losses: float) -> History:
    history = History(SPEC)
    for step, loss in enumerate(losses):
        history.update(record(SPEC, step, loss=loss))
    return history


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(2.0, 1.5, False), (2.0, 1.3, True), (-2.0, -2.0, False), (-2.0, -2.5, False), (-2.0, -2.7, True)],
)
def test_a_loss_has_to_fall_by_a_share_of_its_start(start: float, end: float, expected: bool) -> None:
    assert has_learned(with_losses(*[start] * 10, *[end] * 40)) is expected


@pytest.mark.parametrize("seed", range(20))
def test_medians_are_those_of_numpy(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(size=(seed, 5)).astype(np.float32)
    table[random.random(table.shape) < 0.4] = np.nan
    known = ~np.isnan(table).all(axis=0) if seed else np.zeros(5, bool)
    values, counts = medians(table)
    assert counts.tolist() == np.count_nonzero(~np.isnan(table), axis=0).tolist()
    np.testing.assert_array_equal(values[known], np.nanmedian(table[:, known], axis=0) if known.any() else [])
    assert np.isnan(values[~known]).all()


def test_what_holds_at_the_end_counts() -> None:
    assert trailing(np.array([True, False, True, True])) == 2
    assert trailing(np.array([True, True])) == 2
    history = with_losses(*[1.0] * 4)
    assert since(history, np.array([True, False, True, True])) == 2
    assert since(history, np.array([False] * 4)) == 3
