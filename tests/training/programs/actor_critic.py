"""An actor and a critic that share a layer, in an eager loop; each episode is a step."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tb_activations import Recorder

GAMMA, MAX_STEPS, EPISODES = 0.9, 8, 6
EPS = float(np.finfo(np.float32).eps)


class Corridor:
    """An agent moves left or right; the right end gives a reward."""

    def reset(self) -> np.ndarray:
        self.place, self.speed = 0.0, 0.0
        return np.array([self.place, self.speed], np.float32)

    def step(self, action: int) -> tuple[np.ndarray, float, bool]:
        self.speed = 0.5 * self.speed + (0.3 if action else -0.3)
        self.place = float(np.clip(self.place + self.speed, -1, 1))
        return np.array([self.place, self.speed], np.float32), float(self.place), self.place >= 1


def make_model() -> keras.Model:
    inputs = layers.Input((2,))
    common = layers.Dense(16, activation="relu")(inputs)
    action = layers.Dense(2, activation="softmax")(common)
    critic = layers.Dense(1)(common)
    return keras.Model(inputs, [action, critic])


def train(log_dir: str | None) -> dict[str, keras.Model]:
    env, model, optimizer = Corridor(), make_model(), keras.optimizers.Adam(0.01)
    huber_loss, chance = keras.losses.Huber(), np.random.default_rng(1)
    recorder = Recorder(log_dir, model) if log_dir else None
    for _ in range(EPISODES):
        state = env.reset()
        action_probs_history, critic_value_history, rewards_history = [], [], []
        with recorder.step() if recorder else contextlib.nullcontext():
            with tf.GradientTape() as tape:
                for _ in range(MAX_STEPS):
                    action_probs, critic_value = model(ops.expand_dims(ops.convert_to_tensor(state), 0))
                    critic_value_history.append(critic_value[0, 0])
                    action = int(chance.random() < float(action_probs[0, 1]))
                    action_probs_history.append(ops.log(action_probs[0, action]))
                    state, reward, done = env.step(action)
                    rewards_history.append(reward)
                    if done:
                        break
                discounted, history = 0.0, np.zeros(len(rewards_history))
                for index in range(len(rewards_history) - 1, -1, -1):
                    history[index] = discounted = rewards_history[index] + GAMMA * discounted
                returns = (history - history.mean()) / (history.std() + EPS)
                actor_losses, critic_losses = [], []
                for log_prob, value, ret in zip(action_probs_history, critic_value_history, returns, strict=True):
                    actor_losses.append(-log_prob * (float(ret) - value))
                    critic_losses.append(huber_loss(ops.expand_dims(value, 0), ops.convert_to_tensor([float(ret)])))
                loss_value = sum(actor_losses) + sum(critic_losses)
            grads = tape.gradient(loss_value, model.trainable_variables)
            optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))
    if recorder:
        recorder.close()
    return {"model": model}
