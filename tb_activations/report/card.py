"""A run, or several, as a piece of HTML for a notebook: inline style and SVG, no script, nothing to load."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.health.roots import worst_first
from tb_activations.health.verdict import headline, verdict
from tb_activations.records.columns import LAYER_STATISTICS, STEP_STATISTICS
from tb_activations.records.finding import Outcome
from tb_activations.records.formatting import number
from tb_activations.report import words
from tb_activations.report.sparkline import sparkline

LAYERS = 12
"""Layers with sparklines at most: those with open findings first, then in call order."""
FINDINGS = 8
"""Findings listed at most, worst first."""
TRAINING = ("loss", "learning_rate")
LAYER = ("std", "gradient_norm", "update_ratio")


@dataclasses.dataclass(frozen=True)
class Spark:
    """A series with its heading and its first and last measured value."""

    title: str
    line: Markup
    first: str
    last: str


def run_card(run: Run, title: str, remarks: Sequence[str] = ()) -> str:
    """The verdict, the training, the layers and the findings of a run. All names are escaped."""
    findings = worst_first(run.findings, run.spec)
    rows = _rows(run)
    card: str = _template("card.html").render(
        run=run,
        title=title,
        verdict=_verdict(run),
        remarks=remarks,
        training=[
            _spark(run, run.step_stat(one.id), one.title, one.scale) for one in STEP_STATISTICS if one.id in TRAINING
        ],
        statistics=[one for one in LAYER_STATISTICS if one.id in LAYER],
        layers=[(run.spec.layers[row], _state(run.last_outcomes[row]), _sparks(run, row)) for row in rows],
        more_layers=len(run.layers) - len(rows),
        families=words.families(findings)[:FINDINGS],
        more_findings=max(0, len(words.families(findings)) - FINDINGS),
    )
    return card


def runs_card(title: str, runs: Sequence[tuple[str, Run | str]], count: int) -> str:
    """A table of runs: verdict and loss, or the reason why a run cannot be read.

    Args:
        count: number of all runs; those beyond `runs` are only counted.
    """
    rows = [
        (name, None, None, found)
        if isinstance(found, str)
        else (name, _verdict(found), _spark(found, found.step_stat("loss"), "Loss", "linear"), _extent(found))
        for name, found in runs
    ]
    cards: str = _template("cards.html").render(title=title, rows=rows, count=count, more=count - len(rows))
    return cards


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("tb_activations.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, headline=headline)
    return environment.get_template(name)


def _verdict(run: Run) -> Any:
    return verdict(run.spec, run.findings, run.last_outcomes, run.rules, run.last_training)


def _extent(run: Run) -> str:
    return f"{len(run.steps):,} observed {words.plural(len(run.steps), 'step')}"


def _rows(run: Run) -> list[int]:
    """Rows of the layers that are shown, in call order."""
    is_sick = [_state(codes) in (Outcome.NOTE, Outcome.WARNING, Outcome.PROBLEM) for codes in run.last_outcomes]
    order = sorted(range(len(run.layers)), key=lambda row: (not is_sick[row], row))
    return sorted(order[:LAYERS])


def _state(codes: NDArray[np.uint8]) -> Outcome:
    """The worst outcome of a layer."""
    return max(map(Outcome, codes.tolist()), key=lambda outcome: outcome.rank, default=Outcome.NOT_APPLICABLE)


def _sparks(run: Run, row: int) -> list[Spark]:
    return [_spark(run, run.stat(one.id)[:, row], one.title, one.scale) for one in LAYER_STATISTICS if one.id in LAYER]


def _spark(run: Run, values: NDArray[np.float32], title: str, scale: str) -> Spark:
    measured = values[~np.isnan(values)]
    first, last = (number(float(measured[place])) if measured.size else "" for place in (0, -1))
    return Spark(title, sparkline(run.steps, values, scale=scale), first, last)
