"""A history that replays a stored run is equal to one that was updated with its records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.history import History
from tb_activations.health.rejudging import Standing, rejudge
from tb_activations.health.rules import configure
from tb_activations.plugin.judging import replay_of, standing_of
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tests.judged_run import write_judged_run
from tests.synthetic import write_run


@pytest.fixture(scope="module", params=["judged", "sick"])
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Run:
    folder: Path = tmp_path_factory.mktemp("logs")
    if request.param == "judged":
        write_judged_run(folder)
        return load(folder, "train")
    write_run(folder, name="train", layers=9, steps=60, units=6, stock=False)
    return load(folder, "train")


def test_it_knows_the_same_at_every_step(run: Run) -> None:
    updated = History(run.spec)
    for record, stored in zip(run.records(), replay_of(run).history(), strict=True):
        updated.update(record)
        for name in ("step", "checks", "first_step", "initial_loss", "initial_size", "loss", "peak_learning_rate"):
            assert getattr(stored, name) == pytest.approx(getattr(updated, name), rel=0, abs=0, nan_ok=True), name
        for name in ("steps", "losses", "recent_peaks", "common_peaks", "gradient_blocks", "rows", "row_sums"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(updated, name), name)
        for column in LAYER_COLUMNS:
            np.testing.assert_array_equal(stored.stat(column), updated.stat(column), column)
            np.testing.assert_array_equal(stored.latest(column), updated.latest(column), column)
        for column in WEIGHT_COLUMNS:
            np.testing.assert_array_equal(stored.weight_stat(column), updated.weight_stat(column), column)
        for column in STEP_COLUMNS:
            np.testing.assert_array_equal(stored.total(column), updated.total(column), column)
        for name, values in vars(updated.units).items():
            np.testing.assert_array_equal(getattr(stored.units, name), values, name)


def test_units_are_read_only_if_a_rule_asks_for_them(run: Run) -> None:
    replay = replay_of(run)
    rejudge(standing_of(run), replay, configure({"vanishing_gradient": {}}))
    assert replay.common_known == 0
    rejudge(standing_of(run), replay, configure({"dead_units": {}}))
    assert replay.common_known == len(run.steps)


def test_all_rules_find_the_same_twice(run: Run) -> None:
    rules, replay = configure(), replay_of(run)
    diagnosis, last = Diagnosis(run.spec, rules), None
    for record in run.records():
        last = diagnosis.judge(record)
    assert last is not None
    bare = Standing(run.spec, (), {}, {})
    for _ in range(2):
        again = rejudge(bare, replay, rules)
        assert again.findings == last.findings
        assert [column.tolist() for column in again.outcomes.values()] == last.outcomes.T.tolist()
        assert list(again.training.values()) == last.training.tolist()
    assert any(replay.notes), "nothing is kept for the second time"
