"""Runs with something to report, and the command line over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tb_activations.cli.main import main
from tests.synthetic import Plan, write_newer_schema, write_run, write_unreadable

PLAN = Plan(layers=6, steps=40, units=4, stock=False)


class Answer(NamedTuple):
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `tb-activations` with these arguments."""

    def run(*arguments: str | Path) -> Answer:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """A run whose third layer dies, so that no gradient reaches the two before it."""
    write_run(tmp_path / "sick", plan=PLAN)
    return tmp_path / "sick"


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    write_run(tmp_path / "healthy", plan=PLAN, sick=False)
    return tmp_path / "healthy"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A run with hostile layer names."""
    write_run(tmp_path / "hostile", plan=PLAN, hostile=True, layers=8)
    return tmp_path / "hostile"


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    write_newer_schema(tmp_path / "newer", "")
    return tmp_path / "newer"


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    write_unreadable(tmp_path / "damaged", "")
    return tmp_path / "damaged"


def opened_event_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every event file opened from now on, once per time it is opened."""
    opened: list[Path] = []
    original = Path.open

    def spy(path: Path, *arguments: Any, **options: Any) -> Any:
        if "tfevents" in path.name:
            opened.append(path)
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    return opened
