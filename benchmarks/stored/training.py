"""Observes 1,000 steps of ResNet50 on tiny pictures: `python -m benchmarks.stored.training FOLDER`."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

from tb_activations import LayerHealth

STEPS, EPOCHS, BATCH, SIDE = 1000, 4, 2, 32


def main() -> None:
    keras.utils.set_random_seed(0)
    data = load_digits()
    count = BATCH * STEPS // EPOCHS
    pictures = np.kron(data.images[:count] / 16, np.ones((SIDE // 8, SIDE // 8)))
    x = np.repeat(pictures[..., None], 3, axis=-1).astype("float32")
    model = keras.applications.ResNet50(weights=None, input_shape=(SIDE, SIDE, 3), classes=10)
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    health = LayerHealth(sys.argv[1], update_freq=1)
    model.fit(x, data.target[:count], batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[health])


if __name__ == "__main__":
    main()
