"""Why a run cannot be read."""

from __future__ import annotations


class UnreadableRunError(ValueError):
    """What an event file holds is not a run of this package; the text says what is wrong with it."""


class SchemaError(UnreadableRunError):
    """The run was written by a newer version of this package than the one reading it."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the run has schema version {found}, this tb_activations reads up to version {known}: "
            "upgrade tb_activations where you look at the run"
        )
        self.found = found
        self.known = known


class RemotePathError(OSError):
    """A log directory that only TensorFlow or another machine could read; the text says what to do."""
