"""Which folder a training is recorded in: the requested one, or a sibling of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.run import Run
from tb_activations.recording.folder.claim import Claim, TakenFolderError
from tb_activations.recording.folder.files import LARGEST_RUN
from tb_activations.recording.folder.lock import is_remote
from tb_activations.recording.folder.siblings import Siblings
from tb_activations.recording.folder.storage import is_folder, listed

_LOGGER = logging.getLogger("tb_activations")

TAKEN = "another training is recording there"
ANOTHER_MODEL = "it has a run of another model"
NOT_CONTINUED = "it has a run that this training does not continue"
NOT_READ = "it could not be read when this training began"
UNREADABLE = "it has a run that cannot be read"

LOOKED_AT = 16
"""How many siblings, newest first, are searched for the run that a training continues."""

Fits = Callable[[Run], bool]
"""Whether a training continues a run; only description, states and last record of the run need to be read."""


class RunFolders:
    """The requested folder and its siblings.

    Args:
        top: the requested folder.
        claim: claims a folder; raises TakenFolderError while another training records there.
    """

    def __init__(self, top: str, claim: Callable[[str], Claim]) -> None:
        self._top = top
        self.claim = claim

    def choose(self, fits: Fits) -> tuple[Claim, Run | None]:
        """The claimed folder to record in and the run there that is continued, None for a new run.

        Raises:
            OSError, tf.errors.OpError: a folder cannot be read or written.
        """
        try:
            claim = self.claim(self._top)
        except TakenFolderError:
            return self.choose_sibling(fits, TAKEN)
        reason, run = _look(claim, fits)
        if not reason:
            return claim, run
        claim.release()
        return self.choose_sibling(fits, reason)

    def choose_sibling(self, fits: Fits, reason: str, left: str = "") -> tuple[Claim, Run | None]:
        """As `choose`, without the requested folder; `reason` tells why, `left` is not chosen either.

        Raises:
            TakenFolderError: others take every folder that is tried.
            OSError, tf.errors.OpError: as in `choose`.
        """
        siblings = Siblings(self._top, listed, _has_room(self._top))
        unread = LARGEST_RUN
        for folder in siblings.newest(LOOKED_AT):
            claim = self._claimed(folder) if folder != left and is_folder(folder) else None
            if claim is None:
                continue
            unread -= claim.run_size
            found, run = _look(claim, fits) if unread >= 0 else (NOT_READ, None)
            if not found and run is not None:
                return claim, run
            claim.release()
            if unread < 0:
                break
        for folder in siblings.free():
            claim = self._claimed(folder)
            if claim is not None and claim.is_new_folder:
                _warn_of_sibling(left or self._top, folder, reason)
                return claim, None
            if claim is not None:
                claim.release()
        raise TakenFolderError(f"other trainings are recording next to {self._top!r}")

    def _claimed(self, folder: str) -> Claim | None:
        try:
            return self.claim(folder)
        except TakenFolderError:
            return None


def _look(claim: Claim, fits: Fits) -> tuple[str, Run | None]:
    """Why the folder cannot be used, "" if it can, and then the run in it, None if there is none."""
    try:
        outline = claim.outline()
        if outline is None or not len(outline.steps):
            return "", None
        return ("", claim.run()) if fits(outline) else (NOT_CONTINUED, None)
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


def _warn_of_sibling(top: str, folder: str, reason: str) -> None:
    _LOGGER.warning(
        "Layer health: %r is left unchanged because %s; recording in %r instead. "
        "Use a separate log_dir for each training.",
        top,
        reason,
        folder,
    )
