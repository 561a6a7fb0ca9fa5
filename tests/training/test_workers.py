"""Two real processes under `MultiWorkerMirroredStrategy`, compared with one that trains on whole batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.compatibility.workers import compare


@pytest.mark.thorough
def test_two_processes_record_what_one_does(tmp_path: Path) -> None:
    compared = compare(tmp_path)
    assert compared.steps == 6
    assert compared.difference < 1e-5, compared.worst
    assert compared.writers == 1
