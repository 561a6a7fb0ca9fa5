"""Part of `make compatibility`: every kind of model in the simplest mode, one model in every mode without XLA."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from benchmarks.compatibility.cell import try_cell
from benchmarks.compatibility.kinds import KINDS
from benchmarks.compatibility.modes import MODES, Mode
from benchmarks.compatibility.table import MODE_NAMES
from tests.thorough import mostly

ROOT = Path(__file__).parents[2]
NOT_OBSERVED = {
    # Keras computes attention in one fused operation if it can.
    "attention": {"softmax", "dropout"},
}
"""Layers that are reported as unobserved, by the last part of their names."""
ROUNDED = {"separate activations": 1e-6}
"""Kinds that TensorFlow fuses differently without observing, and how far weights may differ."""
REFUSED = {"channels_first": "only supports NHWC"}
"""Kinds that TensorFlow cannot train on processors without its oneDNN kernels, and the error."""
DRAWN = {"tf.random in a layer"}
"""Kinds whose random numbers TensorFlow keeps in the compiled step: observing some steps makes another training."""
QUICK_KINDS = (
    *("dicts in and out", "channels_first", "layer with several outputs", "under tf.cond", "frozen part"),
    *("ragged input", "tf.random in a layer"),
)
"""Kinds that no other test trains with and without observing, such as `test_identity.py` and `test_programs.py`."""
ELSEWHERE = {name for name, mode in MODES.items() if mode.compiled.get("jit_compile") is True} | {
    "op determinism",
    "MirroredStrategy, 2 devices",
}
"""Modes that need a separate process, or the long compilation of XLA."""
QUICK_MODES = ("eager", "mixed_float16", "gradient accumulation", "custom loop")
PROCESSES = ("MirroredStrategy, 2 devices", "op determinism")


def quicker(mode: Mode) -> Mode:
    """Adam, with which `make compatibility` trains, takes twice as long to trace; other optimizers are the point."""
    is_adam = mode.optimizer is keras.optimizers.Adam
    return dataclasses.replace(mode, optimizer=keras.optimizers.SGD) if is_adam else mode


@pytest.mark.parametrize("kind", mostly(KINDS, QUICK_KINDS))
def test_every_kind_of_model_trains_as_without_observing(kind: str) -> None:
    outcome = try_cell(KINDS[kind], quicker(MODES["XLA off"]))
    if outcome.difference is None:
        # Nothing to compare: the training without the callback fails with this error, too.
        assert kind in REFUSED
        assert REFUSED[kind] in outcome.failure
        return
    assert outcome.failure == ""
    assert (outcome.difference <= ROUNDED.get(kind, 0)) is (kind not in DRAWN)
    assert outcome.observed >= 1
    assert {name.rpartition("/")[2] for name in outcome.not_observed} == NOT_OBSERVED.get(kind, set())


@pytest.mark.parametrize("mode", mostly((name for name in MODE_NAMES if name not in ELSEWHERE), QUICK_MODES))
def test_every_mode_trains_as_without_observing(mode: str) -> None:
    outcome = try_cell(KINDS["Sequential"], quicker(MODES[mode]))
    assert outcome.failure == ""
    assert outcome.difference == 0
    # The first step of the first execution is recorded in addition to its last.
    assert outcome.observed == (3 if mode == "2 steps an execution" else 2)
    assert outcome.not_observed == {}


@pytest.mark.parametrize("mode", mostly(PROCESSES, PROCESSES[:1]))
def test_modes_that_need_a_process_of_their_own(mode: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.compatibility", "--results", str(tmp_path)]
    subprocess.run([*command, "--mode", mode, "--kind", "functional"], cwd=ROOT, check=True, capture_output=True)
    (result,) = (json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*.json"))
    assert (result["failure"], result["difference"], result["observed"]) == ("", 0, 2)


def test_the_page_lists_every_mode() -> None:
    assert list(MODES) == list(MODE_NAMES)
