"""Common `train_step` methods, as mix-in classes for a model that has `forward`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops


class Tape:
    """The step in the Keras guides."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = _loss_of(self, x, y, weight)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


class TapeTwice:
    """Two passes and two updates per step."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        losses = []
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = _loss_of(self, x, y, weight)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            losses.append(loss)
        return {"loss": losses[0], "second_loss": losses[1]}


class OwnOptimizer:
    """The optimizer is an attribute; `compile` gets none."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = _loss_of(self, x, y, weight)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.own.apply(gradients, self.trainable_variables)
        return {"loss": loss}


class TwoOptimizers:
    """One optimizer for the first half of the weights, one for the rest, from a persistent tape."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape(persistent=True) as tape:
            loss = _loss_of(self, x, y, weight)
        half = len(self.trainable_variables) // 2
        for optimizer, part in (
            (self.own, self.trainable_variables[:half]),
            (self.other, self.trainable_variables[half:]),
        ):
            if part:
                optimizer.apply_gradients(zip(tape.gradient(loss, part), part, strict=True))
        return {"loss": loss}


class ByHand:
    """No optimizer at all."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = _loss_of(self, x, y, weight)
        variables = self.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.01 * tf.convert_to_tensor(gradient))
        return {"loss": loss}


class SuperAndMore:
    """Keras' own step, then a change of the weights."""

    def train_step(self: Any, data: Any) -> Any:
        logs = super().train_step(data)  # type: ignore[misc]
        for variable in self.trainable_variables:
            variable.assign(ops.clip(variable, -1.0, 1.0))
        return logs


class ComputeLoss:
    """Keras' own step with another loss."""

    def compute_loss(self: Any, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(x, y, y_pred, *args, **kwargs)  # type: ignore[misc]
        return loss + 1e-3 * sum(ops.mean(ops.square(output)) for output in tf.nest.flatten(y_pred))


class Critic:
    """Two adversarial networks: one predicts, the other distinguishes predictions from targets."""

    def train_step(self: Any, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        predicted = self.forward(x)
        real = tf.cast(y, tf.float32) if y.shape[-1:] == [1] else tf.one_hot(tf.reshape(y, [-1]), predicted.shape[-1])
        with tf.GradientTape() as tape:
            told = self.critic(predicted, training=True) - self.critic(real, training=True)
            critic_loss = tf.reduce_mean(tf.nn.softplus(told))
        _apply(self.other, tape, critic_loss, self.critic.trainable_weights)
        with tf.GradientTape() as tape:
            loss = _loss_of(self, x, y, weight) - 0.1 * tf.reduce_mean(self.critic(self.forward(x), training=True))
        _apply(self.own, tape, loss, self.network.trainable_weights)
        return {"loss": loss, "critic_loss": critic_loss}


STEPS: dict[str, type] = {
    "tape": Tape,
    "tape_twice": TapeTwice,
    "own_optimizer": OwnOptimizer,
    "two_optimizers": TwoOptimizers,
    "by_hand": ByHand,
    "super_and_more": SuperAndMore,
    "compute_loss": ComputeLoss,
    "critic": Critic,
}


def with_step(base: type, step: str) -> Any:
    """The class `base` with this step; `base` itself for Keras' own step."""
    return base if step == "keras" else type(f"{STEPS[step].__name__}{base.__name__}", (STEPS[step], base), {})


def _apply(optimizer: Any, tape: tf.GradientTape, loss: Any, variables: list[Any]) -> None:
    # A network frozen between two trainings has nothing to train, and optimizers reject an empty list.
    if variables:
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def _loss_of(model: Any, x: Any, y: Any, weight: Any) -> Any:
    return model.compute_loss(x, y, model.forward(x), weight)
