"""The ways to train: how a model is compiled, with which optimizer, policy and strategy."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way to train.

    Attributes:
        compiled: arguments of `compile`.
        optimizer: makes the optimizer.
        policy: dtype policy under which the model is made.
        prepare: called once in a separate process before TensorFlow does anything.
        scope: the scope under which the model is made.
        is_loop: whether a custom loop with `Recorder` trains instead of `fit`.
        is_exact: whether weights with and without observing must be bit-identical.
    """

    compiled: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    optimizer: Callable[[], Any] = keras.optimizers.Adam
    policy: str = "float32"
    prepare: Callable[[], None] = lambda: None
    scope: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    is_loop: bool = False
    is_exact: bool = True


def _two_devices() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@functools.cache
def _strategy() -> tf.distribute.Strategy:
    # One per process: the collectives of a second one would have the same numbers as those of the first.
    return tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"])


def _mirrored() -> contextlib.AbstractContextManager[Any]:
    scope: contextlib.AbstractContextManager[Any] = _strategy().scope()
    return scope


def _scaled() -> Any:
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())


MODES: dict[str, Mode] = {
    "XLA off": Mode({"jit_compile": False}),
    "XLA auto": Mode({"jit_compile": "auto"}),
    "XLA on": Mode({"jit_compile": True}, is_exact=False),
    "eager": Mode({"run_eagerly": True}),
    "2 steps an execution": Mode({"jit_compile": False, "steps_per_execution": 2}),
    "mixed_float16": Mode({"jit_compile": False}, policy="mixed_float16"),
    "mixed_bfloat16, loss scale": Mode({"jit_compile": False}, optimizer=_scaled, policy="mixed_bfloat16"),
    "gradient accumulation": Mode({"jit_compile": False}, lambda: keras.optimizers.Adam(gradient_accumulation_steps=2)),
    "clipping": Mode({"jit_compile": False}, lambda: keras.optimizers.Adam(global_clipnorm=0.1)),
    "EMA": Mode({"jit_compile": False}, lambda: keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=2)),
    "op determinism": Mode({"jit_compile": False}, prepare=lambda: tf.config.experimental.enable_op_determinism()),
    "MirroredStrategy, 2 devices": Mode({"jit_compile": False}, prepare=_two_devices, scope=_mirrored),
    "custom loop": Mode(is_loop=True),
    "custom loop, XLA on": Mode({"jit_compile": True}, is_loop=True, is_exact=False),
}
