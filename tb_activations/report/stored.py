"""The runs below a log directory, with the verdict of the training or judged again by other thresholds."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tb_activations.events.reader import load, runs
from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.roots import worst_first
from tb_activations.health.rules import RuleChoice, configure
from tb_activations.health.verdict import RuleState, Verdict, rule_states, verdict


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """One run that could be read.

    Attributes:
        title: what to call the run: its name, or that of its folder where the folder itself was asked for.
        run: its findings stand worst first.
        states: what became of each rule.
        remarks: what reading it complained of, for people.
        is_rejudged: whether the findings are those of thresholds given now, not those of the training.
    """

    title: str
    run: Run
    verdict: Verdict
    states: Mapping[str, RuleState]
    remarks: tuple[str, ...] = ()
    is_rejudged: bool = False


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """One run that could not be read, and why; `title` is what to call it."""

    title: str
    name: str
    reason: str


def read(logdir: str | os.PathLike[str], rules: RuleChoice = None) -> tuple[Judged | Unreadable, ...]:
    """Every run at or below `logdir`, sorted by name.

    Args:
        rules: judges again by these, as `configure` takes them; None keeps what was found in training.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: `rules` is not allowed.
    """
    configure(rules)
    if not Path(logdir).is_dir():
        raise FileNotFoundError(f"there is no folder {os.fspath(logdir)}")
    names = runs(logdir)
    if not names:
        raise FileNotFoundError(
            f"no Layer Health run in {os.fspath(logdir)} or below it; give the log_dir that the LayerHealth callback "
            "was given, after at least one training step was observed"
        )
    return tuple(_read_one(logdir, name, rules) for name in names)


def _read_one(logdir: str | os.PathLike[str], name: str, rules: RuleChoice) -> Judged | Unreadable:
    title = name if name != "." else Path(logdir).resolve().name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run = load(logdir, name)
        except (OSError, ValueError) as error:
            return Unreadable(title, name, str(error))
    remarks = [str(warning.message) for warning in caught]
    if run.dropped:
        remarks.append(f"{run.dropped} values of the event file did not fit the run's description and were left out")
    if rules is not None:
        run = rejudged(run, rules)
    run = dataclasses.replace(run, findings=worst_first(run.findings, run.spec))
    seen = (run.spec, run.findings, run.last_outcomes, run.rules)
    return Judged(title, run, verdict(*seen), rule_states(*seen), tuple(remarks), rules is not None)


def rejudged(run: Run, rules: RuleChoice) -> Run:
    """The run with the findings, outcomes and thresholds that its stored records give by `rules`.

    Raises:
        ValueError: `rules` is not allowed.
    """
    diagnosis = Diagnosis(run.spec, configure(rules))
    judgements = [diagnosis.judge(record) for record in run.records()]
    nothing = np.empty((0, len(run.layers), len(diagnosis.rules)), np.uint8)
    return dataclasses.replace(
        run,
        spec=dataclasses.replace(run.spec, thresholds=diagnosis.thresholds),
        outcomes=np.stack([judgement.outcomes for judgement in judgements]) if judgements else nothing,
        rules=diagnosis.rules,
        findings=judgements[-1].findings if judgements else (),
    )
