"""Where a recording goes: one event file, after a failure the next. A failure is told once and stops nothing."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.encoding import Encoder
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.run import Run
from tb_activations.events.writer import Clock, RunWriter, TakenFolderError
from tb_activations.health.records import RunSpec

_LOGGER = logging.getLogger("tb_activations")
_ANOTHER_MODEL = "it holds a run of another model"
_NOT_READ = "what it holds could not be read when this training began"
_UNREADABLE = "it holds a run that cannot be read"


class RunOutput:
    """Encodes and writes the records of one run.

    Attributes:
        encoder: of the current file.
        is_described: whether the run's description stands in the current file.
    """

    def __init__(self, log_dir: str, clock: Clock, wall_clock: Clock = time.time) -> None:
        self._log_dir, self._clock, self._wall_clock = log_dir, clock, wall_clock
        self._writer: RunWriter | None = None
        self._last_time = 0.0
        # A tag's metadata must stand in every file anew, hence an encoder for each.
        self.encoder, self.is_described = Encoder(), False
        self._is_begun = self._is_failing = self._is_given_up = False

    def begin(self) -> Run | None:
        """Makes the first file; gives the run that is in the folder and is to be gone on with, None for none."""
        self._is_given_up = False
        try:
            return self._begin()
        except Exception as error:
            self._fail(error)
            return None

    def resume(self) -> None:
        """Goes on after `rest`, in the same file if nothing has been written into the folder since."""
        self._is_given_up = False
        try:
            if self._writer is None or not self._writer.resume():
                self._open_again()
        except Exception as error:
            self._fail(error)

    def beside(self, fits: Callable[[RunSpec], bool]) -> Run | None:
        """Leaves the folder's run alone, which is of another model; gives the run to be gone on with instead."""
        if self._writer is None:
            return None
        try:
            return self._beside(self._writer, fits, _ANOTHER_MODEL)
        except Exception as error:
            self._fail(error)
            return None

    def tell_going_on(self, last_step: int) -> None:
        """Says that the run in the folder, up to this step, is gone on with."""
        _LOGGER.warning(
            "Layer health: %r holds a run up to step %d, which is kept and gone on with.", self._log_dir, last_step
        )

    def describe(self, spec: RunSpec, step: int) -> None:
        """Writes the description of the run."""
        self.write(self.encoder.run(spec), step)
        self.is_described = True

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event; while nothing can be written it is lost."""
        if self._writer is not None:
            try:
                self._writer.write(summary, step)
            except Exception as error:
                self._fail(error)

    def flush(self) -> None:
        """Puts everything written so far on disk; after a failure tries a new file."""
        try:
            if self._writer is not None:
                self._writer.flush()
                self._recovered()
        except Exception as error:
            self._fail(error)
        if self._writer is None and not self._is_given_up:
            try:
                self._open_again()
            except Exception as error:
                self._fail(error)

    def rest(self) -> None:
        """Puts everything on disk and lets others write into the folder until `resume`."""
        try:
            if self._writer is not None:
                self._writer.rest()
                self._recovered()
        except Exception as error:
            self._fail(error)

    def _begin(self) -> Run | None:
        writer = self._open()
        try:
            earlier = writer.earlier()
        except UnreadableRunError:
            return self._beside(writer, lambda spec: False, _UNREADABLE)
        self._is_begun, self._last_time = True, writer.last_time
        return earlier if earlier is not None and len(earlier.steps) else None

    def _open(self) -> RunWriter:
        self._writer = writer = RunWriter(self._log_dir, self._clock, self._wall_clock, self._last_time)
        # A new file in a folder that was chosen before, or in the one that took its place.
        self._log_dir = writer.log_dir
        self.encoder, self.is_described = Encoder(), False
        return writer

    def _open_again(self) -> None:
        writer = self._open()
        if not self._is_begun:
            # The folder could not be read when the training began: its steps may be ahead of this training's.
            self._is_begun = True
            if writer.has_earlier:
                self._beside(writer, lambda spec: False, _NOT_READ)

    def _beside(self, writer: RunWriter, fits: Callable[[RunSpec], bool], reason: str) -> Run | None:
        earlier = writer.beside(fits, reason)
        self._is_begun = True
        self._log_dir, self._last_time = writer.log_dir, writer.last_time
        self.encoder, self.is_described = Encoder(), False
        return earlier if earlier is not None and len(earlier.steps) else None

    def _fail(self, error: Exception) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._last_time = writer.last_time
            with contextlib.suppress(Exception):
                writer.close()
        self._is_given_up = self._is_given_up or isinstance(error, TakenFolderError)
        if not self._is_failing:
            again = "." if self._is_given_up else "; recording is tried again at the end of each epoch."
            _LOGGER.warning(
                "Layer health: nothing is recorded in %r now (%s: %s). The training goes on%s",
                self._log_dir,
                type(error).__name__,
                error,
                again,
            )
        self._is_failing = True

    def _recovered(self) -> None:
        if self._is_failing and self.is_described:
            self._is_failing = False
            _LOGGER.warning("Layer health: recording in %r goes on.", self._log_dir)


class NoOutput(RunOutput):
    """Writes nothing: of a process that trains together with the one that writes."""

    def begin(self) -> Run | None:
        """Leaves the folder alone."""
        return None

    def resume(self) -> None:
        """As `begin`."""

    def flush(self) -> None:
        """There is nothing to put on disk."""
