"""Runs with something to report, and the command line over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tb_activations.cli.main import main
from tests.synthetic import Plan, write_newer_schema, write_run, write_unreadable

PLAN = Plan(layers=6, steps=40, units=4, stock=False)


class Said(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `tb-activations` with these arguments."""

    def run(*arguments: str | Path) -> Said:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """A run whose third layer dies, so that the two before it starve."""
    write_run(tmp_path / "sick", plan=PLAN)
    return tmp_path / "sick"


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    write_run(tmp_path / "healthy", plan=PLAN, sick=False)
    return tmp_path / "healthy"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A run whose layers are called what an attacker would call them."""
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
    """Every event file that is opened from now on, each time that it is."""
    opened: list[Path] = []
    original = Path.open

    def spy(path: Path, *arguments: Any, **options: Any) -> Any:
        if "tfevents" in path.name:
            opened.append(path)
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    return opened
