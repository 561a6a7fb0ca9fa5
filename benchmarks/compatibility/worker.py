"""One process of a training under `MultiWorkerMirroredStrategy`, or the only one; started by `workers.compare`.

python -m benchmarks.compatibility.worker FOLDER
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from tb_activations import Recorder

BATCH, STEPS = 32, 6
_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)


def train(folder: str) -> None:
    """Trains a small convolutional network; in a cluster this process takes its share of every batch."""
    workers = tf.distribute.MultiWorkerMirroredStrategy() if "TF_CONFIG" in os.environ else None
    with workers.scope() if workers else contextlib.nullcontext():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                layers.Input((8, 8, 1)),
                layers.Conv2D(6, 3, activation="relu", name="conv"),
                layers.Flatten(name="flatten"),
                layers.Dense(24, "relu", name="hidden"),
                layers.Dense(10, name="head"),
            ]
        )
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(model.trainable_variables)

    def share(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(_ENTROPY(y, model(x, training=True))) / BATCH
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    with Recorder(folder, model, update_freq=1) as recorder:

        @recorder.function
        def step(x: Any, y: Any) -> Any:
            return workers.run(share, (x, y)) if workers else share(x, y)

        for x, y in _batches(workers):
            step(x, y)


def _batches(workers: Any) -> Any:
    digits = load_digits()
    x = (digits.images[: BATCH * STEPS, ..., None] / 16).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, digits.target[: BATCH * STEPS]))
    if workers is None:
        return data.batch(BATCH)
    # Whole batches in order; each process takes half of each.
    index, count = workers.cluster_resolver.task_id, workers.num_replicas_in_sync
    mine = slice(index * (BATCH // count), (index + 1) * (BATCH // count))
    return data.batch(BATCH).map(lambda x, y: (x[mine], y[mine]))


if __name__ == "__main__":
    train(sys.argv[1])
