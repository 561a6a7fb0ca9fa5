"""The input of every layer is measured, not inferred from the previous layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth
from tb_activations.records.formatting import number
from tests.training.forward import row_of, seen_by, value_of

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.uniform(0, 255, size=(32, 8, 8, 1)).astype("float32")
TABLE = RANDOM.normal(3, 2, size=(32, 6)).astype("float32")
TOKENS = RANDOM.integers(1, 20, size=(32, 10))


def size(values: Any) -> Any:
    return pytest.approx(float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64))))), rel=1e-4)


def conv(name: str = "conv") -> layers.Layer:
    return layers.Conv2D(4, 3, activation="relu", name=name)


class InCall(keras.Model):
    """Preprocesses images with this function in `call`."""

    def __init__(self, prepare: Callable[[Any], Any]) -> None:
        super().__init__()
        self._prepare = prepare
        self.conv, self.flatten, self.head = conv(), layers.Flatten(name="flatten"), layers.Dense(3, name="head")

    def call(self, x: Any) -> Any:
        return self.head(self.flatten(self.conv(self._prepare(x))))


def by_operator(prepare: Callable[[Any], Any]) -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.Flatten()(conv()(prepare(inputs)))))


def by_lambda(prepare: Callable[[Any], Any]) -> keras.Model:
    return by_operator(lambda x: layers.Lambda(prepare, name="prepare")(x))


def divided(x: Any) -> Any:
    return x / 255.0


def cast_and_divided(x: Any) -> Any:
    return tf.cast(x, tf.float32) / 127.5 - 1.0


PREPARED: dict[str, tuple[Callable[[Any], keras.Model], Callable[[Any], Any], Any]] = {
    "in call": (InCall, divided, PICTURES),
    "by an operator": (by_operator, divided, PICTURES),
    "by a Lambda": (by_lambda, divided, PICTURES),
    "by a Rescaling": (lambda _: by_operator(layers.Rescaling(1 / 255.0)), divided, PICTURES),
    "of bytes": (InCall, cast_and_divided, PICTURES.astype("uint8")),
    "picture by picture": (InCall, tf.image.per_image_standardization, PICTURES),
    "not at all": (InCall, lambda x: x, PICTURES),
}


@pytest.mark.parametrize("name", list(PREPARED))
def test_preprocessed_images_are_measured_at_the_layer(name: str) -> None:
    make, prepare, x = PREPARED[name]
    seen = seen_by(make(prepare), x)
    assert value_of(seen, "conv", "input_rms") == size(prepare(x))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_outputs_of_layers_are_inputs_of_the_next(jit_compile: bool) -> None:
    model = InCall(divided)
    seen = seen_by(model, PICTURES, jit_compile=jit_compile)
    hidden = model.conv(divided(PICTURES))
    assert value_of(seen, "flatten", "input_rms") == size(hidden)
    assert value_of(seen, "head", "input_rms") == size(hidden)


def test_the_input_after_a_function_between_layers() -> None:
    class Between(InCall):
        def call(self, x: Any) -> Any:
            return self.head(tf.nn.relu(self.flatten(self.conv(x)) - 20.0))

    model = Between(divided)
    seen = seen_by(model, PICTURES)
    assert value_of(seen, "head", "input_rms") == size(np.maximum(model.conv(PICTURES) - 20.0, 0))


def test_eager_steps_measure_too() -> None:
    model = InCall(divided)
    seen = seen_by(model, PICTURES, eager=True)
    assert value_of(seen, "conv", "input_rms") == size(PICTURES / 255)
    assert value_of(seen, "head", "input_rms") == size(model.conv(divided(PICTURES)))


def of_pictures_and_table() -> keras.Model:
    pictures, table = layers.Input((8, 8, 1), name="pictures"), layers.Input((6,), name="table")
    left = layers.Flatten()(conv()(pictures / 255.0))
    joined = layers.Concatenate(name="joined")([left, layers.Dense(5, name="of_table")(table)])
    return keras.Model([pictures, table], layers.Dense(3, name="head")(joined))


@pytest.mark.parametrize("is_mapping", [False, True])
def test_every_model_input_is_measured_at_the_layer_that_takes_it(is_mapping: bool) -> None:
    model = of_pictures_and_table()
    if is_mapping:
        model = keras.Model(dict(zip(("pictures", "table"), model.inputs, strict=True)), model.outputs)
    seen = seen_by(model, {"pictures": PICTURES, "table": TABLE} if is_mapping else [PICTURES, TABLE])
    assert value_of(seen, "conv", "input_rms") == size(PICTURES / 255)
    assert value_of(seen, "of_table", "input_rms") == size(TABLE)


def test_the_second_input_is_measured_at_the_layer_that_takes_it() -> None:
    class Late(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layers.Dense(6, name="first"), layers.Dense(3, name="second")

        def call(self, inputs: Any) -> Any:
            one, other = inputs
            return self.second(self.first(one) + 100.0 * other)

    model = Late()
    seen = seen_by(model, [TABLE, TABLE])
    assert value_of(seen, "second", "input_rms") == size(model.first(TABLE) + 100.0 * TABLE)


def test_integer_tokens_are_not_measured() -> None:
    embedding = layers.Embedding(20, 8, mask_zero=True, name="embedding")
    model = keras.Sequential([layers.Input((10,), dtype="int32"), embedding, layers.LSTM(4, name="lstm")])
    seen = seen_by(model, TOKENS)
    assert np.isnan(value_of(seen, "embedding", "input_rms"))
    assert value_of(seen, "lstm", "input_rms") == size(embedding(TOKENS))


def test_masked_steps_count_as_zeros() -> None:
    x = np.tile(TABLE[:, None], (1, 4, 1))
    x[:, 2:] = 0
    parts = [layers.Input((4, 6)), layers.Masking(name="masking"), layers.GRU(3, name="gru"), layers.Dense(2)]
    assert value_of(seen_by(keras.Sequential(parts), x), "gru", "input_rms") == size(x)


def test_the_input_of_a_layer_at_every_time_step() -> None:
    dense = layers.Dense(3, name="dense")
    model = keras.Sequential([layers.Input((4, 6)), layers.TimeDistributed(dense, name="each"), layers.Flatten()])
    x = np.tile(TABLE[:, None], (1, 4, 1))
    assert value_of(seen_by(model, x), "each", "input_rms") == size(x)


def test_calls_of_a_shared_layer_are_measured_separately_and_together() -> None:
    shared, inputs = layers.Dense(6, name="shared"), layers.Input((6,))
    model = keras.Model(inputs, shared(inputs) + shared(10.0 * inputs))
    seen = seen_by(model, TABLE)
    assert value_of(seen, "shared", "input_rms", 1) == size(TABLE)
    assert value_of(seen, "shared", "input_rms", 2) == size(10 * TABLE)
    assert value_of(seen, "shared", "input_rms") == size([TABLE, 10 * TABLE])


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_values_whose_squares_leave_the_range_of_float32(scale: float) -> None:
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(3, name="dense"), layers.Activation("linear", name="same")]
    )
    seen = seen_by(model, TABLE * np.float32(scale))
    assert value_of(seen, "dense", "input_rms") == size(TABLE.astype(np.float64) * scale)
    assert value_of(seen, "same", "input_rms") == pytest.approx(
        math.hypot(value_of(seen, "dense", "mean"), value_of(seen, "dense", "std"))
    )


def test_nonfinite_values_are_left_out() -> None:
    x = TABLE.copy()
    x[0, 0], x[1, 1] = np.nan, np.inf
    seen = seen_by(keras.Sequential([layers.Input((6,)), layers.Dense(3, name="dense")]), x)
    assert value_of(seen, "dense", "input_rms") == size(x[np.isfinite(x)])


def test_half_precision() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        seen = seen_by(InCall(divided), PICTURES)
    finally:
        keras.config.set_dtype_policy("float32")
    assert row_of(seen, "conv").call.dtype == "float16"
    assert value_of(seen, "conv", "input_rms") == pytest.approx(
        float(np.sqrt(np.mean((PICTURES / 255) ** 2))), rel=1e-2
    )


def starts(model: keras.Model, x: Any, folder: Path) -> list[str]:
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    callback = LayerHealth(folder, update_freq=1)
    model.fit(x, RANDOM.integers(0, 3, 32), batch_size=32, shuffle=False, epochs=2, verbose=0, callbacks=[callback])
    return [finding.message for finding in callback.findings if finding.rule == "poor_init"]


def built(model: keras.Model, x: Any) -> keras.Model:
    model(x)
    return model


def test_a_poor_start_names_the_measured_input(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    raw = InCall(lambda x: 10.0 * x)
    messages = starts(built(raw, PICTURES), PICTURES, tmp_path / "raw")
    (message,) = (message for message in messages if message.startswith("conv "))
    size = number(float(np.sqrt(np.mean(np.square(PICTURES * 10.0)))))
    assert f"its inputs have root mean square {size}, which" in message
    assert starts(built(InCall(divided), PICTURES), PICTURES, tmp_path / "divided") == []


def test_a_tabular_input_is_not_judged_by_the_image_input(tmp_path: Path) -> None:
    assert starts(of_pictures_and_table(), [PICTURES, TABLE], tmp_path) == []
