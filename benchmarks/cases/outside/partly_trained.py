"""A training step that hands only some of the layers to the optimizer."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops


class PartlyTrained(keras.Model):
    """A functional model whose training step updates the layers of the given names and no others."""

    listed: tuple[str, ...] = ()

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        weights = [weight for name in self.listed for weight in self.get_layer(name).trainable_weights]
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return {"loss": ops.mean(loss)}


def trained_in_part(model: PartlyTrained, optimizer: keras.optimizers.Optimizer, loss: Any, *names: str) -> Any:
    """Compiles the model so that only the named layers are trained."""
    model.listed = names
    model.compile(optimizer, loss, jit_compile=False)
    optimizer.build([weight for name in names for weight in model.get_layer(name).trainable_weights])
    return model
