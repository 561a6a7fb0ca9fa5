"""What the advice did for one sick case, next to a random change and to the known cure."""

from __future__ import annotations

import dataclasses
import json
import math
import traceback
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.advice.changes import Change, NotPossible, build
from benchmarks.advice.controls import control
from benchmarks.advice.cures import CURES
from benchmarks.advice.follow import advised, advised_next
from benchmarks.advice.reasons import REASONS
from benchmarks.advice.remedies import Advised, remedy
from benchmarks.advice.trial import Trial, cure, run
from benchmarks.cases.base import Case
from benchmarks.cases.training import MEASURED, train

WITHIN = 0.05
"""Share of the healthy training's improvement that may be missing."""

RESULT = "result.json"

MOST_ROUNDS = 3
"""Trainings in which the advice is followed, each with what the one before has left."""


@dataclasses.dataclass(frozen=True)
class Result:
    """One case.

    Attributes:
        finding: the finding whose advice was followed, as rule, sign and layer; "" without a correct one.
        advice: its text.
        changes: what was changed in all rounds, `control_changes` what the control changed, in words.
        rounds: trainings in which the advice was followed.
        reason: why the case or the advice could not be tried; "" if it was.
        first_trial, advice_trial: the first and the last of these trainings; None for one that failed.
        control_trial, cure_trial: the other trainings.
    """

    case: str
    finding: str = ""
    advice: str = ""
    changes: tuple[str, ...] = ()
    control_changes: tuple[str, ...] = ()
    rounds: int = 0
    reason: str = ""
    first_trial: Trial | None = None
    advice_trial: Trial | None = None
    control_trial: Trial | None = None
    cure_trial: Trial | None = None

    @property
    def is_tried(self) -> bool:
        return not self.reason

    def is_near(self, trial: Trial | None) -> bool:
        """Whether a training has at least 95 % of the cured training's improvement over one that learned nothing."""
        if trial is None or self.cure_trial is None:
            return False
        return improvement(trial, self.cure_trial) >= (1 - WITHIN) * improvement(self.cure_trial, self.cure_trial)

    def is_as_low(self, trial: Trial | None) -> bool:
        """Whether the loss itself is within 5 % of the cured one's, both relative to those without learning."""
        if trial is None or self.cure_trial is None:
            return False
        left, cured = (1 - improvement(one, self.cure_trial) for one in (trial, self.cure_trial))
        return left <= cured + WITHIN * abs(cured)

    def is_mended(self, trial: Trial | None) -> bool:
        """Whether a training is healthy and near the cured one."""
        return trial is not None and trial.is_healthy and self.is_near(trial)


def improvement(trial: Trial, cured: Trial) -> float:
    """The share of the loss without learning that a training has removed, -infinity if its loss is not finite.

    Losses on scaled targets differ in size, so each is compared with the best constant prediction of its own targets.
    Where that is unknown, with the loss at which the cured training started.
    """
    base = trial.constant if math.isfinite(trial.constant) else cured.untrained
    return (base - trial.loss) / abs(base) if math.isfinite(trial.loss) and base else -math.inf


def investigate(case: Case, stored: Path, folder: Path) -> Result:
    """Follows the advice for a case, makes a random change, and cures it.

    Args:
        stored: folder of the sick training; it is trained there if that has not been done.
        folder: for the changed trainings.
    """
    if case.name in REASONS:
        return Result(case.name, reason=REASONS[case.name])
    if not (stored / MEASURED).exists():
        train(case, stored)
    cured = _tried(case, CURES[case.name], folder / "cure", cure)
    result = Result(case.name, cure_trial=cured if isinstance(cured, Trial) else None)
    found = advised(case, stored)
    if found is None:
        return dataclasses.replace(result, reason="no correct finding")
    result = dataclasses.replace(result, finding=_named(found), advice=found.first.advice)
    try:
        changes = remedy(found)
    except NotPossible as reason:
        return dataclasses.replace(result, reason=f"advice for a person: {reason}")
    changes, trials = followed(case, changes, folder)
    seed = zlib.crc32(case.name.encode())
    random = control(changes, found, np.random.default_rng(seed))
    changed = _tried(case, random, folder / "control")
    return dataclasses.replace(
        result,
        changes=tuple(change.words for change in changes),
        control_changes=tuple(change.words for change in random),
        rounds=len(trials),
        first_trial=trials[0],
        advice_trial=trials[-1],
        control_trial=changed if isinstance(changed, Trial) else None,
    )


def followed(case: Case, first: Sequence[Change], folder: Path) -> tuple[tuple[Change, ...], list[Trial | None]]:
    """All changes, and the trial of each round: at most `MOST_ROUNDS`, as long as there is something new to change.

    A round makes the changes of those before, too.
    """
    changes: tuple[Change, ...] = ()
    trials: list[Trial | None] = []
    new = tuple(first)
    while len(trials) < MOST_ROUNDS and not set(new) <= set(changes):
        changes = (*changes, *(change for change in new if change not in changes))
        trained = folder / f"advice_{len(trials) + 1}"
        trial = _tried(case, changes, trained)
        trials.append(trial if isinstance(trial, Trial) else None)
        new = _next_changes(trained) if isinstance(trial, Trial) and trial.findings else ()
    return changes, trials


def _next_changes(trained: Path) -> tuple[Change, ...]:
    found = advised_next(trained)
    if found is None:
        return ()
    try:
        return tuple(remedy(found))
    except NotPossible:
        return ()


def store(result: Result, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(dataclasses.asdict(result), indent=1), "utf-8")


def load(folder: Path) -> Result | None:
    """The stored result, None without one."""
    if not (folder / RESULT).exists():
        return None
    stored: dict[str, Any] = json.loads((folder / RESULT).read_text("utf-8"))
    for name in ("first_trial", "advice_trial", "control_trial", "cure_trial"):
        if stored[name] is not None:
            trial = stored[name]
            stored[name] = Trial(**{**trial, "findings": tuple(trial["findings"]), "sick": tuple(trial["sick"])})
    return Result(
        **{**stored, "changes": tuple(stored["changes"]), "control_changes": tuple(stored["control_changes"])}
    )


def _tried(
    case: Case,
    changes: Sequence[Change],
    folder: Path,
    trial: Callable[[Case, Sequence[Change], Path], Trial] = run,
) -> Trial | str:
    """The trial, or why there is none: some changes do not fit the program."""
    possible = tuple(change for change in changes if _fits(case, change))
    if not possible:
        return "no change fits the program"
    try:
        return trial(case, possible, folder)
    # A change at random may make a program that Keras refuses.
    except Exception as error:
        return "".join(traceback.format_exception_only(error))


def _fits(case: Case, change: Change) -> bool:
    try:
        build(case.build, (change,))
    except NotPossible:
        return False
    return True


def _named(found: Advised) -> str:
    return f"{found.first.rule}, {found.first.sign}, {', '.join(filter(None, found.layers)) or 'the whole'}"
