"""Statistics of an observed step compared with an independent reference: the same step by hand, in eager code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.models import Trainable, digits, functional, train
from tests.training.observe import Observe, value_of

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def two_layers() -> Trainable:
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(16, "relu", name="hidden"),
            layers.Dense(10, name="head"),
        ]
    )
    return model, x.reshape(len(x), 64), y


def by_hand(make: Callable[[], Trainable]) -> dict[str, Any]:
    """First batch of `make`'s training: activations, their gradients, weight gradients, loss."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model, x, y = make()
    hidden, head = model.layers
    with tf.GradientTape(persistent=True) as tape:
        h = hidden(x[:32])
        tape.watch(h)
        out = head(h)
        tape.watch(out)
        loss = LOSS(y[:32], out)
    weights = [*hidden.trainable_weights, *head.trainable_weights]
    return {
        "hidden": h.numpy(),
        "gradient": tape.gradient(loss, h).numpy(),
        "weights": [w.numpy() for w in weights],
        "weight_gradients": [g.numpy() for g in tape.gradient(loss, [w.value for w in weights])],
        "loss": float(loss),
    }


@pytest.mark.parametrize("jit_compile", [False, True])
def test_statistics_equal_a_step_by_hand(jit_compile: bool) -> None:
    observe = Observe(update_freq=3)
    options = {"epochs": 1, "optimizer": keras.optimizers.SGD(0.5), "jit_compile": jit_compile}
    model = train(two_layers, [observe], **options)
    step, seen = observe.seen[0]
    expected = by_hand(two_layers)
    hidden = expected["hidden"]
    assert step == 0
    assert seen.totals["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert seen.totals["learning_rate"] == pytest.approx(0.5)
    assert math.isnan(seen.totals["first_learning_rate"]), "there is only one optimizer"
    assert seen.totals["samples"] == 32
    assert value_of(seen, "hidden", "mean") == pytest.approx(hidden.mean(), rel=1e-4)
    assert value_of(seen, "hidden", "std") == pytest.approx(hidden.std(), rel=1e-4)
    assert value_of(seen, "hidden", "zero_fraction") == pytest.approx((hidden == 0).mean(), abs=1e-6)
    assert value_of(seen, "hidden", "silent_fraction") == pytest.approx((hidden == 0).all(0).mean(), abs=1e-6)
    assert value_of(seen, "hidden", "gradient_norm") == pytest.approx(np.linalg.norm(expected["gradient"]), rel=1e-4)
    assert value_of(seen, "hidden", "gradient_mean_abs") == pytest.approx(np.abs(expected["gradient"]).mean(), rel=1e-4)
    np.testing.assert_allclose(seen.activity[:16], (hidden != 0).mean(0), atol=1e-6)
    np.testing.assert_allclose(seen.peak[:16], hidden.max(0), rtol=1e-5)
    assert [weight.name for weight in seen.weights] == ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]
    for index, (weight, gradient) in enumerate(zip(expected["weights"], expected["weight_gradients"], strict=True)):
        norm = np.linalg.norm(weight)
        assert seen.weight_columns["gradient_norm"][index] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        assert seen.weight_columns["weight_norm"][index] == pytest.approx(norm, rel=1e-5)
        # Plain gradient descent changes a weight by learning rate times gradient; a bias of zeros has no ratio.
        ratio = 0.5 * np.linalg.norm(gradient) / norm if norm else np.nan
        assert seen.weight_columns["update_ratio"][index] == pytest.approx(ratio, rel=1e-3, nan_ok=True)
    assert {row.call.name: row.call.inputs for row in seen.rows} == {"hidden": (), "head": ("hidden",)}
    # XLA fuses the observed step otherwise than the plain one, which rounds otherwise; without it nothing differs.
    alone = train(two_layers, [], **options | {"optimizer": keras.optimizers.SGD(0.5)})
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if jit_compile else {"rtol": 0, "atol": 0}
    for one, other in zip(alone.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


def test_a_shared_layer_has_rows_for_each_call_and_for_all() -> None:
    observe = Observe()
    train(functional, [observe], epochs=1)
    _, seen = observe.seen[0]
    first, second, whole = (value_of(seen, "shared", "elements", site) for site in (1, 2, 0))
    assert whole == first + second
    squares = [value_of(seen, "shared", "gradient_norm", site) ** 2 for site in (1, 2)]
    assert value_of(seen, "shared", "gradient_norm") ** 2 == pytest.approx(sum(squares), rel=1e-5)
    assert np.isnan(value_of(seen, "shared", "weight_norm", 1))
    assert value_of(seen, "shared", "weight_norm") > 0


def test_loss_scaling_is_undone() -> None:
    plain, scaled = Observe(), Observe()
    train(two_layers, [plain], epochs=1, optimizer=keras.optimizers.SGD(0.1))
    train(two_layers, [scaled], epochs=1, optimizer=keras.optimizers.SGD(0.1, loss_scale_factor=1024.0))
    for column in ("gradient_norm", "weight_gradient_norm", "weight_gradient_mean_abs"):
        expected = value_of(plain.seen[0][1], "hidden", column)
        assert value_of(scaled.seen[0][1], "hidden", column) == pytest.approx(expected, rel=1e-4)
    assert scaled.seen[0][1].totals["loss_scale"] == 1024


def test_the_weights_of_an_rnn_cell_belong_to_the_rnn() -> None:
    observe = Observe()
    train("lstm", [observe], epochs=1)
    _, seen = observe.seen[0]
    cell = next(row for row in seen.rows if row.call.name == "lstm/lstm_cell")
    assert (cell.not_observed, cell.call.part_of) == ("", "lstm")
    assert value_of(seen, "lstm", "weight_gradient_norm") > 0
    assert {weight.layer for weight in seen.weights} == {"lstm", "gru", "dense"}


def test_a_layer_off_the_loss_path_has_no_gradient() -> None:
    def make() -> Trainable:
        x, y = digits()
        inputs = layers.Input((64,))
        side = layers.Dense(4, name="side")(inputs)
        main = layers.Dense(10, name="main")(inputs)
        cut = layers.Lambda(lambda tensor: 0.0 * tf.reduce_sum(tf.stop_gradient(tensor), -1, keepdims=True), name="cut")
        return keras.Model(inputs, layers.Add()([main, cut(side)])), x.reshape(len(x), 64), y

    observe = Observe()
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        train(make, [observe], epochs=1)
    _, seen = observe.seen[0]
    assert np.isnan(value_of(seen, "side", "gradient_norm"))
    assert np.isnan(value_of(seen, "side", "weight_gradient_norm"))
    assert {weight.name: weight.has_gradient for weight in seen.weights}["side/kernel"] is False


def test_gradients_under_a_loss_scale_of_zero_are_unknown() -> None:
    observe = Observe(update_freq=1)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=0.0)
    train(two_layers, [observe], epochs=1, optimizer=optimizer)
    _, seen = observe.seen[0]
    assert seen.totals["loss_scale"] == 0
    assert math.isnan(value_of(seen, "hidden", "gradient_norm"))
    assert np.isnan(seen.weight_columns["gradient_norm"]).all()
