"""Every model of `keras.applications` and backbones of `keras-hub`, with random weights: one observed training step."""

from __future__ import annotations

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_activations import Recorder, load

_SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71, "NASNetLarge": 331, "NASNetMobile": 224}
_DEFAULT_SIDE = 64


@dataclasses.dataclass(frozen=True)
class Architecture:
    """How to make a model and a batch for it."""

    source: str
    make: Callable[[], keras.Model]
    batch: Callable[[], Any]
    input: str


@dataclasses.dataclass(frozen=True)
class Observed:
    """Result of one step: layers with their own weights, the number with statistics, and weights with statistics."""

    source: str
    input: str
    parameters: int
    weighted: int
    weighted_observed: int
    trained: int
    failure: str


def observe_one_step(architecture: Architecture) -> Observed:
    """Trains one step on the sum of squares of all outputs, which sends a gradient everywhere."""
    keras.utils.set_random_seed(0)
    model, batch = architecture.make(), architecture.batch()
    optimizer = keras.optimizers.SGD(1e-3)
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("tb_activations").addHandler(handler)

    def step(data: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = [value for value in keras.tree.flatten(model(data, training=True)) if value.dtype.is_floating]
            loss = tf.add_n([tf.reduce_mean(tf.square(tf.cast(value, tf.float32))) for value in outputs])
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    with tempfile.TemporaryDirectory() as folder:
        with Recorder(folder, model, update_freq=1) as recorder:
            recorder.function(step)(batch)
        run = load(folder)
    weighted = {layer.name for layer in run.spec.layers if layer.parameters and not layer.call_site}
    unseen = {layer.name: layer.not_observed for layer in run.spec.layers if layer.not_observed}
    seen = weighted - set(unseen)
    norms = run.weight_stat("weight_norm")[0]
    unrecorded = sorted(f"{name}: {unseen[name]}" for name in weighted - seen)
    return Observed(
        architecture.source,
        architecture.input,
        model.count_params(),
        len(weighted),
        len(seen),
        int(np.isfinite(norms).sum()),
        "; ".join([log for log in warnings if "unobserved" in log or "cannot" in log] + unrecorded[:3]),
    )


def _application(name: str) -> Architecture:
    side = _SMALLEST.get(name, _DEFAULT_SIDE)
    make = functools.partial(getattr(keras.applications, name), weights=None, input_shape=(side, side, 3), classes=10)
    arguments: dict[str, Any] = {"classifier_activation": None}
    return Architecture(
        "keras.applications",
        functools.partial(make, **arguments),
        lambda: tf.random.Generator.from_seed(0).uniform([1, side, side, 3]),
        f"{side} x {side}",
    )


def _applications() -> dict[str, Architecture]:
    found = [name for name, value in vars(keras.applications).items() if name[0].isupper() and callable(value)]
    return {name: _application(name) for name in sorted(found)}


def _hub(name: str, batch: Mapping[str, Any] | Any, input: str, **arguments: Any) -> Architecture:
    def make() -> keras.Model:
        import keras_hub

        model: keras.Model = getattr(keras_hub.models, name)(**arguments)
        return model

    return Architecture("keras-hub", make, lambda: batch, input)


def _tokens() -> dict[str, Any]:
    ids = np.arange(2 * 12).reshape(2, 12) % 90 + 1
    return {"token_ids": ids.astype("int32"), "padding_mask": np.ones((2, 12), "int32")}


def _hubs() -> dict[str, Architecture]:
    tokens = _tokens()
    segments = tokens | {"segment_ids": np.zeros((2, 12), "int32")}
    transformer = {"vocabulary_size": 100, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
    image = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32")
    encoder_decoder = {
        "encoder_token_ids": tokens["token_ids"],
        "encoder_padding_mask": tokens["padding_mask"],
        "decoder_token_ids": tokens["token_ids"],
        "decoder_padding_mask": tokens["padding_mask"],
    }
    grouped = {
        "vocabulary_size": 100,
        "num_layers": 2,
        "num_query_heads": 4,
        "num_key_value_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
    }
    return {
        "BertBackbone": _hub("BertBackbone", segments, "12 tokens", max_sequence_length=12, **transformer),
        "GPT2Backbone": _hub("GPT2Backbone", tokens, "12 tokens", max_sequence_length=12, **transformer),
        "DistilBertBackbone": _hub("DistilBertBackbone", tokens, "12 tokens", max_sequence_length=12, **transformer),
        "LlamaBackbone": _hub("LlamaBackbone", tokens, "12 tokens", **grouped),
        "MistralBackbone": _hub("MistralBackbone", tokens, "12 tokens", **grouped),
        "GemmaBackbone": _hub("GemmaBackbone", tokens, "12 tokens", **grouped, head_dim=8),
        "T5Backbone": _hub("T5Backbone", encoder_decoder, "12 tokens", **transformer),
        "BartBackbone": _hub("BartBackbone", encoder_decoder, "12 tokens", max_sequence_length=12, **transformer),
        "ViTBackbone": _hub(
            "ViTBackbone",
            image,
            "32 x 32",
            image_shape=(32, 32, 3),
            patch_size=8,
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            mlp_dim=32,
        ),
        "ResNetBackbone": _hub(
            "ResNetBackbone",
            image,
            "32 x 32",
            input_conv_filters=[64],
            input_conv_kernel_sizes=[3],
            stackwise_num_filters=[64, 64],
            stackwise_num_blocks=[1, 1],
            stackwise_num_strides=[1, 2],
            block_type="basic_block",
            image_shape=(32, 32, 3),
        ),
    }


ARCHITECTURES: dict[str, Architecture] = _applications() | _hubs()
