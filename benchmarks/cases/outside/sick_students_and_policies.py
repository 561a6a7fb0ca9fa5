"""Programs of regression, distillation, policies and Bayes with defaults that do not fit and weights left alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import WHOLE, Goal, Training, View, outside_sick
from benchmarks.cases.data import diabetes, digits, table
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.sick_priors_and_patients import HURT


@outside_sick(
    "unfit_head",
    ["comments"],
    family="tabular",
    source="https://github.com/rasmusbergpalm/DeepLearnToolbox/issues/154",
    accepted="The output is a sigmoid unless it is set to linear, so that it stays between 0 and 1.",
    also=HURT,
)
def comments_between_zero_and_one() -> Training:
    """How many comments a blog post will get, up to hundreds, by sigmoid layers of which the output is one too."""
    random = np.random.default_rng(741)
    x = random.normal(0, 1, (1200, 40)).astype("float32")
    y = random.poisson(np.exp(1.5 + 0.8 * x[:, 0] + 0.5 * x[:, 1])).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((40,)),
            layers.Dense(100, activation="sigmoid", name="hidden_1"),
            layers.Dense(100, activation="sigmoid", name="hidden_2"),
            layers.Dense(1, activation="sigmoid", name="comments"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.001), "mean_squared_error")
    return Training(model, x, y, epochs=5, batch_size=100)


@outside_sick(
    "poor_init",
    ["linear_0", "linear_1", "linear_2"],
    family="tabular",
    source="https://github.com/hasktorch/hasktorch/issues/210",
    accepted="Everything starts from standard normals by default, which is not a good choice.",
    also=(*HURT, "nonfinite"),
)
def everything_from_standard_normals() -> Training:
    """A regression by ReLU layers of a small library, in which weights and biases are drawn with a deviation of 1."""
    x, y = diabetes()
    start = keras.initializers.RandomNormal(stddev=1.0)
    model = keras.Sequential([layers.Input((10,))])
    for depth, (width, activation) in enumerate(((128, "relu"), (64, "relu"), (1, None))):
        name = f"linear_{depth}"
        model.add(layers.Dense(width, activation, kernel_initializer=start, bias_initializer=start, name=name))
    return Training(compiled(model, keras.optimizers.Adam(1e-3), "mse"), x, y, epochs=12, batch_size=16)


class ClippedPolicy(keras.Model):
    """Proximal policy optimization on stored moves: chances of three moves and a value from the same trunk."""

    def error(self, given: Any, answers: Any) -> Any:
        chances, value = ops.log_softmax(answers[:, :3]), answers[:, 3]
        chosen, before, earned = given[:, :3], given[:, 3], given[:, 4]
        ratio = ops.exp(ops.sum(chosen * chances, axis=1) - before)
        advantage = earned - 0.2
        gain = ops.minimum(ratio * advantage, ops.clip(ratio, 0.8, 1.2) * advantage)
        entropy = -ops.sum(ops.exp(chances) * chances, axis=1)
        return ops.mean(0.5 * ops.square(earned - value) - gain - 0.01 * entropy)

    def train_step(self, data: Any) -> dict[str, Any]:
        states, given = data
        with tf.GradientTape() as tape:
            loss = self.error(given, self(states, training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/Unity-Technologies/ml-agents/issues/1237",
    accepted="The hyperparameters are far too high, above all the learning rate.",
    also=(*HURT, "nonfinite"),
)
def players_that_forget_everything() -> Training:
    """Players of a ball game by three wide layers and clipped policies, at a rate that throws away what is learned."""
    random = np.random.default_rng(743)
    x = random.uniform(0, 1, (1280, 60)).astype("float32")
    move = random.integers(0, 3, 1280)
    best = x[:, :3].argmax(1)
    earned = (move == best) * 1.0 - (x[:, 4] > 0.8) * 0.5
    given = np.concatenate([np.eye(3)[move], np.full((1280, 1), -np.log(3)), earned[:, None]], 1).astype("float32")
    inputs = keras.Input((60,))
    body = inputs
    for depth in range(3):
        body = layers.Dense(320, activation="swish", name=f"hidden_{depth}")(body)
    model = ClippedPolicy(inputs, layers.Dense(4, name="moves_and_value")(body))
    model.compile(keras.optimizers.Adam(0.7), jit_compile=False)

    def sensible() -> float:
        return float((np.asarray(model(x))[:, :3].argmax(1) == best).mean())

    view = View(model, x, loss=lambda answers: model.error(given, answers))
    goal = Goal("share of best moves", sensible, at_least=0.6)
    return Training(model, x, given, epochs=8, batch_size=32, views=(view,), goal=goal)


class Distiller(keras.Model):
    """A student that shall have the features of a teacher, behind a layer that makes the sizes equal."""

    def __init__(self, network: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.network, self.teacher = network, teacher
        teacher.trainable = False

    def call(self, images: Any) -> Any:
        return self.network(images)[0]

    def student_weights(self) -> list[Any]:
        """The weights of the layers that the student needs when it is used."""
        used = [layer for layer in self.network.layers if layer.name != "alignment"]
        return [weight for layer in used for weight in layer.trainable_variables]

    def error(self, images: Any, labels: Any, answers: Any) -> Any:
        scores, aligned = answers
        wrong = ops.mean(keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True))
        return wrong + ops.mean(ops.square(aligned - self.teacher(images)))

    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.error(images, labels, self.network(images, training=True))
        weights = self.student_weights()
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_sick(
    "stagnant_weights",
    ["network/alignment"],
    family="fine_tuning",
    source="https://github.com/huangzongmou/yolov8_Distillation/issues/5",
    accepted="The weights inside the loss are not given to the optimizer, so the alignment stays as it was drawn.",
    also=HURT,
)
def alignment_that_belongs_to_the_loss() -> Training:
    """A student of digits learns features of a teacher through a convolution of size 1 that belongs to the loss."""
    x, y = digits(768)
    x = x[..., None]
    teacher = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(48, 3, strides=2, padding="same", activation="relu"),
        ]
    )
    whole = keras.Sequential([teacher, layers.Flatten(), layers.Dense(10)])
    compiled(whole, "adam").fit(x, y, epochs=4, verbose=0)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="first")(inputs)
    features = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu", name="second")(body)
    scores = layers.Dense(10, name="classes")(layers.Flatten(name="flat")(features))
    aligned = layers.Conv2D(48, 1, name="alignment")(features)
    model = Distiller(keras.Model(inputs, [scores, aligned]), teacher)
    model(x[:2])
    model.compile(keras.optimizers.Adam(2e-3), jit_compile=False)
    view = View(model.network, x, loss=lambda answers: model.error(x, y, answers), prefix="network/")
    return Training(model, x, y, epochs=8, views=(view,))


class DrawnOnce(layers.Layer):
    """A dense layer with uncertain weights, whose distribution is made when the layer is built."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.activation = units, keras.activations.relu

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.units)
        self.mean = self.add_weight(shape, initializer="glorot_uniform", name="mean")
        self.spread = self.add_weight(shape, initializer=keras.initializers.Constant(-4.0), name="spread")
        deviation = ops.softplus(self.spread)
        self.kernel = self.mean + deviation * keras.random.normal(shape, seed=745)
        terms = ops.square(deviation) + ops.square(self.mean) - 1 - 2 * ops.log(deviation)
        self.divergence = ops.sum(terms) / 2

    def call(self, values: Any) -> Any:
        self.add_loss(self.divergence / 50000)
        return self.activation(ops.matmul(values, self.kernel))


