from __future__ import annotations

import numpy as np
import pytest

from tb_activations.health.history import History
from tb_activations.records.columns import LAYER_COLUMNS
from tests.health.trainings import chain, record

SPEC = chain("a", "b", "out")


def test_the_window_keeps_the_last_steps_oldest_first() -> None:
    history = History(SPEC, window=4)
    for step in range(10):
        history.update(record(SPEC, step * 5, values={"b": {"mean": float(step)}}, loss=float(step)))
    assert history.steps.tolist() == [30, 35, 40, 45]
    assert history.stat("mean")[:, 1].tolist() == [6, 7, 8, 9]
    assert history.latest("mean")[1] == 9
    assert history.losses.tolist() == [6, 7, 8, 9]
    assert (history.first_step, history.step, history.checks) == (0, 45, 10)


def test_a_history_that_is_not_full_returns_the_steps_so_far() -> None:
    history = History(SPEC, window=4)
    assert history.stat("mean").shape == (0, 3)
    assert np.isnan(history.initial_loss)
    assert np.isnan(history.loss)
    history.update(record(SPEC, 0))
    assert history.stat("mean").shape == (1, 3)


def test_the_initial_loss_skips_nonfinite_losses_and_stays() -> None:
    history = History(SPEC)
    for step, loss in enumerate([float("nan"), 4.0, 2.0, 3.0, 0.1, 0.1]):
        history.update(record(SPEC, step, loss=loss))
    assert history.initial_loss == 3.0


def test_a_record_of_another_run_is_rejected() -> None:
    other = chain("a", "out")
    columns = len(LAYER_COLUMNS)
    message = rf"record of step 7 has layers \(2, {columns}\) and 20 units, the run has \(3, {columns}\)"
    with pytest.raises(ValueError, match=message):
        History(SPEC).update(record(other, 7))
