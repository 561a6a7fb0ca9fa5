"""Trains a sick case with changes, and measures how healthy it has become."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.advice.changes import Change, build
from benchmarks.cases.base import Case
from benchmarks.cases.measurements import Measurements
from benchmarks.cases.scoring import judged
from benchmarks.cases.training import MEASURED, load_measurements, measure, train
from benchmarks.cases.truth import facts
from tb_activations.events.reader import load
from tb_activations.records.finding import WHOLE


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a case with changes.

    Attributes:
        findings: what our rules found above a note at any time, as rule and layer.
        sick: what the measurements show for certain, as rule and layer.
        loss: over all data after the training, NaN if it is not finite or unknown.
        constant: that of the best constant prediction, NaN if unknown.
        untrained: that of a network that learned nothing.
        has_learned: by the measurements.
    """

    findings: tuple[str, ...]
    sick: tuple[str, ...]
    loss: float
    constant: float
    untrained: float
    has_learned: bool

    @property
    def is_healthy(self) -> bool:
        """Whether neither our rules nor the measurements find anything, and the network learns."""
        return not self.findings and not self.sick and self.has_learned


def changed(case: Case, changes: Sequence[Change]) -> Case:
    """The case with a program that has these changes."""
    return dataclasses.replace(case, build=lambda: build(case.build, tuple(changes)))


def run(case: Case, changes: Sequence[Change], folder: Path) -> Trial:
    """Trains the changed case from seed 0 into `folder`.

    Raises:
        NotPossible: a change does not apply to the program.
    """
    train(changed(case, changes), folder)
    trial = trial_of(folder)
    (folder / "trial.json").write_text(json.dumps(dataclasses.asdict(trial)), "utf-8")
    return trial


def cure(case: Case, changes: Sequence[Change], folder: Path) -> Trial:
    """The same without the callback, which makes it cheaper: there are no findings. A stored one is not repeated."""
    if not (folder / MEASURED).exists():
        measure(changed(case, changes), folder)
    return trial_of(folder)


def trial_of(folder: Path) -> Trial:
    """The trial that was trained into `folder`, judged by the present rules."""
    measured = load_measurements(folder)
    found = judged(load(folder / "run")) if (folder / "run").exists() else []
    return Trial(
        tuple(_named(one.rule, one.layer) for one in found),
        tuple(_named(fact.rule, fact.layer) for fact in facts(measured) if fact.certain),
        _finite(measured.losses[-1]),
        measured.constant_loss,
        _untrained(measured),
        measured.has_learned,
    )


def _named(rule: str, layer: str) -> str:
    return rule if layer == WHOLE else f"{rule} of {layer}"


def _untrained(measured: Measurements) -> float:
    """The constant prediction; where it is unknown, the first finite loss."""
    if math.isfinite(measured.constant_loss):
        return measured.constant_loss
    return next((loss for loss in measured.losses if math.isfinite(loss)), math.nan)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
