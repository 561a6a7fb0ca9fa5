"""Errors raised when a run cannot be read."""

from __future__ import annotations


class UnreadableRunError(ValueError):
    """The content of an event file is not a run of this package; the message names the defect."""


class SchemaError(UnreadableRunError):
    """A newer version of this package wrote the run."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the run has schema version {found}, but this installation reads up to version {known}; "
            "upgrade tb_activations on the viewing machine"
        )
        self.found = found
        self.known = known


class RemotePathError(OSError):
    """The log directory is remote and cannot be read here; the message says what to do."""
