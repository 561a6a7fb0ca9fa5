"""Programs in which gradients are cut, rounded away or never applied."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, words
from benchmarks.cases.networks import compiled

RESTING = ("stagnant_weights", "vanishing_gradient", "collapsed_layer", "no_gradient")
"""What goes with weights that are not trained."""


def rings(count: int = 400, nodes: int = 12) -> tuple[dict[str, Array], Array]:
    """Graphs of twelve nodes, edges divided by degrees, and whether marked nodes are rather linked to each other."""
    random = np.random.default_rng(620)
    y = random.integers(0, 2, count)
    marks = random.random((count, nodes)) < 0.5
    same = marks[:, :, None] == marks[:, None]
    edges = random.random((count, nodes, nodes)) < np.where(same == (y[:, None, None] == 1), 0.45, 0.1)
    edges = edges | edges.transpose(0, 2, 1) | np.eye(nodes, dtype=bool)
    features = np.concatenate([marks[..., None], random.normal(size=(count, nodes, 3))], -1)
    x = {"nodes": features, "edges": edges / edges.sum(-1, keepdims=True)}
    return {name: value.astype("float32") for name, value in x.items()}, y.astype("float32")[:, None]


def best_nodes(parts: Any) -> Any:
    """The six nodes with the highest ranks."""
    nodes, rank = parts
    _, chosen = ops.top_k(rank[..., 0], 6)
    return ops.take_along_axis(nodes, ops.expand_dims(chosen, -1), 1)


@outside_sick(
    "no_gradient",
    ["rank"],
    family="graphs",
    source="https://github.com/HongyangGao/Graph-U-Nets/issues/4",
    accepted="The gate is missing that multiplies features by their scores, so the projection cannot be trained.",
    also=RESTING,
)
def nodes_kept_by_their_rank() -> Training:
    """Half of the nodes of a graph are kept, those that a layer ranks highest, between two graph convolutions."""
    x, y = rings()
    nodes, edges = layers.Input((12, 4), name="nodes"), layers.Input((12, 12), name="edges")
    body = layers.Dot((2, 1), name="around")([edges, nodes])
    body = layers.Dense(24, activation="relu", name="graph_conv")(layers.Concatenate(name="with_self")([nodes, body]))
    rank = layers.Dense(1, use_bias=False, name="rank")(body)
    body = layers.Lambda(best_nodes, name="top_nodes")([body, rank])
    body = layers.Dense(24, activation="relu", name="after_pooling")(body)
    body = layers.GlobalAveragePooling1D(name="readout")(body)
    model = keras.Model({"nodes": nodes, "edges": edges}, layers.Dense(1, activation="sigmoid", name="kind")(body))
    compiled(model, keras.optimizers.AdamW(0.003), "binary_crossentropy")
    return Training(model, x, y, epochs=8)


class LearnedThreshold(layers.Layer):
    """One where the input is above a threshold that is to be learned, and zero elsewhere."""

    def build(self, shape: Any) -> None:
        self.threshold = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(0.05), name="threshold")

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs > self.threshold, "float32")


@outside_sick(
    "no_gradient",
    ["threshold"],
    family="vision",
    source="https://github.com/Hiyuur/SR-TOD/issues/5",
    accepted="A mask of zeros and ones has no gradient, so the learnable threshold that makes it is never updated.",
    also=RESTING,
)
def threshold_of_a_difference_map() -> Training:
    """What a small network cannot rebuild in a picture is marked, from a learned threshold on, to classify it."""
    x, y = digits(640)
    picture = layers.Input((8, 8, 1))
    features = layers.Conv2D(16, 3, padding="same", activation="relu", name="features")(picture)
    rebuilt = layers.Conv2D(4, 3, padding="same", activation="relu", name="squeeze")(features)
    rebuilt = layers.Conv2D(1, 3, padding="same", name="rebuilt")(rebuilt)
    gap = layers.Lambda(lambda pair: ops.abs(pair[0] - pair[1]), name="difference")([picture, rebuilt])
    mask = LearnedThreshold(name="threshold")(gap)
    marked = layers.Lambda(lambda pair: pair[0] * (1 + pair[1]), name="marked")([features, mask])
    body = layers.Conv2D(16, 3, strides=2, activation="relu", name="neck")(marked)
    body = layers.Flatten(name="flatten")(body)
    outputs = {"rebuilt": rebuilt, "digit": layers.Dense(10, activation="softmax", name="digit")(body)}
    model = keras.Model(picture, outputs)
    compiled(model, "adam", {"rebuilt": "mse", "digit": "sparse_categorical_crossentropy"})
    return Training(model, x[..., None], {"rebuilt": x[..., None], "digit": y}, epochs=6)


def median_in_numpy(sounds: Array) -> Array:
    """Running median over five steps, to remove clicks."""
    padded = np.pad(sounds, ((0, 0), (2, 2), (0, 0)), mode="edge")
    windows = np.stack([padded[:, shift : shift + sounds.shape[1]] for shift in range(5)])
    return np.asarray(np.median(windows, axis=0), "float32")


class MedianFilter(layers.Layer):
    """The running median, computed by NumPy."""

    def call(self, inputs: Any) -> Any:
        filtered = tf.numpy_function(median_in_numpy, [inputs], tf.float32, stateful=False)
        return tf.ensure_shape(filtered, inputs.shape)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def clicks(count: int = 384, length: int = 32) -> tuple[Array, Array]:
    """Tones of four pitches with clicks, and which pitch."""
    random = np.random.default_rng(622)
    y = random.integers(0, 4, count)
    x = np.sin(np.arange(length) * (0.2 + 0.15 * y[:, None]) + random.uniform(0, 6, (count, 1)))
    x += 3 * (random.random(x.shape) < 0.05) + random.normal(0, 0.1, x.shape)
    return x.astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "no_gradient",
    ["filters"],
    family="audio",
    source="https://github.com/tensorflow/tensorflow/issues/1095",
    accepted="A Python function in the graph has no gradient unless one is defined for it.",
    also=RESTING,
)
def median_filter_in_numpy() -> Training:
    """Tones by a learned bank of filters whose outputs pass a running median that is written in NumPy."""
    x, y = clicks()
    model = keras.Sequential(
        [
            layers.Input((32, 1)),
            layers.Conv1D(12, 5, padding="same", name="filters"),
            MedianFilter(name="median"),
            layers.Conv1D(16, 5, strides=2, activation="relu", name="conv"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(4, name="pitch"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Nadam(0.003)), x, y, epochs=8)


@outside_sick(
    "stagnant_weights",
    ["embedding", "attention", "feed_forward", "sentiment"],
    family="text",
    source="https://github.com/huggingface/transformers/issues/2995",
    accepted="There are fewer batches than gradients to accumulate, so the optimizer never takes a step.",
    also=("no_learning", "learning_rate"),
)
def more_to_accumulate_than_batches() -> Training:
    """Sentiment of short texts by one block of attention; an update is due after 200 batches, of which there are 96."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 16, name="embedding")(inputs)
    seen = layers.MultiHeadAttention(2, 8, name="attention")(body, body)
    body = layers.LayerNormalization(name="norm")(layers.Add(name="residual")([body, seen]))
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    body = layers.Dense(16, activation="gelu", name="feed_forward")(body)
    model = keras.Model(inputs, layers.Dense(2, name="sentiment")(body))
    optimizer = keras.optimizers.AdamW(0.001, weight_decay=0.01, gradient_accumulation_steps=200)
    return Training(compiled(model, optimizer), x, y, epochs=6)


