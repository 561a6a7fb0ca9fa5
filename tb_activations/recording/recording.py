"""Which run a training is recorded in: a new one, the one at hand, or one from an earlier process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tb_activations.events.run import Run
from tb_activations.health.rules import Rule
from tb_activations.health.verdict import Verdict
from tb_activations.pictures.kinds import Picture
from tb_activations.recording.continuation import TrainingState, continued_at, past_of
from tb_activations.recording.folder.choice import Fits
from tb_activations.recording.judging import Judging
from tb_activations.recording.open_run import OpenRun
from tb_activations.recording.output import Output
from tb_activations.recording.sample_ids import SampleId, SampleIds
from tb_activations.recording.spacing import Spacing
from tb_activations.recording.steps import Steps
from tb_activations.recording.tables import RunSettings, Tables, run_spec
from tb_activations.records.descriptions import is_same_model
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.taps.numbers.values import Array, StepValues


class Recording:
    """Everything that trainings write: into one run, and into the next one where a training does not continue it.

    `open` begins a training; `continued_at` decides whether it continues the run at hand, or one of an earlier
    process. What cannot be written is judged anyway.

    Steps are passed in as the training counts them. Where its optimizer was set back to an earlier state, steps of the
    run come again and replace those recorded before; where it counts from 0 again, the steps come after the last one of
    the run.

    Args:
        settings: what a run is described with.
        output: where the records go.
        judging: makes what judges the records of a run, from its description and the rules.
        sample_id: see `SampleIds`.

    Attributes:
        runs: new runs begun so far.
    """

    def __init__(
        self,
        settings: RunSettings,
        output: Output,
        judging: Callable[[RunSpec, tuple[Rule, ...]], Judging] = Judging,
        sample_id: SampleId = None,
    ) -> None:
        self._settings = settings
        self._output = output
        self._make_judging = judging
        self._sample_id = sample_id
        self._spacing = Spacing(is_auto=settings.cadence.get("update_freq") in ("auto", "sparse"))
        self._steps = Steps()
        self._run: OpenRun | None = None
        self._earlier: Run | None = None
        self._opened = (0, TrainingState(0, None))
        self._is_new_training = True
        self._shape: tuple[object, ...] = ()
        self.runs = 0

    @property
    def spec(self) -> RunSpec | None:
        """The description of the run, None before the first record."""
        return self._run.spec if self._run is not None else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, open and resolved, worst first."""
        return self._run.findings if self._run is not None else ()

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the run after its last step, None before the first record."""
        return self._run.verdict if self._run is not None else None

    @property
    def sick_steps(self) -> int:
        """Number of steps in a row, up to the last one, with an open problem; 0 before the first record."""
        return self._run.sick_steps if self._run is not None else 0

    @property
    def log_dir(self) -> str:
        """The folder of the run, "" if nothing is written."""
        return self._output.log_dir

    def open(self, first_step: int, state: TrainingState) -> None:
        """Begins a training whose first step has this number, from this state of the model."""
        self._is_new_training = True
        if self._run is not None:
            # Something is left where the training before was interrupted.
            self._run.finish_epochs()
        # A run that was read from a file later is not the one recorded last.
        self._opened = (first_step, dataclasses.replace(state, is_same_model=False))
        at = continued_at(state, self._steps.past()) if self._run is not None else None
        if at is not None and at > self._steps.last_step:
            self._steps.open(first_step, at, state, None)
            self._output.resume()
        else:
            # Steps that come again are judged by the steps before them, which only the file has.
            self._choose_run(self._output.begin, lambda spec: True)

    def wants_histograms(self, step: int) -> bool:
        """Whether the record of this step gets histograms: less and less often."""
        return self._spacing.wants_histograms(step + self._steps.shift)

    def note_histograms(self, step: int) -> None:
        """Takes note that this step, which will be added, has histograms."""
        self._spacing.note_histograms(step + self._steps.shift)

    def add(self, step: int, epoch: int, values: StepValues, cost: Array, *, batch: Any = None) -> tuple[Finding, ...]:
        """Judges one observed step and writes it if it is due; returns what opened, changed or closed with it.

        A step that the run is already past is left out. `batch` holds the data of the step, if they are known.
        """
        run = self._run_for(values)
        number = self._steps.advance(step)
        return run.add(number, epoch, values, cost, batch) if number is not None else ()

    def remember_state(self, state: TrainingState) -> None:
        """Stores the state of the training, so that another one can continue it."""
        stored = self._steps.remember(state) if self._run is not None else None
        if stored is not None:
            self._output.remember(stored)

    def add_epoch(self, step: int, epoch: int, logs: Mapping[str, Any]) -> None:
        """Takes the logs at the end of an epoch, whose last step this is as the training counts; writes them if due."""
        if self._run is not None:
            self._run.add_epoch(step, epoch, logs)

    def write_histograms(self) -> bool:
        """See `OpenRun`; nothing before the first record."""
        return self._run is not None and self._run.write_histograms()

    def write_pictures(
        self, drawn: Mapping[str, Picture], *, step: int | None, with_units: bool, with_sequences: bool
    ) -> None:
        """See `OpenRun`; nothing before the first record. `step` is as the training counts."""
        if self._run is not None:
            self._run.write_pictures(drawn, step=step, with_units=with_units, with_sequences=with_sequences)

    def write_snapshot(self, mode_difference: Mapping[str, float], reconstruction_error: float) -> None:
        """See `OpenRun`; nothing before the first record."""
        if self._run is not None:
            self._run.write_snapshot(mode_difference, reconstruction_error)

    def finish(self) -> None:
        """Writes the findings as they are at the end of a training."""
        if self._run is not None:
            self._run.finish()

    def flush(self) -> None:
        """Puts everything written so far on disk; tries again what failed before."""
        self._output.flush()

    def close(self) -> None:
        """Ends a training, everything on disk; `open` may follow."""
        self._output.rest()
        if self._run is not None:
            self._run.rest()

    def _run_for(self, values: StepValues) -> OpenRun:
        """The run with rows for this step; it may turn out to be another model's."""
        shape = (values.rows, values.weights)
        if self._run is not None and not self._is_new_training and shape == self._shape:
            return self._run
        spec = run_spec(values, self._settings)
        if self._run is None or (self._is_new_training and not is_same_model(self._run.spec, spec)):
            self._run = self._begin(spec)
        else:
            self._run.make_room(spec, is_new_training=self._is_new_training)
        self._shape, self._is_new_training = shape, False
        return self._run

    def _begin(self, spec: RunSpec) -> OpenRun:
        """Begins a run, or continues that of the folder; leaves it as it is if it is that of another model."""
        known = self.spec if self._run is not None else self._earlier.spec if self._earlier is not None else None
        if known is not None and not is_same_model(known, spec):
            self._choose_run(self._output.begin_sibling, lambda stored: is_same_model(stored, spec))
        earlier, self._earlier = self._earlier, None
        tables = Tables(earlier.spec if earlier is not None else spec)
        tables.make_room(spec, is_new_training=True)
        judging = self._make_judging(tables.spec, self._settings.rules)
        run = OpenRun(
            tables,
            judging,
            self._output,
            self._steps,
            self._spacing,
            SampleIds(self._sample_id),
            with_stock=self._settings.stock_summaries,
        )
        self._output.is_described = False
        if earlier is not None:
            run.replay(earlier)
        return run

    def _choose_run(self, choose: Callable[[Fits], Run | None], is_allowed: Callable[[RunSpec], bool]) -> None:
        """Leaves the run; takes a stored one that this training continues, or begins another."""
        first_step, state = self._opened
        self._run, self._steps = None, Steps()
        self._spacing.begin_run()
        self._earlier = choose(
            lambda run: is_allowed(run.spec) and continued_at(state, past_of(run)) is not None,
        )
        at = continued_at(state, past_of(self._earlier)) if self._earlier is not None else None
        self._steps.open(first_step, at, state, self._earlier.states if self._earlier is not None else None)
        if self._earlier is not None:
            self._steps.last_step = min(int(self._earlier.steps[-1]), self._steps.first_step - 1)
        self.runs += at is None
