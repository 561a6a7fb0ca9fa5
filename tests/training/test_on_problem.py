"""`on_problem` of `LayerHealth` in real trainings: log messages, the end of training, and files."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tb_activations import LayerHealth, LayerHealthError, load
from tests.training.models import Trainable, digits, train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


def poisoned() -> Trainable:
    """A network of three hidden layers, the second of which outputs NaN."""
    x, y = digits()
    bad = keras.initializers.Constant(float("nan"))
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(8, "relu", name="first"),
            layers.Dense(8, bias_initializer=bad, name="second"),
            layers.Dense(8, "tanh", name="third"),
            layers.Dense(10, name="head"),
        ]
    )
    return model, x.reshape(len(x), 64), y


def test_a_training_full_of_nan_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tb_activations"):
        train(poisoned, [callback := LayerHealth(tmp_path, update_freq=1, rules=["nonfinite"])], epochs=4)
    assert len(load(tmp_path).steps) == 32
    assert len(callback.findings) >= 3
    line, verdict = [entry.message for entry in caplog.records if entry.name == "tb_activations"]
    assert "problem" in line
    assert "values of second are NaN" in line
    assert "follow from it" in line
    assert verdict.startswith("Layer health, verdict: second: ")
    assert verdict.endswith(f"Open it with: tensorboard --logdir {tmp_path}")


def test_stop_ends_the_training_at_the_step_that_showed_it(tmp_path: Path) -> None:
    train(poisoned, [LayerHealth(tmp_path, update_freq=2, on_problem="stop")], epochs=4)
    run = load(tmp_path)
    assert run.steps.tolist() == [0]
    assert {finding.opened_step for finding in run.findings if finding.rule == "nonfinite"} == {0}


def test_what_raise_found_is_on_disk_and_the_model_can_be_trained_again(tmp_path: Path) -> None:
    model, x, _ = poisoned()
    model.compile("sgd", "mse", jit_compile=False)
    callback = LayerHealth(tmp_path, update_freq=1, on_problem="raise")
    target = np.zeros((len(x), 10))
    with pytest.raises(LayerHealthError, match="second") as raised:
        model.fit(x, target, batch_size=32, verbose=0, callbacks=[callback])
    stored = load(tmp_path).findings
    assert raised.value.finding.id in {finding.id for finding in stored}
    model.fit(x, target, batch_size=32, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 1 + 8
    # The training without the callback left nothing in its folder.
    assert load(tmp_path).steps.tolist() == [0]
