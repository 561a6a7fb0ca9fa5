"""Chooses the advice that a person would follow first in a judged run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.advice.remedies import Advised
from benchmarks.cases.base import WHOLE_RULES, Case
from benchmarks.cases.training import load_measurements
from benchmarks.cases.truth import facts
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.records.columns import STEP_COLUMNS
from tb_activations.records.finding import Finding, Severity

SECOND_LOOK = 8
"""Observed steps from the first correct finding to the moment at which the verdict is read: its causes and the same
finding of other layers may need a few more steps."""


def advised(case: Case, folder: Path) -> Advised | None:
    """The first correct finding of the stored training, and the others with the same advice; None without one.

    The first: at the first observed step with a warning or problem that the measurements confirm, or `SECOND_LOOK`
    observed steps later, the first one in the order of the verdict.
    """
    known = facts(load_measurements(folder))
    allowed = {case.rule, *case.also, *WHOLE_RULES}
    true = {(fact.rule, fact.layer) for fact in known if fact.rule in allowed}
    return _advised(load(folder / "run"), lambda finding: (finding.rule, finding.layer) in true)


def advised_next(folder: Path) -> Advised | None:
    """The same for a training that has been changed, whatever the measurements say: a person does not know them."""
    return _advised(load(folder / "run"), lambda finding: True)


def _advised(run: Run, is_chosen: Callable[[Finding], bool]) -> Advised | None:
    seen = _first_seen(run, is_chosen)
    if seen is None:
        return None
    place, first, findings = seen
    # A person treats all layers that are listed with the same finding, notes included.
    alike = [one for one in findings if (one.rule, one.sign) == (first.rule, first.sign)]
    rates = run.step_table[: place + 1, STEP_COLUMNS.index("learning_rate")]
    rates = rates[np.isfinite(rates)]
    layers = [layer for layer in run.spec.layers if not layer.call_site]
    return Advised(
        first,
        tuple(one.layer for one in alike),
        tuple(layer.name for layer in layers if layer.parameters),
        tuple(layer.name for layer in layers if layer.activation),
        float(rates[-1]) if rates.size else math.nan,
        float(rates.max()) if rates.size else math.nan,
    )


def _first_seen(run: Run, is_chosen: Callable[[Finding], bool]) -> tuple[int, Finding, list[Finding]] | None:
    """The place of the record at which the verdict is read, its first chosen finding, and all open ones."""
    diagnosis, began, seen = Diagnosis(run.spec), None, None
    for place, record in enumerate(run.records()):
        still_open = [one for one in diagnosis.judge(record).findings if one.closed_step is None]
        found = [one for one in still_open if one.severity is not Severity.NOTE and is_chosen(one)]
        if found and began is None:
            began = place
        if found:
            seen = place, found[0], still_open
        if began is not None and place >= began + SECOND_LOOK:
            break
    return seen