@outside_sick(
    "stagnant_weights",
    ["conv", "conv_norm", "dense", "dense_norm"],
    family="vision",
    source="https://github.com/microsoft/CNTK/issues/905",
    accepted="Batch normalization needs a reasonably large batch for its statistics; of one sample there are none.",
    also=RESTING,
)
def normalized_one_by_one() -> Training:
    """The example with batch normalization after a convolution and a dense layer, with one picture at a time."""
    x, y = digits(256)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="conv_norm"),
            layers.ReLU(name="conv_relu"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, use_bias=False, name="dense"),
            layers.BatchNormalization(name="dense_norm"),
            layers.ReLU(name="dense_relu"),
            layers.Dense(10, name="digits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.005, momentum=0.9)), x[..., None], y, epochs=3, batch_size=1)


@outside_sick(
    "stagnant_weights",
    ["rays_1", "rays"],
    family="vision",
    source="https://github.com/engichang1467/Open-Rig3R/issues/35",
    accepted="Without loss scaling small gradients of the bounded cosine terms are rounded to zero in float16.",
    also=("vanishing_gradient", "no_gradient"),
)
def rays_without_loss_scaling() -> Training:
    """Depth in meters and the direction of each ray, a cosine of little weight, in float16 without loss scaling."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    x = photo_patches(320, 16)
    depth = 4 + 10 * x.mean(-1, keepdims=True)
    way = np.stack(np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16)), -1)[None] + 0.3 * x[..., :2]
    rays = np.concatenate([way, np.ones((320, 16, 16, 1))], -1).astype("float32")
    inputs = layers.Input((16, 16, 3))
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="body_1")(inputs)
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="body_2")(body)
    side = layers.Conv2D(8, 3, padding="same", activation="relu", name="rays_1")(body)
    outputs = {"depth": layers.Conv2D(1, 1, name="depth")(body), "rays": layers.Conv2D(3, 1, name="rays")(side)}
    model = keras.Model(inputs, outputs)
    loss = {"depth": "mse", "rays": keras.losses.CosineSimilarity()}
    weights = {"depth": 1.0, "rays": 1e-4}
    compiled(model, keras.optimizers.SGD(0.002), loss, loss_weights=weights, auto_scale_loss=False)
    return Training(model, x, {"depth": depth, "rays": rays}, epochs=6, constant_loss=UNKNOWN)
