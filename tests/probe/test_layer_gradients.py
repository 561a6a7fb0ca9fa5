from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import gradients
from tests.probe.models import KINDS, digits, is_same, make, state, trained

X4, Y4 = digits(4)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def assert_close(actual: Any, expected: Any, name: str = "") -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-7, err_msg=name)


def loss_of(y: Any, outputs: Any) -> Any:
    return CROSS_ENTROPY(y, outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_activation_gradients_equal_a_hand_written_tape(kind: str) -> None:
    known, (x, y) = make(kind), digits(16)
    known.model(x)
    with tf.GradientTape() as tape:
        batch = tf.constant(x)
        tape.watch(batch)
        seen = known.one_by_one(batch)
        loss = loss_of(y, seen["head"] if "head" in seen else seen["dense"])
    expected = dict(zip(seen, tape.gradient(loss, list(seen.values())), strict=True))
    found = gradients(known.model, x, y=y, wrt="activations", loss=loss_of)
    for name, gradient in expected.items():
        # `one_by_one` calls the gate again after its inner layer.
        if name not in ("gate/strength", "gate[strength]"):
            assert_close(found[name], gradient, name)
    assert set(found) == set(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_weight_and_input_gradients_equal_a_hand_written_tape(kind: str) -> None:
    model, (x, y) = trained(make(kind)), digits(16)
    with tf.GradientTape() as tape:
        batch = tf.constant(x)
        tape.watch(batch)
        loss = loss_of(y, model(batch, training=False))
    weights = [weight.value for weight in model.trainable_weights]
    *expected, by_input = tape.gradient(loss, [*weights, batch])
    found = gradients(model, x, y=y, wrt="weights")
    assert len(found) == len(weights)
    for (name, actual), gradient in zip(found.items(), expected, strict=True):
        assert_close(actual, gradient, name)
    assert_close(gradients(model, x, y=y, wrt="inputs", loss=loss_of), by_input)


def test_weights_are_named_by_their_innermost_layer() -> None:
    found = gradients(make("subclassed").model, X4, y=Y4, wrt="weights", loss=loss_of)
    assert {"gate/strength/kernel", "gate/strength/bias", "head/kernel"} <= set(found)


def test_each_call_of_a_shared_layer_has_its_own_gradient() -> None:
    found = gradients(make("shared").model, X4, y=Y4, wrt="activations", loss=loss_of)
    first, second = found["twice@1"], found["twice@2"]
    assert first is not None
    assert second is not None
    assert not np.allclose(first, second)


def test_a_layer_that_returns_its_input_has_only_what_passes_through_it() -> None:
    inputs = layers.Input((3,))
    h = layers.Dense(3, name="dense")(inputs)
    summed = layers.Add(name="add")([layers.Dropout(0.5, name="drop")(h), h])
    model = keras.Model(inputs, summed)
    found = gradients(model, np.ones((2, 3)), y=None, wrt="activations", loss=lambda _, outputs: tf.reduce_sum(outputs))
    assert np.all(found["drop"] == 1)
    assert np.all(found["dense"] == 2)


def test_none_if_the_loss_does_not_depend_on_it() -> None:
    inputs = layers.Input((3,))
    used, idle = layers.Dense(2, name="used")(inputs), layers.Dense(2, name="idle")(inputs)
    model = keras.Model(inputs, [used, idle])
    found = gradients(model, np.ones((2, 3)), y=None, wrt="weights", loss=lambda _, outputs: outputs[0])
    assert found["idle/kernel"] is None
    assert found["used/kernel"] is not None
    assert (
        gradients(model, np.ones((2, 3)), y=None, wrt="activations", loss=lambda _, outputs: outputs[0])["idle"] is None
    )


def test_lookups_give_dense_gradients_and_tokens_none() -> None:
    model = keras.Sequential([layers.Input((4,), dtype="int32"), layers.Embedding(6, 3, name="look"), layers.Flatten()])
    tokens = np.array([[1, 1, 2, 5]], "int32")
    by_weight = gradients(model, tokens, y=None, wrt="weights", loss=lambda _, outputs: tf.reduce_sum(outputs))[
        "look/embeddings"
    ]
    assert by_weight is not None
    assert by_weight[:, 0].tolist() == [0, 2, 1, 0, 0, 1]
    assert gradients(model, tokens, y=None, wrt="inputs", loss=lambda _, outputs: outputs) is None


def test_the_compiled_loss_includes_regularization() -> None:
    x, y = np.zeros((2, 3), "float32"), np.zeros((2, 1), "float32")
    dense = layers.Dense(1, use_bias=False, name="dense", kernel_regularizer=keras.regularizers.L2(0.5))
    model = keras.Sequential([layers.Input((3,)), dense])
    model.compile("sgd", "mse")
    assert_close(gradients(model, x, y=y, wrt="weights")["dense/kernel"], dense.kernel.numpy())


def test_nothing_is_changed_even_in_training_mode() -> None:
    model, (x, y) = trained(make("functional")), digits(16)
    before = state(model)
    plain = gradients(model, x, y=y, wrt="weights")["conv/kernel"]
    in_training = gradients(model, x, y=y, wrt="weights", training=True)["conv/kernel"]
    assert is_same(before, state(model))
    assert plain is not None
    assert in_training is not None
    assert not np.allclose(plain, in_training)


def test_metrics_created_by_the_call_are_reset() -> None:
    # Keras keeps a mean of each output's loss, made when the loss is first computed.
    inputs = layers.Input((3,))
    model = keras.Model(inputs, {"a": layers.Dense(1, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)})
    model.compile("sgd", {"a": "mse", "b": "mae"})
    gradients(model, np.ones((4, 3)), y={"a": np.ones((4, 1)), "b": np.ones((4, 1))}, wrt="weights")
    assert len(model.metrics) >= 3
    assert all(not np.any(variable.numpy()) for metric in model.metrics for variable in metric.variables)


class Masks(layers.Layer):
    """Sets the mask on its output itself."""

    def call(self, x: Any) -> Any:
        result = tf.identity(x)
        result._keras_mask = tf.constant([[True, True, False]])
        return result


def test_masks_set_by_a_layer_itself_pass_the_taps() -> None:
    inputs = layers.Input((3, 1))
    pooled = layers.GlobalAveragePooling1D(name="mean")(Masks(name="masks")(inputs))
    model = keras.Model(inputs, pooled)
    found = gradients(
        model, np.ones((1, 3, 1)), y=None, wrt="activations", loss=lambda _, outputs: tf.reduce_sum(outputs)
    )
    assert_close(found["masks"], [[[0.5], [0.5], [0]]])


def test_a_loss_by_name_is_averaged() -> None:
    model, (x, y) = make("nested").model, digits(8)
    one_hot = np.eye(10)[y]
    by_name = gradients(model, x, y=one_hot, wrt="inputs", loss="mse")
    assert_close(by_name, gradients(model, x, y=one_hot, wrt="inputs", loss=keras.losses.MeanSquaredError()))


@pytest.mark.parametrize("wrt", ["activations", "weights", "inputs"])
def test_several_batches_give_the_gradient_of_the_mean_loss(wrt: Any) -> None:
    model, (x, y) = make("shared").model, digits(10)
    whole: Any = gradients(model, x, y=y, wrt=wrt, loss=loss_of)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    for parts in (
        gradients(model, x, y=y, wrt=wrt, loss=loss_of, batch_size=4),
        gradients(model, dataset, wrt=wrt, loss=loss_of),
    ):
        if wrt == "inputs":
            assert_close(parts, whole)
        else:
            assert list(parts) == list(whole)
            for name, gradient in parts.items():
                assert_close(gradient, whole[name], name)


def test_an_output_without_samples_is_not_averaged_over_batches() -> None:
    inputs = layers.Input((3,))
    mean = layers.Lambda(lambda h: tf.reduce_mean(h), name="mean")(layers.Dense(2, name="dense")(inputs))
    model = keras.Model(inputs, mean)
    with pytest.raises(ValueError, match=r"'mean' for several batches cannot be joined"):
        gradients(model, np.ones((4, 3)), loss=lambda _, outputs: outputs, batch_size=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"wrt": "layers"}, ValueError, "`wrt`: 'layers'"),
        ({"wrt": "weights", "layers": ["head"]}, ValueError, "`layers`"),
        ({"loss": None}, ValueError, "`loss`: None for a model that is not compiled"),
        ({"loss": 3}, ValueError, "`loss`: 3"),
        ({"x": tf.data.Dataset.range(3).batch(1)}, ValueError, "`y`: ndarray together with a .*Dataset"),
        ({"y": np.zeros(3)}, ValueError, "`y`: 3 samples for 2 samples"),
        ({"batch_size": 0}, ValueError, "`batch_size`: 0"),
    ],
)
def test_arguments_that_are_not_allowed(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    x, y = digits(2)
    given: dict[str, Any] = {"x": x, "y": y, "loss": loss_of} | arguments
    with pytest.raises(error, match=message):
        gradients(make("shared").model, **given)
