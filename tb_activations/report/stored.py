"""The runs below a log directory, with their stored verdict or judged again with other thresholds."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tb_activations.events import schema
from tb_activations.events.files import Folder, folders
from tb_activations.events.mutes_file import MutesError, read_mutes
from tb_activations.events.paths import local_path
from tb_activations.events.reader import load_folder, name_of
from tb_activations.events.run import Run
from tb_activations.events.whereabouts import no_run
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.roots import worst_first
from tb_activations.health.rules import RuleChoice, configure
from tb_activations.health.verdict import RuleState, Verdict, rule_states, verdict
from tb_activations.records.finding import Finding
from tb_activations.records.mute import NO_MUTES, Mute, Mutes, counting, mute_of


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """A run that could be read.

    Attributes:
        title: the run's name, or the name of its folder if the run is the log directory itself.
        run: its findings are sorted worst first.
        states: the state of each rule.
        remarks: problems with the data, such as a damaged file.
        mutes: of the person who looked at the run, by rule and layer; the verdict does not count what they cover.
        is_rejudged: whether the findings come from thresholds given now instead of those of the training.
    """

    title: str
    run: Run
    verdict: Verdict
    states: Mapping[str, RuleState]
    remarks: tuple[str, ...] = ()
    is_rejudged: bool = False
    mutes: Mutes = dataclasses.field(default_factory=dict)

    @property
    def counting(self) -> tuple[Finding, ...]:
        """The findings that are not muted."""
        return counting(self.run.findings, self.mutes)

    @property
    def muted(self) -> list[tuple[Finding, Mute]]:
        """The findings that are muted, each with its mute."""
        pairs = ((finding, mute_of(finding, self.mutes)) for finding in self.run.findings)
        return [(finding, mute) for finding, mute in pairs if mute is not None]


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """A run that could not be read, and the reason.

    Attributes:
        title: as for `Judged`.
        is_folder: whether this is a folder that cannot be opened and may not contain a run.
    """

    title: str
    name: str
    reason: str
    is_folder: bool = False


BRIEF = frozenset({schema.RUN, schema.STEP, schema.OUTCOMES, schema.TRAINING, schema.FINDINGS})
"""Tags needed for the stored verdict and the observed steps."""


def read(
    logdir: str | os.PathLike[str],
    rules: RuleChoice = None,
    *,
    is_brief: bool = False,
    following: Callable[[Sequence[Folder]], Iterable[Folder]] = iter,
) -> tuple[Judged | Unreadable, ...]:
    """Every run at or below `logdir`, sorted by name. Each folder is listed and each event file opened once.

    Args:
        logdir: "~" and "file://" are supported.
        rules: judges the stored records with these, as for `configure`; None keeps the findings of the training.
        is_brief: leaves out the tables over steps, so that thousands of runs fit into memory.
        following: wraps the folders while they are read, for example with a progress bar.

    Raises:
        FileNotFoundError: there is no run.
        NotADirectoryError: `logdir` is a file.
        RemotePathError: `logdir` is not a local folder.
        ValueError: `rules` is not allowed, or `logdir` is empty.
    """
    configure(rules)
    top = local_path(logdir)
    candidates = [folder for folder in folders(top) if folder.files or folder.closed]
    candidates.sort(key=lambda folder: name_of(folder, top))
    tags = BRIEF if is_brief and rules is None else frozenset(schema.COLUMNS)
    found = [
        without_tables(run) if is_brief and isinstance(run, Judged) else run
        for folder in following(candidates)
        if (run := _read_one(folder, top, rules, tags)) is not None
    ]
    if all(isinstance(run, Unreadable) and run.is_folder for run in found):
        raise no_run(top)
    return tuple(found)


def _read_one(folder: Folder, top: Path, rules: RuleChoice, tags: Collection[str]) -> Judged | Unreadable | None:
    """The run in one folder, None if it has no Layer Health files."""
    name = name_of(folder, top)
    title = name if name != "." else top.resolve().name
    if folder.closed:
        return Unreadable(title, name, f"the folder cannot be opened: {folder.closed}", is_folder=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run = load_folder(folder.files, name, tags)
        except (OSError, ValueError) as error:
            reasons = [*(str(warning.message) for warning in caught), str(error)]
            return Unreadable(title, name, "; ".join(reasons))
    if run is None:
        return None
    remarks = [str(warning.message) for warning in caught]
    if run.dropped:
        remarks.append(f"{run.dropped} values of the event file did not fit the run's description and were left out")
    if rules is not None:
        run = rejudged(run, rules)
    mutes = _mutes(folder.path, remarks)
    return judged(run, title, tuple(remarks), mutes, is_rejudged=rules is not None)


def judged(
    run: Run, title: str = "", remarks: Sequence[str] = (), mutes: Mutes = NO_MUTES, *, is_rejudged: bool = False
) -> Judged:
    """The run with its verdict, for reports; `title` is the run's name by default."""
    run = dataclasses.replace(run, findings=worst_first(run.findings, run.spec))
    seen = (run.spec, counted := counting(run.findings, mutes), run.last_outcomes, run.rules, run.last_training)
    whole = verdict(*seen, muted=len(run.findings) - len(counted))
    return Judged(title or run.name, run, whole, rule_states(*seen), tuple(remarks), is_rejudged, mutes)


def _mutes(folder: Path, remarks: list[str]) -> Mutes:
    """The mutes in the folder; none, and a remark, if they cannot be read."""
    try:
        return read_mutes(folder)
    except (OSError, MutesError) as error:
        remarks.append(f"nothing is muted, because the mutes cannot be read: {error}")
        return {}


def without_tables(judged: Judged) -> Judged:
    """The same verdict with a run reduced to its last step."""
    run = judged.run
    small = dataclasses.replace(
        run.at(range(len(run.steps))[-1:]),
        histogram_steps=run.histogram_steps[:0].copy(),
        histogram_table=run.histogram_table[:0].copy(),
    )
    return dataclasses.replace(judged, run=small)


def rejudged(run: Run, rules: RuleChoice) -> Run:
    """The run with findings, outcomes and thresholds computed from its stored records with `rules`.

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
        training=np.array([judgement.training for judgement in judgements], np.uint8).reshape(
            len(judgements), len(diagnosis.training_rules)
        ),
        training_rules=diagnosis.training_rules,
        findings=judgements[-1].findings if judgements else (),
    )
