"""Follows the advice for one case, in a process of its own."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks.advice.result import Result, investigate, store
from benchmarks.cases import CASES

Job = tuple[str, Path, Path]
"""A case, the folder of its sick training, and the folder of the changed ones."""


def follow(job: Job) -> str:
    """Follows the advice for one case, stores the result, and tells it in a line."""
    name, sick, folder = job
    logging.getLogger("tb_activations").setLevel(logging.ERROR)
    result = investigate(CASES[name], sick, folder)
    store(result, folder)
    return told(result)


def told(result: Result) -> str:
    """One line for the terminal."""
    if not result.is_tried:
        return f"{result.case}: {result.reason}"
    state = {True: "mended", False: "not mended"}
    return (
        f"{result.case}: {state[result.is_mended(result.advice_trial)]} by {'; '.join(result.changes)} "
        f"[{result.finding}]; control {state[result.is_mended(result.control_trial)]}; "
        f"cure {state[result.is_mended(result.cure_trial)]}"
    )
