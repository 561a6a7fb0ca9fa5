"""Questions of rules about the window of observed steps."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.health.history import History
from tb_activations.health.rules.progress import constant_loss
from tb_activations.health.rules.window import had_learned, has_learned, medians, since, trailing
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


@pytest.mark.parametrize(("constant", "expected"), [(np.nan, True), (0.7, False), (3.0, True)])
def test_a_fall_to_the_best_constant_prediction_is_nothing_learned(constant: float, expected: bool) -> None:
    history = History(SPEC)
    for step, loss in enumerate([9.0] * 3 + [0.69] * 40):
        history.update(record(SPEC, step, loss=loss, totals={"constant_loss": constant}))
    assert has_learned(history) is expected


def test_what_was_learned_and_lost_again_was_learned() -> None:
    history = with_losses(*[1.0] * 4, *[0.2] * 40, *[1.2] * 60)
    assert not has_learned(history)
    assert had_learned(history)
    assert not had_learned(with_losses(*[1.0] * 80))


@pytest.mark.parametrize(("batch", "expected"), [(1, np.nan), (4, 0.3)])
def test_the_best_constant_for_a_few_samples_is_unknown(batch: int, expected: float) -> None:
    history = History(SPEC)
    for step in range(5):
        history.update(record(SPEC, step, batch=batch, totals={"constant_loss": 0.3}))
    assert constant_loss(history) == pytest.approx(expected, nan_ok=True)
