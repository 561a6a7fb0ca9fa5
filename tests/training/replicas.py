"""Trains digits on one and on three devices, with NaN in one row, and prints what was recorded as JSON.

python -m tests.training.replicas FOLDER
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from tb_activations import LayerHealth, load

DEVICES, BATCH, STEPS, BAD_STEP, BAD_ROW = 3, 48, 6, 4, 37
OPTIMIZERS = {"adam": lambda: keras.optimizers.Adam(), "clipping": lambda: keras.optimizers.Adam(clipnorm=1e-3)}
SHARED = (
    "elements",
    "mean",
    "std",
    "zero_fraction",
    "gradient_norm",
    "weight_gradient_norm",
    "input_rms",
    "min",
    "max",
)
TOTALS = ("loss", "samples", "input_row", "gradient_row", "nonfinite_replica", "output_max")


@functools.cache
def mirrored() -> tf.distribute.Strategy:
    # One per process: the collectives of a second one would have the same numbers as those of the first.
    return tf.distribute.MirroredStrategy([f"cpu:{index}" for index in range(DEVICES)])


def network() -> keras.Model:
    inputs = keras.Input((8, 8))
    x = layers.LSTM(8, return_sequences=True, name="lstm")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.Dense(6, "relu", name="hidden")(layers.Flatten(name="flat")(x))
    return keras.Model(inputs, layers.Dense(10, "softmax", name="head")(x))


@contextlib.contextmanager
def counted(counts: list[int]) -> Iterator[None]:
    """Adds to `counts` how many tensors each reduction over replicas has."""
    kind = tf.distribute.ReplicaContext
    original = kind.all_reduce

    def all_reduce(self: Any, operation: Any, value: Any, *args: Any) -> Any:
        counts.append(len(tf.nest.flatten(value)))
        return original(self, operation, value, *args)

    kind.all_reduce = all_reduce
    try:
        yield
    finally:
        kind.all_reduce = original


def train(folder: Path | None, devices: int, optimizer: str = "adam") -> list[int]:
    """Trains, observed if there is a folder; the numbers of tensors in the reductions of one replica."""
    data = load_digits()
    x, y = (data.images[: BATCH * STEPS] / 16).astype("float32"), data.target[: BATCH * STEPS]
    x[BAD_STEP * BATCH + BAD_ROW, 2, 3] = np.nan
    strategy = mirrored() if devices > 1 else None
    keras.utils.set_random_seed(0)
    keras.backend.clear_session()
    counts: list[int] = []
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = network()
        model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", jit_compile=False)
    callbacks = [LayerHealth(folder, update_freq=1, image_freq=0)] if folder else []
    with counted(counts):
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)
    return sorted(counts)


def recorded(folder: Path) -> dict[str, Any]:
    run = load(folder)
    return {
        "tables": {name: np.nan_to_num(run.stat(name), nan=-1).tolist() for name in SHARED},
        "totals": {name: np.nan_to_num(run.step_stat(name), nan=-1).tolist() for name in TOTALS},
        "layers": list(run.layers),
        "messages": [one.message for one in run.findings if one.rule == "nonfinite_data"],
    }


def main() -> None:
    folder = Path(sys.argv[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)
    reductions = {
        "plain": train(None, DEVICES),
        "observed": train(folder / "three", DEVICES),
        "clipping": train(folder / "clipping", DEVICES, "clipping"),
    }
    train(folder / "one", 1)
    runs = {name: recorded(folder / name) for name in ("one", "three", "clipping")}
    print(json.dumps({"reductions": reductions, **runs}))


if __name__ == "__main__":
    main()
