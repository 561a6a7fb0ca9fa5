"""Claiming a folder: who may record in it, and what is in it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tb_activations.recording.folder import files
from tb_activations.recording.folder.claim import TakenFolderError, claim_folder
from tests.synthetic import Plan, write_run

PLAN = Plan(layers=4, steps=4, units=2, stock=False)
ANOTHER_THREAD = threading.get_ident() + 1


def test_a_new_folder_is_made_and_is_empty(tmp_path: Path) -> None:
    claim = claim_folder(str(tmp_path / "new"))
    assert (claim.is_new_folder, claim.has_run, claim.run_size, claim.run()) == (True, False, 0, None)


def test_another_training_cannot_claim_it_until_it_is_released(tmp_path: Path) -> None:
    claim = claim_folder(str(tmp_path))
    with pytest.raises(TakenFolderError):
        claim_folder(str(tmp_path), owner=ANOTHER_THREAD)
    claim.release()
    claim_folder(str(tmp_path), owner=ANOTHER_THREAD).check()
    with pytest.raises(TakenFolderError):
        claim.check()


def test_the_run_in_the_folder_is_known(tmp_path: Path) -> None:
    write_run(tmp_path, name="run", plan=PLAN)
    claim = claim_folder(str(tmp_path / "run"))
    run, outline = claim.run(), claim.outline()
    assert run is not None
    assert outline is not None
    assert (claim.has_run, claim.is_new_folder) == (True, False)
    assert len(outline.steps) < len(run.steps) == PLAN.steps
    assert outline.steps[-1] == run.steps[-1]
    assert claim.last_time == run.wall_times[-1]


def test_a_claim_is_renewed_unless_another_run_was_written(tmp_path: Path) -> None:
    claim = claim_folder(str(tmp_path / "run"))
    claim.release()
    assert claim.renew([])
    claim.release()
    write_run(tmp_path, name="run", plan=PLAN)
    assert not claim.renew([])
    # A claim that was not renewed is free for others.
    claim_folder(str(tmp_path / "run"), owner=ANOTHER_THREAD)


def test_a_folder_that_cannot_be_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: str) -> list[str]:
        raise OSError(folder)

    with monkeypatch.context() as patched:
        patched.setattr(files, "event_files", broken)
        with pytest.raises(OSError, match="run"):
            claim_folder(str(tmp_path / "run"))
    claim_folder(str(tmp_path / "run"), owner=ANOTHER_THREAD)
