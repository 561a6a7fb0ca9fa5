"""Where a recording goes."""

from __future__ import annotations

from typing import Protocol

from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.encoding import Encoder
from tb_activations.events.run import Run
from tb_activations.events.states import StoredState
from tb_activations.recording.folder.choice import Fits
from tb_activations.records.specs import RunSpec


class Output(Protocol):
    """Takes the records of one run after another; nothing it does raises.

    Attributes:
        encoder: of the current file.
        is_described: whether the current file has the description of the run.
    """

    encoder: Encoder
    is_described: bool

    @property
    def log_dir(self) -> str:
        """The folder of the run, "" if nothing is written."""

    def begin(self, fits: Fits) -> Run | None:
        """Begins a run; returns the stored run that it continues, None for a new run.

        It goes into the folder that was asked for if that has no run, or one that fits; otherwise into a sibling.
        """

    def begin_sibling(self, fits: Fits) -> Run | None:
        """As `begin`, but never in the present folder, whose run is another model's."""

    def resume(self) -> None:
        """Continues the run after `rest`."""

    def log_continued(self, last_step: int, step: int) -> None:
        """Logs that the run in the folder, up to its last step, is continued at this step."""

    def describe(self, spec: RunSpec, step: int) -> None:
        """Writes the description of the run, which holds from this step on."""

    def restart(self, step: int) -> None:
        """Withdraws everything in earlier files from this step on."""

    def remember(self, state: StoredState) -> None:
        """Writes the state of the training."""

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event."""

    def flush(self) -> None:
        """Puts everything on disk; tries again what failed before."""

    def rest(self) -> None:
        """Puts everything on disk and lets others write into the folder until `resume`."""


class NoOutput:
    """Writes nothing: for a process that trains together with the one that writes."""

    def __init__(self) -> None:
        self.encoder, self.is_described = Encoder(), False

    @property
    def log_dir(self) -> str:
        return ""

    def begin(self, fits: Fits) -> Run | None:
        return None

    def begin_sibling(self, fits: Fits) -> Run | None:
        return None

    def resume(self) -> None: ...

    def log_continued(self, last_step: int, step: int) -> None: ...

    def describe(self, spec: RunSpec, step: int) -> None:
        self.is_described = True

    def restart(self, step: int) -> None: ...

    def remember(self, state: StoredState) -> None: ...

    def write(self, summary: Summary, step: int) -> None: ...

    def flush(self) -> None: ...

    def rest(self) -> None: ...
