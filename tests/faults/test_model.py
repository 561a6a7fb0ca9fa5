"""Faults in the model and the clock: values that cannot be measured, layers that fail, a clock that goes back."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tb_activations import load
from tests.clocked import clocked
from tests.faults.conftest import Told
from tests.faults.observe import STEPS, check_row, every_step, fit, outcome

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


class Unmeasurable(layers.Dense):
    """A layer that trains normally and raises when its parameters are counted."""

    def count_params(self) -> int:
        raise RuntimeError("ask somebody else")


@keras.saving.register_keras_serializable("tests")
class SquareRoot(layers.Layer):
    """Returns NaN for values below zero."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.sqrt(inputs)


def unmeasurable() -> keras.Sequential:
    return keras.Sequential(
        [layers.Input((64,)), Unmeasurable(16, name="odd"), layers.Dense(16, name="even"), layers.Dense(10)]
    )


def not_a_number() -> keras.Sequential:
    return keras.Sequential(
        [layers.Input((64,)), layers.Dense(16, name="before"), SquareRoot(name="root"), layers.Dense(10)]
    )


def test_a_layer_whose_statistics_raise(log_dir: str, told: Told) -> None:
    alone = fit(make=unmeasurable).get_weights()
    model = fit(every_step(log_dir), make=unmeasurable)
    run = load(log_dir)
    assert run.steps.tolist() == STEPS
    reasons = {layer.name: layer.not_observed for layer in run.spec.layers}
    assert "ask somebody else" in reasons["odd"]
    assert np.isnan(run.stat("mean")[:, run.layers.index("odd")]).all()
    assert reasons["even"] == ""
    assert np.isfinite(run.stat("mean")[:, run.layers.index("even")]).all()
    check_row("A statistic raises in one layer", outcome(model, alone), "this layer's statistics", told())


def test_a_layer_that_returns_nan(log_dir: str, told: Told) -> None:
    alone = fit(make=not_a_number).get_weights()
    model = fit(every_step(log_dir), make=not_a_number)
    run = load(log_dir)
    assert run.steps.tolist() == STEPS
    assert [finding.layer for finding in run.findings if finding.rule == "nonfinite" and not finding.root] == ["root"]
    assert np.isnan(alone[0]).any()
    check_row("A layer returns NaN", outcome(model, alone), "nothing", [text for text in told() if "NaN" in text])


def test_a_clock_that_goes_back(log_dir: str, told: Told) -> None:
    wall = itertools.chain([1_800_000_000.0 + step for step in range(20)], itertools.count(1_799_990_000.0, -1.0))
    model = fit(clocked(every_step(log_dir), itertools.count(1000.0, -3.0).__next__, lambda: next(wall)))
    run = load(log_dir)
    assert run.steps.tolist() == STEPS
    assert run.dropped == 0
    assert (np.diff(run.wall_times) >= 0).all()
    assert run.wall_times[-1] == 1_800_000_019.0
    # By that clock, the next training in the folder is earlier. It must still come second.
    weights = outcome(model)
    fit(clocked(every_step(log_dir), wall_clock=itertools.count(1_700_000_000.0).__next__), model=model)
    again = load(log_dir)
    assert again.steps.tolist() == [*STEPS, *(step + len(STEPS) for step in STEPS)]
    assert (np.diff(again.wall_times) >= 0).all()
    check_row("Clock goes backwards", weights, "nothing: wall times stay constant meanwhile", told()[:-1])
