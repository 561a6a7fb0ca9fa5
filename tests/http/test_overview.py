"""The line of a run in the table of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tb_activations import load
from tb_activations.events.run import Run
from tb_activations.plugin import answers
from tb_activations.plugin.overview import health_over_time, latest_metrics
from tb_activations.records.columns import STEP_COLUMNS
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("sick")
    write_run(folder, layers=5, steps=40, units=2, epoch=10)
    return load(folder)


def test_health_over_time_follows_the_findings(sick: Run) -> None:
    # Steps 0 to 390; the units die at step 120, and the worst finding counts.
    assert health_over_time(sick, 13) == "0000" + 9 * "3"
    healed = tuple(dataclasses.replace(finding, closed_step=200) for finding in sick.findings)
    assert health_over_time(dataclasses.replace(sick, findings=healed), 13) == "0000" + "333" + 6 * "0"
    notes = tuple(finding for finding in sick.findings if finding.severity != "problem")
    assert health_over_time(dataclasses.replace(sick, findings=notes), 13) == "0000" + 9 * "2"


def test_a_run_that_was_not_judged_is_not_healthy(sick: Run) -> None:
    assert health_over_time(dataclasses.replace(sick, findings=()), 4, is_judged=False) == "5555"


def test_long_stretches_without_records_are_gaps(sick: Run) -> None:
    kept = np.concatenate([np.arange(9), [39]])
    sparse = dataclasses.replace(sick, steps=sick.steps[kept], wall_times=sick.wall_times[kept], findings=())
    assert health_over_time(sparse, 13) == "000" + 9 * "-" + "0"
    assert health_over_time(dataclasses.replace(sparse, findings=sick.findings), 13) == "000-" + 9 * "3"


def test_a_run_without_records_has_no_health(tmp_path: Path, sick: Run) -> None:
    empty = dataclasses.replace(
        sick, steps=sick.steps[:0], step_table=sick.step_table[:0], findings=(), epoch_metrics=()
    )
    assert health_over_time(empty) == ""
    assert latest_metrics(empty) == {"epoch": None, "metrics": {}}


def test_metrics_are_those_of_the_last_epoch(sick: Run) -> None:
    latest = latest_metrics(sick)
    assert latest["epoch"] == 3
    assert list(latest["metrics"]) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert latest["metrics"]["val_loss"] == pytest.approx(1.2 * float(sick.step_stat("loss")[-1]))


@pytest.mark.parametrize(("nonfinite", "metrics"), [(1.0, ["loss"]), (np.nan, []), (0.0, [])])
def test_a_loss_that_is_not_finite_differs_from_none(sick: Run, nonfinite: float, metrics: list[str]) -> None:
    table = sick.step_table.copy()
    table[-1, STEP_COLUMNS.index("loss")] = np.nan
    table[-1, STEP_COLUMNS.index("loss_nonfinite")] = nonfinite
    run = dataclasses.replace(sick, step_table=table, epoch_metrics=())
    assert list(latest_metrics(run)["metrics"]) == metrics
    drawn = answers.series(run, None, ["loss"], len(run.steps)).data[0, -1]
    assert np.isinf(drawn) if nonfinite == 1 else np.isnan(drawn)
