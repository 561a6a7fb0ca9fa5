"""A real sweep: `python -m tests.browser.sweep DIR` trains twelve runs of a residual network of up to 35 layers."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import keras
from keras import layers
from sklearn.datasets import load_digits

from tb_activations import LayerHealth

RATES = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)
NORMALIZED = (True, False)
EPOCHS = 6


def train_sweep(log_dir: Path) -> None:
    """All runs, in folders below `log_dir`."""
    for is_normalized, rate in itertools.product(NORMALIZED, RATES):
        train(log_dir / f"{'batch_norm' if is_normalized else 'plain'}/lr={rate:g}", rate, is_normalized=is_normalized)


def train(log_dir: Path, rate: float, *, is_normalized: bool) -> None:
    """One run with this learning rate."""
    keras.utils.set_random_seed(1)
    digits = load_digits()
    model = network(is_normalized=is_normalized)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        digits.images[..., None] / 16,
        digits.target,
        batch_size=64,
        epochs=EPOCHS,
        validation_split=0.2,
        verbose=0,
        callbacks=[LayerHealth(log_dir, update_freq=2, image_freq=0)],
    )


def network(*, is_normalized: bool) -> keras.Model:
    """Residual blocks in three stages."""

    def normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.BatchNormalization(name=f"{name}_bn")(x) if is_normalized else x

    inputs = x = layers.Input((8, 8, 1), name="image")
    x = layers.ReLU(name="stem_relu")(normalized(layers.Conv2D(8, 3, padding="same", name="stem")(x), "stem"))
    for stage, filters in enumerate((8, 16, 32), 1):
        for block in (1, 2) if stage == 3 else (1,):
            name, strides = f"stage{stage}_block{block}", 2 if stage > 1 and block == 1 else 1
            y = layers.Conv2D(filters, 3, strides, "same", name=f"{name}_conv1")(x)
            y = layers.ReLU(name=f"{name}_relu1")(normalized(y, f"{name}_1"))
            y = normalized(layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv2")(y), f"{name}_2")
            if strides > 1:
                x = layers.Conv2D(filters, 1, strides, name=f"{name}_shortcut")(x)
            x = layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, "softmax", name="head")(x), name="mini_resnet")


if __name__ == "__main__":
    train_sweep(Path(sys.argv[1]))
