"""Event files as regression tests: the same training twice, and a different one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tb_activations import LayerHealth, load
from tb_activations.cli.main import main
from tb_activations.testing import ASPECTS, assert_runs_match
from tests.clocked import clocked
from tests.training.models import Trainable, digits, train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


def network(initializer: str) -> Callable[[], Trainable]:
    def make() -> Trainable:
        x, y = digits()
        model = keras.Sequential(
            [
                layers.Input((64,)),
                layers.Dense(16, "relu", name="first"),
                layers.Dense(16, "relu", kernel_initializer=initializer, name="second"),
                layers.Dense(10, name="head"),
            ]
        )
        return model, x.reshape(len(x), 64), y

    return make


def clock(seconds_a_reading: float) -> Callable[[], float]:
    """A clock that advances by this much with every reading."""
    readings = itertools.count()
    return lambda: next(readings) * seconds_a_reading


def watched(log_dir: Path, seconds_a_reading: float) -> LayerHealth:
    x, y = digits()
    made = LayerHealth(log_dir, probe_data=(x[:8].reshape(8, 64), y[:8]), images=[])
    return clocked(made, clock(seconds_a_reading))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, initializer in {"one": "glorot_uniform", "two": "glorot_uniform", "other": "random_normal"}.items():
        train(network(initializer), [watched(folder / name, 0.001)], epochs=3)
    return folder


def test_the_same_training_writes_the_same_records(folder: Path) -> None:
    assert_runs_match(folder / "one", folder / "two", rtol=0, atol=0, include=ASPECTS)


def test_a_slow_machine_writes_the_same_records(folder: Path, tmp_path: Path) -> None:
    train(network("glorot_uniform"), [watched(tmp_path, 0.5)], epochs=3)
    looks = [np.isfinite(load(run).stat("mode_difference")).any(axis=1).sum() for run in (folder / "one", tmp_path)]
    assert looks[1] < looks[0], "the clock made no look too expensive"
    assert_runs_match(folder / "one", tmp_path, rtol=0, atol=0, include=ASPECTS)


def test_another_initializer_is_found_at_its_step_and_layer(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"step 0\b.*layer 'second'.*rtol"):
        assert_runs_match(folder / "one", folder / "other", rtol=1e-5, atol=1e-8)


def test_the_command_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(folder / "one"), str(folder / "two")]) == 0
    assert main(["diff", str(folder / "one"), str(folder / "other")]) == 1
    printed = capsys.readouterr().out
    assert "second" in printed
    assert "step 0" in printed
