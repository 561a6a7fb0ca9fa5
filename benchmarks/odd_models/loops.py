"""Custom loops, compiled and eager, recorded by `Recorder`."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import tensorflow as tf

from benchmarks.odd_models.compiling import make_loss, make_optimizer
from benchmarks.odd_models.description import Description
from benchmarks.odd_models.fitting import EPOCHS
from benchmarks.odd_models.samples import Samples
from tb_activations import Recorder


def train_in_a_loop(
    model: Any, samples: Samples, described: Description, folder: str | None
) -> tuple[Any, list[float]]:
    """Trains, observed if there is a folder; returns the optimizer and the losses of all steps."""
    optimizer = make_optimizer(described)
    losses = [keras.losses.get(make_loss(described)), keras.losses.get("mae")]

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model.forward(x) if hasattr(model, "forward") else model(x, training=True))
            targets = tf.nest.flatten(y)
            terms = [
                tf.reduce_mean(losses[place](*pair)) for place, pair in enumerate(zip(targets, outputs, strict=True))
            ]
            if hasattr(model, "critic"):
                terms.append(-0.1 * tf.reduce_mean(model.critic(outputs[0], training=True)))
            loss = tf.add_n([tf.cast(term, tf.float32) for term in (*terms, *model.losses)])
            scaled = optimizer.scale_loss(loss)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return loss

    recorder = Recorder(folder, model) if folder is not None else None
    data = tf.data.Dataset.from_tensor_slices((samples.x, samples.y)).batch(described.batch)
    seen: list[float] = []
    if described.way == "recorder_compiled":
        step = recorder.function(step) if recorder is not None else tf.function(step)
    for _ in range(EPOCHS):
        for x, y in data:
            with (
                recorder.step()
                if recorder is not None and described.way == "recorder_eager"
                else contextlib.nullcontext()
            ):
                loss = step(x, y)
            seen.append(float(loss))
        if recorder is not None:
            recorder.end_epoch()
    if recorder is not None:
        recorder.close()
    return optimizer, seen
