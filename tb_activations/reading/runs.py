"""Several runs of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.files import event_files
from tb_activations.events.reader import load_folder
from tb_activations.events.run import Run
from tb_activations.health.verdict import verdict
from tb_activations.reading.one import read_folder
from tb_activations.reading.recorded_run import RecordedRun
from tb_activations.report.stored import BRIEF

_SHOWN = 50
"""Runs that are read to show a folder at a prompt or in a notebook."""


class Runs(Mapping[str, RecordedRun]):
    """The runs below a folder by name. A run is read each time when it is asked for.

    Args:
        top: the folder.
        names: of the runs, relative to it.
    """

    def __init__(self, top: Path, names: Sequence[str]) -> None:
        self._top, self._names = top, tuple(names)

    def __getitem__(self, name: str) -> RecordedRun:
        found = read_folder(self._top / name, name) if name in self._names else None
        if found is None:
            raise KeyError(f"no run {name!r} in {self._top}; the runs are {', '.join(self._names)}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"{name!r} belongs to a run, and {self._top} has several; choose one: {self._choices()}")

    def __repr__(self) -> str:
        lines = [f"<{len(self)} runs in {self._top}>"]
        for name, found in self._shown():
            sentence = found if isinstance(found, str) else _verdict(found)
            lines.append(f"  {name}: {sentence}")
        return "\n".join([*lines, *self._more()])

    def _repr_html_(self) -> str:
        # Only notebooks need the template.
        from tb_activations.report.card import runs_card

        return runs_card(str(self._top), self._shown(), len(self))

    def _shown(self) -> list[tuple[str, Run | str]]:
        """The first runs with what a verdict needs, or why they cannot be read."""
        return [(name, self._brief(name)) for name in self._names[:_SHOWN]]

    def _brief(self, name: str) -> Run | str:
        try:
            run = load_folder(event_files(self._top / name), name, BRIEF)
        except (OSError, UnreadableRunError) as error:
            return f"cannot be read: {error}"
        return run if run is not None else "has been deleted"

    def _more(self) -> list[str]:
        return [f"  and {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []

    def _choices(self) -> str:
        more = ", ..." if len(self) > 3 else ""
        return ", ".join(f"[{name!r}]" for name in self._names[:3]) + more


def _verdict(run: Run) -> str:
    return verdict(run.spec, run.findings, run.last_outcomes, run.rules, run.last_training).sentence