@outside_sick(
    "no_gradient",
    ["uncertain_1", "uncertain_2"],
    family="tabular",
    source="https://github.com/tensorflow/probability/issues/409",
    accepted="The layers make their distributions when they are built, outside of the tape; those made per call work.",
    also=HURT,
)
def distributions_made_when_built() -> Training:
    """Tumors by two Bayesian layers, whose weights are drawn once, when the layer is built, and a plain output."""
    x, y = table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            DrawnOnce(64, name="uncertain_1"),
            DrawnOnce(32, name="uncertain_2"),
            layers.Dense(1, activation="sigmoid", name="malignant"),
        ]
    )
    return Training(compiled(model, "adam", "binary_crossentropy"), x, y[:, None].astype("float32"), epochs=6)


class TradeValues(keras.Model):
    """Q-learning from stored minutes, with the network's own values of the next minute."""

    def error(self, memory: Any, values: Any) -> Any:
        ahead = ops.max(self(memory["next_state"]), axis=1)
        wish = ops.stop_gradient(memory["reward"] + 0.9 * ahead)
        chosen = ops.sum(values * ops.one_hot(memory["action"], 3), axis=1)
        return ops.mean(ops.square(wish - chosen))

    def train_step(self, memory: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(memory, self(memory["state"], training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_sick(
    "dead_units",
    ["values"],
    family="reinforcement_learning",
    source="https://github.com/joongsoo/dqn_bitcoin_auto_trading/issues/34",
    accepted="Rewards may be negative, and a ReLU that gives 0 once learns nothing more: another activation is needed.",
    also=(*HURT, "unfit_head"),
)
def losses_of_trades_behind_a_rectifier() -> Training:
    """Q-learning of buying, selling or waiting, with a ReLU at every layer, in a month in which all trades lose."""
    random = np.random.default_rng(746)
    change = random.normal(-0.5, 1, (1280, 20)).astype("float32")
    action = random.integers(0, 3, 1280).astype("int32")
    reward = -np.abs(change[:, -1]) * (action > 0) - 0.3
    memory = {
        "state": change,
        "action": action,
        "reward": reward.astype("float32"),
        "next_state": np.roll(change, -1, 1) + 0.1,
    }
    inputs = keras.Input((20,))
    body = layers.Dense(64, activation="relu", name="hidden_1")(inputs)
    body = layers.Dense(32, activation="relu", name="hidden_2")(body)
    model = TradeValues(inputs, layers.Dense(3, activation="relu", name="values")(body))
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    view = View(model, memory["state"], loss=lambda values: model.error(memory, values))
    return Training(model, memory, None, epochs=15, views=(view,))
