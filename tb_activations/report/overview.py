"""Several runs at a glance: how many are in which state, and the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from tb_activations.records.finding import Outcome
from tb_activations.report.stored import Judged, Unreadable
from tb_activations.report.words import GLYPHS, glyph, plural

_STATES = ("problem", "warning", "note", "OK", "not judged")
_COUNTED = {"problem": "with problems", "warning": "with warnings", "note": "with notes"}


def state(run: Judged) -> str:
    """The severity of a run, "OK" for a healthy one, or "not judged"."""
    if run.verdict.severity:
        return run.verdict.severity.value
    return "OK" if run.verdict.rules_checked else "not judged"


def symbol(run: Judged) -> str:
    """The symbol of the state."""
    is_judged = run.verdict.severity or run.verdict.rules_checked
    return glyph(run.verdict.severity) if is_judged else GLYPHS[Outcome.INSUFFICIENT_DATA]


def worst_first(run: Judged) -> tuple[int, int, str]:
    """Sort key: by state, then by the number of affected layers, then by name."""
    return _STATES.index(state(run)), -run.verdict.layers_affected, run.title


def totals(runs: Sequence[Judged | Unreadable]) -> str:
    """`17 runs: 5 with problems, 2 with warnings, 9 OK, 1 cannot be read`."""
    states = [state(run) for run in runs if isinstance(run, Judged)]
    counts = [f"{states.count(name)} {_COUNTED.get(name, name)}" for name in _STATES if name in states]
    lost = len(runs) - len(states)
    counts += [f"{lost} cannot be read"] if lost else []
    return f"{len(runs)} {plural(len(runs), 'run')}: {', '.join(counts)}"
