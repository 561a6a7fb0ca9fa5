"""Where a recording goes: one event file, after a failure the next. A failure is told once and stops nothing."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.encoding import Encoder
from tb_activations.events.run import Run
from tb_activations.events.states import StoredState
from tb_activations.recording.bounded import Bounded, TimeLimitError
from tb_activations.recording.folder.choice import ANOTHER_MODEL, NOT_READ, TAKEN, Fits, RunFolders
from tb_activations.recording.folder.writer import Clock, RunWriter, TakenFolderError
from tb_activations.records.specs import RunSpec

_LOGGER = logging.getLogger("tb_activations")

WRITE_SECONDS = 30.0
"""How long the training waits for the filesystem, each time that it is asked for something."""

Result = TypeVar("Result")

_abandoned: list[RunWriter] = []
"""Writers that a filesystem blocks. Whoever lets go of one waits for it: its file is flushed when it is collected."""


class RunOutput:
    """Encodes and writes the records of one run.

    Args:
        log_dir: folder of the run, as `resolved_log_dir` gives it.
        clock: seconds; decides when to flush.
        wall_clock: seconds since the epoch, for the times of the records.
        bounded: what asks the filesystem, and for how long.

    Attributes:
        encoder: of the current file.
        is_described: whether the run's description stands in the current file.
    """

    def __init__(
        self, log_dir: str, clock: Clock, wall_clock: Clock = time.time, bounded: Bounded | None = None
    ) -> None:
        self._log_dir = self._top = log_dir
        self._clock, self._wall_clock = clock, wall_clock
        self._bounded = bounded or Bounded(WRITE_SECONDS)
        self._owner = threading.get_ident()
        self._writer: RunWriter | None = None
        self._last_time = 0.0
        # A tag's metadata must stand in every file anew, hence an encoder for each.
        self.encoder, self.is_described = Encoder(), False
        self._is_begun = self._is_failing = self._is_given_up = False

    def begin(self, fits: Fits) -> Run | None:
        """Makes the first file of a run; gives the stored run that it continues, None for a new run.

        It stands in the folder that was asked for if that holds no run, or one that fits; otherwise next to it.
        """
        self._leave()
        return self._start(lambda: self._folders().choose(fits))

    def beside(self, fits: Fits) -> Run | None:
        """Leaves the folder's run, which is of another model, as it is; otherwise as `begin`."""
        self._leave()
        return self._start(lambda: self._folders().choose_sibling(fits, ANOTHER_MODEL, left=self._log_dir))

    def resume(self) -> None:
        """Continues after `rest`, in the same file if no run has been written into the folder since."""
        self._is_given_up, self._owner = False, threading.get_ident()
        self._guarded(self._resume)

    def tell_continued(self, last_step: int, step: int) -> None:
        """Logs that the run in the folder, up to its last step, is continued at this step."""
        again = f" Its steps from {step} on are replaced." if step <= last_step else ""
        _LOGGER.warning(
            "Layer health: %r holds a run up to step %d, which is kept and continued.%s",
            self._log_dir,
            last_step,
            again,
        )

    def describe(self, spec: RunSpec, step: int) -> None:
        """Writes the description of the run, which holds from this step on."""
        self.write(self.encoder.run(spec), step)
        self.is_described = True

    def restart(self, step: int) -> None:
        """Takes back what stands in earlier files from this step on."""
        self._guarded(lambda: self._writer.restart(step) if self._writer is not None else None)

    def remember(self, state: StoredState) -> None:
        """Writes where the training stands."""
        if self.is_described:
            # At the last step that was done: what comes from the next one on may be replaced.
            self.write(self.encoder.state(state), max(0, state.step - 1))

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event; while nothing can be written it is lost."""
        writer = self._writer
        if writer is not None:
            self._guarded(lambda: writer.write(summary, step))

    def flush(self) -> None:
        """Puts everything written so far on disk; after a failure tries a new file."""
        writer = self._writer
        if writer is not None and self._guarded(writer.flush):
            self._recovered()
        if self._writer is None and not self._is_given_up:
            self._guarded(self._open_again)

    def rest(self) -> None:
        """Puts everything on disk and lets others write into the folder until `resume`."""
        writer = self._writer
        if writer is not None and self._guarded(writer.rest):
            self._recovered()
        self._bounded.close()

    def _start(self, choose: Callable[[], tuple[RunWriter, Run | None]]) -> Run | None:
        self._is_given_up, self._owner = False, threading.get_ident()
        found: list[Run | None] = []

        def start() -> None:
            self._is_begun = False
            writer, earlier = choose()
            self._use(writer)
            self._is_begun = True
            found.append(earlier)

        return found[0] if self._guarded(start) else None

    def _resume(self) -> None:
        if self._writer is None or not self._writer.resume():
            self._open_again()

    def _open_again(self) -> None:
        """A new file in the folder that was chosen before, or in one next to it."""
        folders = self._folders()
        try:
            writer = folders.open(self._log_dir)
        except TakenFolderError:
            self._use(folders.choose_sibling(lambda run: False, TAKEN)[0])
            return
        if not self._is_begun and writer.has_earlier:
            # The folder could not be read when the training began: its steps may be ahead of this training's.
            writer.close()
            writer = folders.choose_sibling(lambda run: False, NOT_READ)[0]
        self._is_begun = True
        self._use(writer)

    def _folders(self) -> RunFolders:
        def open_folder(folder: str) -> RunWriter:
            return RunWriter(folder, self._clock, self._wall_clock, self._last_time, self._owner)

        return RunFolders(self._top, open_folder)

    def _use(self, writer: RunWriter) -> None:
        self._writer = writer
        self._log_dir, self._last_time = writer.log_dir, max(self._last_time, writer.last_time)
        self.encoder, self.is_described = Encoder(), False

    def _leave(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._last_time = max(self._last_time, writer.last_time)
            self._guarded(writer.close)

    def _guarded(self, action: Callable[[], object]) -> bool:
        """Whether what asks the filesystem was done, in time and without an error."""
        try:
            self._bounded.run(action)
        except Exception as error:
            self._fail(error)
            return False
        return True

    def _fail(self, error: Exception) -> None:
        writer, self._writer = self._writer, None
        is_blocked = isinstance(error, TimeLimitError)
        if writer is not None:
            self._last_time = max(self._last_time, writer.last_time)
            if is_blocked:
                _abandoned.append(writer)
            else:
                with contextlib.suppress(Exception):
                    self._bounded.run(writer.close)
        self._is_given_up = self._is_given_up or is_blocked or isinstance(error, TakenFolderError)
        if not self._is_failing:
            again = "." if self._is_given_up else "; recording is tried again at the end of each epoch."
            _LOGGER.warning(
                "Layer health: nothing is recorded in %r now (%s: %s). The training continues%s",
                self._log_dir,
                type(error).__name__,
                error,
                again,
            )
        self._is_failing = True

    def _recovered(self) -> None:
        if self._is_failing and self.is_described:
            self._is_failing = False
            _LOGGER.warning("Layer health: recording in %r continues.", self._log_dir)


class NoOutput(RunOutput):
    """Writes nothing: of a process that trains together with the one that writes."""

    def begin(self, fits: Fits) -> Run | None:
        """Leaves the folder alone."""
        return None

    def beside(self, fits: Fits) -> Run | None:
        """As `begin`."""
        return None

    def resume(self) -> None:
        """As `begin`."""

    def flush(self) -> None:
        """There is nothing to put on disk."""
