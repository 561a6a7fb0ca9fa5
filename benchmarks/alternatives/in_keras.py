"""Ways to watch a Keras training."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from benchmarks.alternatives.data import BATCH, EPOCHS, FILTERS, SIDE, pictures
from tb_activations import LayerHealth

Way = Callable[[keras.Model, Path, Any, Any], list[keras.callbacks.Callback]]
"""Takes the model, a folder, inputs and labels; returns the callbacks."""


class Recipe(keras.callbacks.Callback):
    """What answers on the web recommend: outputs of all layers from a second model, gradients from a second tape."""

    def __init__(self, model: keras.Model, folder: Path, x: Any, y: Any) -> None:
        super().__init__()
        self._x, self._y = x[:BATCH], y[:BATCH]
        self._outputs = keras.Model(model.inputs, [layer.output for layer in model.layers])
        self._writer = tf.summary.create_file_writer(str(folder))
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        outputs = self._outputs.predict(self._x, verbose=0)
        with tf.GradientTape() as tape:
            loss = self._loss(self._y, self.model(self._x, training=True))
        gradients = tape.gradient(loss, self.model.trainable_weights)
        with self._writer.as_default(step=epoch):
            for layer, output in zip(self.model.layers, outputs, strict=True):
                tf.summary.histogram(f"{layer.name}/outputs", output)
            for weight, gradient in zip(self.model.trainable_weights, gradients, strict=True):
                tf.summary.histogram(f"{weight.path}/gradient", gradient)
        self._writer.flush()


class RecipeEveryStep(Recipe):
    """The same after every step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_epoch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...


WAYS: dict[str, Way] = {
    "plain": lambda *_: [],
    "LayerHealth, default": lambda model, folder, x, y: [LayerHealth(folder)],
    "LayerHealth, every step": lambda model, folder, x, y: [LayerHealth(folder, update_freq=1)],
    "TensorBoard(histogram_freq=1)": lambda model, folder, x, y: [
        keras.callbacks.TensorBoard(folder, histogram_freq=1)
    ],
    "web recipe, every epoch": lambda *given: [Recipe(*given)],
    "web recipe, every step": lambda *given: [RecipeEveryStep(*given)],
}


class _Times(keras.callbacks.Callback):
    """The seconds of each epoch, with what other callbacks do at its end: it must come last."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.ends.append(time.perf_counter())


def seconds(way: str, folder: Path) -> float:
    """Seconds of a step, on average over all epochs but the first."""
    keras.utils.set_random_seed(0)
    x, y = pictures()
    model = _network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    times = _Times()
    callbacks = [*WAYS[way](model, folder, x, y), times]
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=callbacks)
    return (times.ends[-1] - times.ends[0]) / (EPOCHS - 1) / (len(x) // BATCH)


def _network() -> keras.Model:
    model = keras.Sequential([layers.Input((SIDE, SIDE, 3))])
    for place, filters in enumerate(FILTERS):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        if place % 2:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    return model
