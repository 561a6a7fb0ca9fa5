"""The variables of optimizer and metrics exist before the observed step is traced, and are those that Keras makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tb_activations import LayerHealth
from tests.thorough import mostly

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

X = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
Y = np.arange(32) % 3


class Counted(layers.Dense):
    """Counts its calls; in a compiled step, those in which it is traced."""

    calls = 0

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        type(self).calls += 1
        return super().call(inputs, training)


class OwnStep(keras.Model):
    """Trains as Keras does, in a step that may create anything."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def network(kind: type[keras.Model] = keras.Model) -> keras.Model:
    inputs = layers.Input((6,))
    return kind(inputs, layers.Dense(3)(Counted(5, "relu", name="counted")(inputs)))


def several_outputs() -> keras.Model:
    inputs = layers.Input((6,))
    hidden = Counted(5, "relu", name="counted")(inputs)
    return keras.Model(inputs, {"a": layers.Dense(3, name="a")(hidden), "b": layers.Dense(3, name="b")(hidden)})


def fit(make: Callable[[], keras.Model], callbacks: list[Any], optimizer: str = "adam") -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    targets = dict.fromkeys(model.output, Y) if isinstance(model.output, dict) else Y
    metrics = {name: ["accuracy"] for name in model.output} if isinstance(model.output, dict) else ["accuracy"]
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    Counted.calls = 0
    model.fit(X, targets, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
    return model


@pytest.mark.parametrize("make", [network, several_outputs])
def test_an_observed_step_is_traced_once(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    fit(make, [LayerHealth(tmp_path, update_freq=1)])
    assert Counted.calls == 1


def own_step() -> keras.Model:
    return network(OwnStep)


MODELS = {"network": network, "several_outputs": several_outputs, "own_step": own_step}
CASES = [(model, optimizer) for model in MODELS for optimizer in ("sgd", "adam", "adafactor")]
# Every optimizer, and every kind of model with one that has variables for each weight.
QUICK = [(model, optimizer) for model, optimizer in CASES if model == "network" or optimizer == "adam"]


@pytest.mark.parametrize("case", mostly(CASES, QUICK), ids="-".join)
def test_variables_are_those_that_keras_makes(case: tuple[str, str], tmp_path: Path) -> None:
    make, optimizer = MODELS[case[0]], case[1]
    alone, observed = fit(make, [], optimizer), fit(make, [LayerHealth(tmp_path, update_freq=2)], optimizer)
    for one, other in (
        (alone.optimizer.variables, observed.optimizer.variables),
        (alone.metrics_variables, observed.metrics_variables),
    ):
        assert [variable.path for variable in one] == [variable.path for variable in other]
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first.numpy(), second.numpy())
    assert [metric.name for metric in alone.metrics] == [metric.name for metric in observed.metrics]
