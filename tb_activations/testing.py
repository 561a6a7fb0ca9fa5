"""Regression tests with event files: does this training still give the recorded results?"""

from __future__ import annotations

import os

from tb_activations.comparison.difference import Difference, first_difference
from tb_activations.events.paths import local_path
from tb_activations.events.reader import load, run_names
from tb_activations.events.whereabouts import no_run

__all__ = ["Difference", "assert_runs_match", "first_difference", "first_mismatch"]


def assert_runs_match(
    expected_dir: str | os.PathLike[str],
    actual_dir: str | os.PathLike[str],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
) -> None:
    """Assert that the runs recorded in two folders are the same; wall time, host and file names are ignored.

    If both folders have exactly one run, these two are compared. Otherwise runs are compared by name.
    `first_difference` explains what is compared, how layers match and what the tolerances mean.

    Args:
        expected_dir: folder with the reference.
        actual_dir: folder with the runs to compare with it.
        rtol: largest allowed difference relative to the expected value.
        atol: largest allowed absolute difference.

    Raises:
        AssertionError: the runs differ; the message names the first step, layer and statistic that differ, both values
            and the tolerance.
        FileNotFoundError: a folder contains no run.
        NotADirectoryError, RemotePathError: a folder is a file, or not local.
        UnreadableRunError: a run cannot be read, for example because a newer version wrote it.
        ValueError: a tolerance is negative or NaN.
    """
    mismatch = first_mismatch(expected_dir, actual_dir, rtol=rtol, atol=atol)
    if mismatch is not None:
        raise AssertionError(f"{os.fspath(actual_dir)} differs from {os.fspath(expected_dir)}: {mismatch}")


def first_mismatch(
    expected_dir: str | os.PathLike[str],
    actual_dir: str | os.PathLike[str],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
) -> str | None:
    """The message of `assert_runs_match`, None if the runs match; raises its other errors."""
    expected_names, actual_names = run_names(expected_dir), run_names(actual_dir)
    for folder, names in ((expected_dir, expected_names), (actual_dir, actual_names)):
        if not names:
            raise no_run(local_path(folder))
    if len(expected_names) == len(actual_names) == 1:
        one, other = load(expected_dir, *expected_names), load(actual_dir, *actual_names)
        difference = first_difference(one, other, rtol, atol)
        return None if difference is None else str(difference)
    for name in sorted({*expected_names, *actual_names}):
        if name not in expected_names or name not in actual_names:
            return f"run {name!r} is only in the {'actual' if name in actual_names else 'expected'} folder"
        difference = first_difference(load(expected_dir, name), load(actual_dir, name), rtol, atol)
        if difference is not None:
            return f"run {name!r}, {difference}"
    return None
