"""Records go into one event file, after a failure into the next. A failure is logged once and stops nothing."""

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
from tb_activations.recording.folder.claim import Claim, TakenFolderError, claim_folder
from tb_activations.recording.folder.uploads import Start, at_once, in_background
from tb_activations.recording.folder.writer import Clock, RunWriter
from tb_activations.recording.settings import Clocks
from tb_activations.records.specs import RunSpec

_LOGGER = logging.getLogger("tb_activations")

WRITE_SECONDS = 30.0
"""How long the training waits for the filesystem, each time it asks for something."""

Result = TypeVar("Result")

_abandoned: list[RunWriter] = []
"""Writers that a filesystem blocks. Garbage collection would flush their files, and wait for the filesystem."""


class RunOutput:
    """The `Output` into event files.

    Args:
        log_dir: folder of the run, as `resolved_log_dir` gives it.
        clock: seconds; decides when to flush.
        wall_clock: seconds since the epoch, for the times of the records.
        bounded: runs what asks the filesystem, with a time limit.
        start: starts an upload to a remote filesystem.

    Attributes:
        encoder: of the current file.
        is_described: whether the current file has the description of the run.
    """

    def __init__(
        self,
        log_dir: str,
        clock: Clock,
        wall_clock: Clock = time.time,
        bounded: Bounded | None = None,
        start: Start = at_once,
    ) -> None:
        self._log_dir = self._top = log_dir
        self._clock, self._wall_clock = clock, wall_clock
        self._bounded = bounded or Bounded(WRITE_SECONDS)
        self._start_upload = start
        self._owner = threading.get_ident()
        self._writer: RunWriter | None = None
        self._last_time = 0.0
        self._waiting: list[bytes] = []
        # Every file needs the metadata of its tags, so each has its own encoder.
        self.encoder, self.is_described = Encoder(), False
        self._is_begun = self._is_failing = self._is_given_up = False

    @property
    def log_dir(self) -> str:
        """See `Output`."""
        return self._log_dir

    def begin(self, fits: Fits) -> Run | None:
        """See `Output`."""
        self._leave()
        return self._start(lambda: self._folders().choose(fits))

    def begin_sibling(self, fits: Fits) -> Run | None:
        """See `Output`."""
        self._leave()
        return self._start(lambda: self._folders().choose_sibling(fits, ANOTHER_MODEL, left=self._log_dir))

    def resume(self) -> None:
        """Continues after `rest`, in the same file if no run has been written into the folder since."""
        self._is_given_up, self._owner = False, threading.get_ident()
        self._guarded(self._resume)

    def log_continued(self, last_step: int, step: int) -> None:
        """Logs that the run in the folder, up to its last step, is continued at this step."""
        again = f" Its steps from {step} on are replaced." if step <= last_step else ""
        _LOGGER.warning(
            "Layer health: %r already has a run up to step %d; continuing it.%s",
            self._log_dir,
            last_step,
            again,
        )

    def describe(self, spec: RunSpec, step: int) -> None:
        """Writes the description of the run, which holds from this step on."""
        self.write(self.encoder.run(spec), step)
        self.is_described = True

    def restart(self, step: int) -> None:
        """Withdraws everything in earlier files from this step on."""
        self._guarded(lambda: self._writer.restart(step) if self._writer is not None else None)

    def remember(self, state: StoredState) -> None:
        """Writes the state of the training."""
        if self.is_described:
            # At the last completed step: later ones may be replaced.
            self.write(self.encoder.state(state), max(0, state.step - 1))

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event; it is lost while nothing can be written."""
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

    def _start(self, choose: Callable[[], tuple[Claim, Run | None]]) -> Run | None:
        self._is_given_up, self._owner = False, threading.get_ident()
        # What an earlier training could not upload does not belong to this one's run.
        self._waiting = []
        found: list[Run | None] = []

        def start() -> None:
            self._is_begun = False
            claim, earlier = choose()
            self._use(claim)
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
            claim = folders.claim(self._log_dir)
        except TakenFolderError:
            self._use(folders.choose_sibling(lambda run: False, TAKEN)[0])
            return
        if not self._is_begun and claim.has_run:
            # The folder could not be read when the training began: its steps may be ahead of this training's.
            claim.release()
            claim = folders.choose_sibling(lambda run: False, NOT_READ)[0]
        self._is_begun = True
        self._use(claim)

    def _folders(self) -> RunFolders:
        return RunFolders(self._top, lambda folder: claim_folder(folder, self._owner))

    def _use(self, claim: Claim) -> None:
        waiting = self._waiting if claim.log_dir == self._log_dir else []
        self._writer = RunWriter(claim, self._clock, self._wall_clock, self._last_time, waiting, self._start_upload)
        self._waiting = []
        self._log_dir, self._last_time = claim.log_dir, self._writer.last_time
        self.encoder, self.is_described = Encoder(), False

    def _leave(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._last_time = max(self._last_time, writer.last_time)
            self._guarded(writer.close)

    def _guarded(self, action: Callable[[], object]) -> bool:
        """Whether an action on the filesystem succeeded in time."""
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
            self._waiting = writer.take_back()
            if is_blocked:
                _abandoned.append(writer)
            else:
                with contextlib.suppress(Exception):
                    self._bounded.run(writer.close)
        self._is_given_up = self._is_given_up or is_blocked or isinstance(error, TakenFolderError)
        if not self._is_failing:
            again = "." if self._is_given_up else "; will retry after each epoch."
            _LOGGER.warning(
                "Layer health: cannot write to %r (%s: %s). Training continues%s",
                self._log_dir,
                type(error).__name__,
                error,
                again,
            )
        self._is_failing = True

    def _recovered(self) -> None:
        if self._is_failing and self.is_described:
            self._is_failing = False
            _LOGGER.warning("Layer health: writing to %r again.", self._log_dir)


def output_for(log_dir: str, clocks: Clocks) -> RunOutput:
    """The output into this folder, as `resolved_log_dir` gives it; with the caller's clocks it waits for uploads."""
    start = in_background if clocks.is_real else at_once
    return RunOutput(log_dir, clocks.clock, clocks.wall_clock, start=start)
