"""Judging some rules again gives what judging all of them gives."""

from __future__ import annotations

import dataclasses

import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.health.rejudging import Change, changes, rejudge
from tb_activations.health.rules import configure
from tb_activations.plugin.judging import replay_of, standing_of
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.finding import Severity
from tb_activations.report.stored import rejudged
from tests.judged_run import LAYER, write_judged_run

NAMES = ("dead_units", "dormant_units", "nonfinite", "loss_spike")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("logs")
    write_judged_run(folder)
    return load(folder, "train")


@pytest.mark.parametrize("share", [0.4, 0.55, 0.65])
def test_one_rule_judged_again_gives_what_all_give(run: Run, share: float) -> None:
    chosen = {"dead_units": {"warning_share": share}, **{name: {} for name in NAMES[1:]}}
    whole = rejudged(run, chosen)
    again = rejudge(standing_of(run), replay_of(run), configure({"dead_units": chosen["dead_units"]}))
    assert again.findings == whole.findings
    assert {name: column.tolist() for name, column in again.outcomes.items()} == {
        name: whole.last_outcomes[:, place].tolist() for place, name in enumerate(whole.rules)
    }
    assert again.training == whole.last_training


def test_changes_are_findings_that_appear_disappear_or_change_severity(run: Run) -> None:
    before = standing_of(run)
    milder = rejudge(before, replay_of(run), configure({"dead_units": {"warning_share": 0.65}}))
    (change,) = changes(before.findings, milder.findings)
    assert (change.before, change.after, change.finding.layer) == (Severity.WARNING, Severity.NOTE, LAYER)
    (gone,) = changes(before.findings, before.without({"dead_units"}).findings)
    assert gone == Change(before.findings[0], Severity.WARNING, None)
    (came,) = changes(before.without({"dead_units"}).findings, before.findings)
    assert came == Change(before.findings[0], None, Severity.WARNING)
    assert changes(before.findings, before.findings) == []


def test_a_run_without_records_waits_for_data(run: Run) -> None:
    again = rejudge(standing_of(run), replay_of(run.at([])), configure({"dead_units": {}, "loss_spike": {}}))
    assert again.findings == ()
    assert set(again.outcomes["dead_units"].tolist()) == {5}
    assert again.training == {"loss_spike": 5}


def test_rules_for_the_training_see_the_findings_of_rules_that_are_not_judged(run: Run) -> None:
    """`nonfinite_loss` reports a loss that is NaN only if no layer has NaN already."""
    broken = rejudged(_with_nan(run), {"nonfinite": {}, "nonfinite_loss": {}})
    assert {finding.rule for finding in broken.findings} == {"nonfinite"}
    alone = configure({"nonfinite_loss": {"skipped_steps": 3}})
    assert {one.rule for one in rejudge(standing_of(broken), replay_of(broken), alone).findings} == {"nonfinite"}
    bare = standing_of(broken).without({"nonfinite"})
    assert {one.rule for one in rejudge(bare, replay_of(broken), alone).findings} == {"nonfinite_loss"}


def _with_nan(run: Run) -> Run:
    layers, steps = run.layer_table.copy(), run.step_table.copy()
    layers[20:, 1, LAYER_COLUMNS.index("nonfinite")] = 9
    layers[20:, 1, LAYER_COLUMNS.index("gradient_nonfinite")] = 9
    steps[:, STEP_COLUMNS.index("loss_nonfinite")] = 0
    steps[20:, STEP_COLUMNS.index("loss_nonfinite")] = 1
    return dataclasses.replace(run, layer_table=layers, step_table=steps)
