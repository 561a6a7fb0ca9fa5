"""Which folder a training is recorded in: the one that was asked for, or a sibling of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.run import Run
from tb_activations.recording.folder.files import LARGEST_RUN, is_folder, listed
from tb_activations.recording.folder.lock import is_remote
from tb_activations.recording.folder.siblings import Siblings
from tb_activations.recording.folder.writer import RunWriter, TakenFolderError

_LOGGER = logging.getLogger("tb_activations")

TAKEN = "another training is recording there"
ANOTHER_MODEL = "it holds a run of another model"
NOT_CONTINUED = "it holds a run that this training does not continue"
NOT_READ = "what it holds could not be read when this training began"
UNREADABLE = "it holds a run that cannot be read"

LOOKED_AT = 16
"""Siblings, the newest, among which the run is looked for that a training continues."""

Fits = Callable[[Run], bool]
"""Whether a training continues a run, of which only the description, the states and the last record may be there."""


class RunFolders:
    """The folder that was asked for and its siblings.

    Args:
        top: the folder that was asked for.
        open_folder: makes the writer of a folder; raises TakenFolderError while another training records there.
    """

    def __init__(self, top: str, open_folder: Callable[[str], RunWriter]) -> None:
        self._top = top
        self.open = open_folder

    def choose(self, fits: Fits) -> tuple[RunWriter, Run | None]:
        """The writer of the folder to record in and the run there that is continued, None for a new run.

        Raises:
            OSError, tf.errors.OpError: a folder cannot be read or written.
        """
        try:
            writer = self.open(self._top)
        except TakenFolderError:
            return self.choose_sibling(fits, TAKEN)
        reason, run = _look(writer, fits)
        if not reason:
            return writer, run
        writer.close()
        return self.choose_sibling(fits, reason)

    def choose_sibling(self, fits: Fits, reason: str, left: str = "") -> tuple[RunWriter, Run | None]:
        """As `choose`, without the folder that was asked for; `reason` says why, `left` is not chosen either.

        Raises:
            TakenFolderError: others take every folder that is tried.
            OSError, tf.errors.OpError: as in `choose`.
        """
        siblings = Siblings(self._top, listed, _has_room(self._top))
        unread = LARGEST_RUN
        for folder in siblings.newest(LOOKED_AT):
            writer = self._opened(folder) if folder != left and is_folder(folder) else None
            if writer is None:
                continue
            unread -= writer.earlier_size
            found, run = _look(writer, fits) if unread >= 0 else (NOT_READ, None)
            if not found and run is not None:
                return writer, run
            writer.close()
            if unread < 0:
                break
        for folder in siblings.free():
            writer = self._opened(folder)
            if writer is not None and writer.is_in_new_folder:
                _tell_apart(left or self._top, folder, reason)
                return writer, None
            if writer is not None:
                writer.close()
        raise TakenFolderError(f"other trainings are recording next to {self._top!r}")

    def _opened(self, folder: str) -> RunWriter | None:
        try:
            return self.open(folder)
        except TakenFolderError:
            return None


def _look(writer: RunWriter, fits: Fits) -> tuple[str, Run | None]:
    """Why the folder cannot be recorded in, "" if it can, and then the run in it, None if there is none."""
    try:
        outline = writer.outline()
        if outline is None or not len(outline.steps):
            return "", None
        return ("", writer.earlier()) if fits(outline) else (NOT_CONTINUED, None)
    except UnreadableRunError:
        return UNREADABLE, None


def _has_room(folder: str) -> bool:
    """Whether a folder can be made next to this one, on the same filesystem."""
    if is_remote(folder):
        return True
    if os.path.ismount(folder):
        return False
    may = os.R_OK | os.W_OK | os.X_OK
    return os.access(os.path.dirname(folder) or os.curdir, may, effective_ids=os.access in os.supports_effective_ids)


def _tell_apart(top: str, folder: str, reason: str) -> None:
    _LOGGER.warning(
        "Layer health: %r is left as it is, since %s; this training is recorded in %r. "
        "Give every training a log_dir of its own.",
        top,
        reason,
        folder,
    )
