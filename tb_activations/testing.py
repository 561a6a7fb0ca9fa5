"""Regression tests with event files: does this training still give the recorded results?"""

from __future__ import annotations

import os
from collections.abc import Collection

from tb_activations.comparison.axis import Match
from tb_activations.comparison.compare import ASPECTS, compare
from tb_activations.comparison.comparison import Comparison, FolderComparison
from tb_activations.comparison.difference import Cause, Difference, Largest
from tb_activations.comparison.suggest import suggest_tolerances
from tb_activations.comparison.tolerance import Tolerance, Tolerances
from tb_activations.events.paths import local_path
from tb_activations.events.reader import load, run_names
from tb_activations.events.whereabouts import no_run

__all__ = [
    "ASPECTS",
    "Cause",
    "Comparison",
    "Difference",
    "FolderComparison",
    "Largest",
    "Tolerance",
    "Tolerances",
    "assert_runs_match",
    "compare",
    "compare_folders",
    "suggest_tolerances",
]


def compare_folders(
    expected_dir: str | os.PathLike[str],
    actual_dir: str | os.PathLike[str],
    tolerances: Tolerances | None = None,
    *,
    match: Match = "step",
    include: Collection[str] = (),
) -> FolderComparison:
    """Everything that differs between the runs recorded in two folders.

    If both folders have exactly one run, these two are compared. Otherwise runs are compared by name. `compare`
    explains the other arguments.

    Raises:
        FileNotFoundError: a folder contains no run.
        NotADirectoryError, RemotePathError: a folder is a file, or not local.
        UnreadableRunError: a run cannot be read, for example because a newer version wrote it.
        ValueError: an argument is not allowed.
    """
    names, others = run_names(expected_dir), run_names(actual_dir)
    for folder, found in ((expected_dir, names), (actual_dir, others)):
        if not found:
            raise no_run(local_path(folder))
    is_single = len(names) == len(others) == 1
    pairs = [(names[0], others[0])] if is_single else [(name, name) for name in names if name in others]
    return FolderComparison(
        tuple(
            compare(load(expected_dir, one), load(actual_dir, other), tolerances, match=match, include=include)
            for one, other in pairs
        ),
        missing=() if is_single else tuple(sorted({*names} - {*others})),
        added=() if is_single else tuple(sorted({*others} - {*names})),
    )


def assert_runs_match(
    expected_dir: str | os.PathLike[str],
    actual_dir: str | os.PathLike[str],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    tolerances: Tolerances | None = None,
    match: Match = "step",
    include: Collection[str] = (),
) -> None:
    """Assert that the runs recorded in two folders are the same; wall time, host and file names are ignored.

    Args:
        expected_dir: folder with the reference.
        actual_dir: folder with the runs to compare with it.
        rtol: largest allowed difference relative to the expected value.
        atol: largest allowed absolute difference.
        tolerances: per statistic and layer, instead of `rtol` and `atol`.
        match: as in `compare`.
        include: as in `compare`.

    Raises:
        AssertionError: the runs differ; the message has at most 40 lines and names the first step, layer and statistic
            that differ, both values and the tolerance.
        FileNotFoundError, NotADirectoryError, RemotePathError, UnreadableRunError, ValueError: as `compare_folders`.
    """
    allowed = Tolerances.of(rtol, atol) if tolerances is None else tolerances
    found = compare_folders(expected_dir, actual_dir, allowed, match=match, include=include)
    if not found.is_equal:
        raise AssertionError(f"{os.fspath(actual_dir)} differs from {os.fspath(expected_dir)}: {found.text()}")
