"""The codes of the health timeline: findings from when they began, muted ones apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.plugin.timeline import CODES, health_codes
from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, Mutes, mutes_of
from tb_activations.records.thinning import health, shown
from tests.synthetic import Plan, write_run

PLAN = Plan(layers=5, steps=40, units=4, stock=False)
ROW, DEATH = PLAN.sick_layer, PLAN.death


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("logs")
    write_run(folder, name="sick", plan=PLAN)
    return load(folder, "sick")


def words(run: Run, row: int, mutes: Mutes | None = None, limit: int = 1000) -> list[str]:
    codes = health_codes(run, len(run.layers), shown(len(run.steps), limit), mutes or {})
    return [CODES[code] for code in codes[row]]


def begun(run: Run, step: int, **changes: object) -> Run:
    """The run with findings that began at this step."""
    findings = tuple(dataclasses.replace(one, since_step=step, **changes) for one in run.findings)  # type: ignore[arg-type]
    return dataclasses.replace(run, findings=findings)


def test_a_finding_shows_from_the_step_at_which_it_began(run: Run) -> None:
    early = words(begun(run, PLAN.step(5)), ROW)
    assert early == ["ok"] * 5 + ["early_problem"] * (DEATH - 5) + ["problem"] * 28
    assert words(begun(run, PLAN.step(5)), 0)[5:13] == ["early_warning"] * (DEATH - 5) + ["warning"]
    assert words(begun(run, 0), ROW)[0] == "early_problem"
    assert words(run, ROW)[DEATH - 1 : DEATH + 1] == ["ok", "problem"]


def test_it_takes_the_place_of_what_is_milder_only(run: Run) -> None:
    outcomes = run.outcomes.copy()
    outcomes[6, ROW, 0], outcomes[7, ROW, 0], outcomes[8, ROW, 0] = 1, 3, 6
    noisy = dataclasses.replace(begun(run, PLAN.step(5)), outcomes=outcomes)
    assert words(noisy, ROW)[5:9] == ["early_problem", "early_problem", "problem", "early_problem"]
    mild = begun(noisy, PLAN.step(5), severity=Severity.NOTE)
    assert words(mild, ROW)[5:9] == ["early_note", "note", "problem", "error"]


def test_a_finding_that_grows_worse_is_early_until_it_is_as_bad(run: Run) -> None:
    outcomes = run.outcomes.copy()
    outcomes[DEATH : DEATH + 2, ROW, 0], outcomes[DEATH + 2 : DEATH + 4, ROW, 0] = 1, 2
    grown = dataclasses.replace(begun(run, PLAN.step(5)), outcomes=outcomes)
    assert words(grown, ROW)[4:] == ["ok"] + ["early_problem"] * (DEATH - 1) + ["problem"] * 24
    outcomes[:, ROW, 0] = 0
    silent = words(dataclasses.replace(grown, outcomes=outcomes), ROW)
    assert silent[5:] == ["early_problem"] * (DEATH - 5) + ["ok"] * 28


def test_no_early_stretch_is_lost_among_fewer_columns(run: Run) -> None:
    assert words(begun(run, PLAN.step(DEATH - 1)), ROW, limit=8).count("early_problem") == 1
    assert len(words(run, ROW, limit=8)) == 8


def test_muted_findings_show_where_there_is_no_other(run: Run) -> None:
    root = next(finding for finding in run.findings if finding.rule == "dead_units")
    mutes = mutes_of([Mute(root.rule, root.layer, root.severity, "", 0.0)])
    assert words(run, ROW, mutes)[DEATH - 1 :] == ["ok"] + ["muted"] * 28
    assert words(run, 0, mutes) == words(run, 0)
    assert set(words(begun(run, PLAN.step(5)), ROW, mutes)[5:]) == {"muted"}
    outcomes = run.outcomes.copy()
    outcomes[20, ROW, 1] = 2
    other = dataclasses.replace(run, outcomes=outcomes)
    assert words(other, ROW, mutes)[20] == "warning", "another rule is not muted"
    milder = mutes_of([Mute(root.rule, root.layer, Severity.NOTE, "", 0.0)])
    assert words(run, ROW, milder) == words(run, ROW), "a mute does not cover what is worse"


def test_without_either_it_is_the_health_of_the_outcomes(run: Run) -> None:
    places = shown(len(run.steps), 10)
    np.testing.assert_array_equal(health_codes(run, 4, places), health(run.outcomes[:, :4], places))
    gone = dataclasses.replace(run, findings=tuple(dataclasses.replace(one, layer="gone") for one in run.findings))
    assert health_codes(begun(gone, 0), 5, places).shape == (5, 10)
