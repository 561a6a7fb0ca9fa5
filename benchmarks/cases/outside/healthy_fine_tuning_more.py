"""Healthy programs that adapt, widen or merely finish a trained network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import digits, flat_digits, words
from benchmarks.cases.outside.healthy_goals import accuracy


def dense_classifier(width: int) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(width, activation="relu", name="dense_0"),
            layers.Dense(width, activation="relu", name="dense_1"),
            layers.Dense(10, name="head"),
        ]
    )


def compile_classifier(model: keras.Model, optimizer: Any) -> None:
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )


@outside_healthy("fine_tuning")
def tuning_final_phase() -> Training:
    """The final phase of a training, resumed after convergence with a learning rate of 3e-6: nearly nothing changes."""
    x, y = flat_digits(768)
    model = dense_classifier(48)
    compile_classifier(model, keras.optimizers.Adam(0.003))
    model.fit(x, y, epochs=10, batch_size=32, verbose=0)
    compile_classifier(model, keras.optimizers.AdamW(3e-6, weight_decay=0.004))
    return Training(model, x, y, epochs=8, goal=accuracy(model, x, y, 0.95))


@outside_healthy("fine_tuning")
def tuning_wider_network() -> Training:
    """A network widened by copies of its units with little noise: at first half of the units repeat the others."""
    x, y = flat_digits(768)
    small = dense_classifier(24)
    compile_classifier(small, keras.optimizers.Adam(0.003))
    small.fit(x, y, epochs=3, batch_size=32, verbose=0)
    model = dense_classifier(48)
    random = np.random.default_rng(54)
    for number, (old, new) in enumerate(zip(small.layers, model.layers, strict=True)):
        kernel, bias = old.get_weights()
        if number > 0:
            kernel = np.concatenate([kernel, kernel]) / 2
        if old.name != "head":
            kernel, bias = np.concatenate([kernel, kernel], 1), np.concatenate([bias, bias])
        new.set_weights([kernel + random.normal(0, 0.02, kernel.shape), bias])
    compile_classifier(model, keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True))
    return Training(model, x, y, epochs=8)


class BottleneckAdapter(layers.Layer):
    """A narrow detour that starts as nearly nothing."""

    def __init__(self, bottleneck: int) -> None:
        super().__init__()
        self.down = layers.Dense(bottleneck, activation="gelu")
        self.bottleneck = bottleneck

    def build(self, input_shape: Any) -> None:
        self.down.build(input_shape)
        self.up = layers.Dense(input_shape[-1], kernel_initializer=keras.initializers.TruncatedNormal(stddev=1e-3))
        self.up.build((*input_shape[:-1], self.bottleneck))

    def call(self, inputs: Any) -> Any:
        return inputs + self.up(self.down(inputs))


@outside_healthy("fine_tuning")
def tuning_bottleneck_adapters() -> Training:
    """Adapters in a frozen transformer for a new task: their upper halves start nearly at zero on purpose."""
    x, y = words(512)
    parts: dict[str, Any] = {
        "embed": layers.Embedding(60, 24),
        "attend": layers.MultiHeadAttention(2, 12),
        "first_norm": layers.LayerNormalization(),
        "inner": layers.Dense(48, activation="gelu"),
        "outer": layers.Dense(24),
        "second_norm": layers.LayerNormalization(),
    }

    def assemble(has_adapters: bool) -> keras.Model:
        inputs = keras.Input((12,), dtype="int32")
        body = parts["embed"](inputs)
        attended = parts["attend"](body, body)
        attended = BottleneckAdapter(8)(attended) if has_adapters else attended
        body = parts["first_norm"](layers.add([body, attended]))
        changed = parts["outer"](parts["inner"](body))
        changed = BottleneckAdapter(8)(changed) if has_adapters else changed
        body = parts["second_norm"](layers.add([body, changed]))
        return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(body)))

    first = assemble(False)
    compile_classifier(first, keras.optimizers.Adam(0.003))
    first.fit(x, y, epochs=3, batch_size=32, verbose=0)
    for name in ("embed", "attend", "inner", "outer"):
        parts[name].trainable = False
    model = assemble(True)
    compile_classifier(model, keras.optimizers.AdamW(0.005, weight_decay=0.01))
    many_frequent = ((x < 4).sum(1) > np.median((x < 4).sum(1))).astype("int32")
    return Training(model, x, many_frequent, epochs=8)


@outside_healthy("fine_tuning")
def tuning_noisy_labels() -> Training:
    """A pretrained network continues on new labels, a quarter of them wrong: the loss cannot fall far."""
    x, y = digits()
    x = x[..., None]
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="swish"),
            layers.Conv2D(24, 3, activation="swish"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10),
        ]
    )
    compile_classifier(model, keras.optimizers.Adam(0.003))
    model.fit(x[:512], y[:512], epochs=2, batch_size=32, verbose=0)
    compile_classifier(model, keras.optimizers.Adafactor(0.01))
    random = np.random.default_rng(55)
    is_wrong = random.random(len(y)) < 0.25
    noisy = np.where(is_wrong, random.integers(0, 10, len(y)), (y + 3) % 10)
    return Training(model, x, noisy, epochs=8)
