"""Compares the steps of a training that is recorded on a slow S3-compatible server with those recorded in a folder.

`python -m benchmarks.remote [SECONDS]`: every request takes this long. Exits with 1 if the server delays a step.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import boto3
import keras
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from tb_activations import LayerHealth
from tests.faults.bucket import NAME, BucketServer

TURNS, EPOCHS, BATCH = 3, 60, 32
MOST = 0.05
"""Seconds by which the slowest step may be slower than with a folder, median over turns."""


class Steps(keras.callbacks.Callback):
    """The seconds from the end of one step to that of the next, ends of epochs included."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ends.append(time.perf_counter())

    def slowest(self) -> float:
        """Without the first steps, which trace and compile."""
        seconds = [after - before for before, after in zip(self.ends[:-1], self.ends[1:], strict=True)]
        return max(seconds[5:])


def main() -> None:
    seconds = float([*sys.argv[1:], "1.0"][0])
    patch = pytest.MonkeyPatch()
    server = BucketServer(patch)
    boto3.DEFAULT_SESSION.events.register("before-send.s3", lambda **_: time.sleep(seconds))
    later = []
    for turn in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            local = _slowest(folder)
        remote = _slowest(f"s3://{NAME}/logs/{turn}")
        later.append(remote - local)
        print(f"slowest step: {1000 * local:.0f} ms in a folder, {1000 * remote:.0f} ms in the bucket", flush=True)
    print(f"{len(server.threads)} files, {server.uploaded / server.size():.2f} bytes uploaded for each that is there")
    server.stop()
    patch.undo()
    sys.exit(statistics.median(later) > MOST)


def _slowest(log_dir: str) -> float:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    layers = [keras.layers.Dense(512, "relu"), keras.layers.Dense(512, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    steps = Steps()
    health = LayerHealth(log_dir, update_freq=4, image_freq=0)
    # One iterator for all epochs: to end one, tf.data sometimes takes half a second or, after long epochs, several.
    # Plain Keras did so in 6 of 80 epochs of two seconds.
    data = tf.data.Dataset.from_tensor_slices((x.astype("float32") / 16, y)).repeat().batch(BATCH).prefetch(2)
    model.fit(data, steps_per_epoch=len(x) // BATCH, epochs=EPOCHS, verbose=0, callbacks=[health, steps])
    return steps.slowest()


if __name__ == "__main__":
    main()
