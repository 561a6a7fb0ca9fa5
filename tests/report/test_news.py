"""What counts as news of a finding."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tb_activations import load
from tb_activations.events.run import Run
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.report.news import has_news
from tests.cli.conftest import PLAN
from tests.synthetic import write_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Steps 0, 10, ..., 390; dead units are a problem from step 120 on."""
    write_run(tmp_path, plan=PLAN)
    return load(tmp_path)


def dead(run: Run) -> Finding:
    return next(finding for finding in run.findings if finding.rule == "dead_units")


@pytest.mark.parametrize(("since", "expected"), [(120, True), (121, False)])
def test_opening_is_news(since: int, expected: bool, run: Run) -> None:
    assert has_news(run, dead(run), since) is expected


def test_closing_and_opening_again_are_news(run: Run) -> None:
    assert has_news(run, dataclasses.replace(dead(run), closed_step=300), 200)
    assert not has_news(run, dataclasses.replace(dead(run), closed_step=300), 301)
    assert has_news(run, dataclasses.replace(dead(run), reopened_step=300), 200)


def test_another_severity_is_news(run: Run) -> None:
    row, column = run.layers.index("dense_2"), run.rules.index("dead_units")
    run.outcomes[:20, row, column] = Outcome.WARNING
    assert has_news(run, dead(run), 200)
    assert not has_news(run, dead(run), 210)
    assert has_news(run, dataclasses.replace(dead(run), severity=Severity.NOTE), 300)
