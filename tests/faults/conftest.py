from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

Told = Callable[[], list[str]]


@pytest.fixture
def log_dir(tmp_path: Path) -> str:
    return str(tmp_path / "run")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, log_dir: str) -> Told:
    """The warnings so far, with the run's folder replaced by `logs/run`."""
    caplog.set_level(logging.WARNING, "tb_activations")
    return lambda: [record.getMessage().replace(log_dir, "logs/run") for record in caplog.records]
