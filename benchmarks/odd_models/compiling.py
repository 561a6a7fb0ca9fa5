"""Optimizers, losses, and the arguments of `compile` of a description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import optimizers

from benchmarks.odd_models.description import Description

_OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": optimizers.SGD,
    "momentum": lambda rate, **more: optimizers.SGD(rate, momentum=0.9, nesterov=True, **more),
    "adam": lambda rate, **more: optimizers.Adam(rate, amsgrad=True, **more),
    "adamw": optimizers.AdamW,
    "rmsprop": lambda rate, **more: optimizers.RMSprop(rate, momentum=0.5, **more),
    "lion": optimizers.Lion,
    "adafactor": optimizers.Adafactor,
    "nadam": optimizers.Nadam,
    "adagrad": optimizers.Adagrad,
    "ftrl": optimizers.Ftrl,
    "muon": optimizers.Muon,
}
_EXTRAS: dict[str, dict[str, Any]] = {
    "clipnorm": {"clipnorm": 0.1},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.05},
    "ema": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 2},
    "weight_decay": {"weight_decay": 1e-3},
}


def make_optimizer(described: Description) -> Any:
    """A new optimizer."""
    rate: Any = 0.01
    if described.extra == "schedule":
        rate = optimizers.schedules.CosineDecay(0.01, 20)
    optimizer = _OPTIMIZERS[described.optimizer](rate, **_EXTRAS.get(described.extra, {}))
    return optimizers.LossScaleOptimizer(optimizer) if described.extra == "loss_scale" else optimizer


def make_loss(described: Description) -> Any:
    """A loss, as `compile` takes it, for one output."""
    if described.loss == "function":
        return _squares if described.is_regression else _entropy
    if described.is_regression:
        return "mse" if described.loss == "name" else keras.losses.Huber()
    if described.loss == "name":
        return "sparse_categorical_crossentropy"
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compile_model(model: Any, described: Description) -> None:
    """Compiles, or recompiles with a new optimizer, without XLA."""
    loss: Any = make_loss(described)
    if described.structure.endswith("_outputs"):
        loss = [loss, "mae"]
    arguments: dict[str, Any] = {"jit_compile": False}
    if described.way == "eager":
        arguments["run_eagerly"] = True
    if described.way == "steps_per_execution":
        arguments["steps_per_execution"] = 3
    if described.loss == "weighted_metrics" and not described.structure.endswith("_outputs"):
        arguments |= {"metrics": ["mae"] if described.is_regression else ["accuracy"], "weighted_metrics": []}
    model.compile(optimizer=_compiled_optimizer(model, described), loss=loss, **arguments)


def _compiled_optimizer(model: Any, described: Description) -> Any:
    if described.step in ("two_optimizers", "own_optimizer", "critic"):
        model.own = make_optimizer(described)
        model.other = keras.optimizers.Adam(3e-3)
        return None if described.step == "own_optimizer" else "rmsprop"
    if described.step == "by_hand":
        return None if described.seed % 2 else "sgd"
    return make_optimizer(described)


def _squares(y: Any, predicted: Any) -> Any:
    return keras.ops.mean(keras.ops.square(keras.ops.cast(y, predicted.dtype) - predicted), axis=-1)


def _entropy(y: Any, predicted: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(y, predicted, from_logits=True)
