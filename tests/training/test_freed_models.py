"""An observed model is freed like any other once nothing of the user refers to it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_activations import LayerHealth, Recorder
from tests.training.models import small, train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


def is_freed(fit: Callable[[], keras.Model]) -> bool:
    model = weakref.ref(fit())
    # Keras keeps the last models by their names.
    keras.utils.clear_session(free_memory=False)
    for _ in range(3):
        gc.collect()
    return model() is None


@pytest.mark.parametrize("mode", [{}, {"run_eagerly": True}])
def test_a_model_is_freed_after_fit(mode: dict[str, Any], tmp_path: Path) -> None:
    assert is_freed(lambda: train(small, [], **mode))
    assert is_freed(lambda: train(small, [LayerHealth(tmp_path)], **mode))


def test_a_model_is_freed_after_a_custom_loop(tmp_path: Path) -> None:
    def loop(is_observed: bool) -> keras.Model:
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
        optimizer, recorder = keras.optimizers.SGD(), Recorder(tmp_path, model) if is_observed else None

        def step(x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True)))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        compiled = recorder.function(step) if recorder else tf.function(step)
        for _ in range(3):
            compiled(tf.constant(np.ones((2, 4), "float32")))
        if recorder:
            recorder.close()
        return model

    assert is_freed(lambda: loop(is_observed=False))
    assert is_freed(lambda: loop(is_observed=True))
