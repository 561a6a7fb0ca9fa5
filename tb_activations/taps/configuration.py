"""What a layer or an optimizer was made with, in a few short values that can be compared."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_activations.records.specs import CUT, Config, ConfigValue
from tb_activations.taps.gist import gist

_LOGGER = logging.getLogger("tb_activations")

LONGEST = 300
"""Bytes of a configuration in JSON at most, without the mark that something was left out."""
_LONGEST_TEXT = 100
_MOST_NUMBERS = 8
_ELSEWHERE = frozenset(
    {"name", "dtype", "trainable", "batch_shape", "batch_input_shape", "build_config", "registered_name"}
)
"""What the run describes elsewhere, or what says nothing about the training."""
_MINOR = frozenset(
    {
        *("bias_initializer", "beta_initializer", "moving_mean_initializer", "moving_variance_initializer"),
        *("data_format", "dilation_rate", "groups", "seed", "zero_output_for_mask", "synchronized"),
        *("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "use_cudnn"),
        *("ema_momentum", "ema_overwrite_frequency", "use_ema"),
    }
)
"""What is left out first if there is no room for everything."""


def layer_configuration(layer: keras.layers.Layer) -> Config:
    """The configuration of a layer by the names of `get_config`: numbers, names, and objects such as initializers.

    An object is its name in snake case with its arguments, `random_normal(mean=0.0, stddev=0.05)`; a layer inside the
    layer is the name of its class. None, arrays, long texts and what the run describes elsewhere are left out. Of a
    configuration with more than `LONGEST` bytes, less important members are left out, and `CUT` is true.

    Empty for models, which consist of their layers, and for a layer whose `get_config` fails.
    """
    return {} if isinstance(layer, keras.Model) else _configuration(layer.get_config, layer.name)


def optimizer_configuration(optimizer: Any) -> Config:
    """The class of an optimizer as `class_name`, then its configuration as for a layer.

    A learning rate that is a number is left out, since each record has it. Of an optimizer around another one, such as
    for loss scaling, the configuration is that of the inner one, and `around` is the class of the outer one.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    whole = optimizer if inner is None else inner
    found = _configuration(lambda: _without_number(whole.get_config()), type(whole).__name__)
    around = {} if inner is None else {"around": type(optimizer).__name__}
    return {"class_name": type(whole).__name__, **around, **found}


def _without_number(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "learning_rate" or isinstance(value, Mapping)}


def _configuration(get_config: Callable[[], Mapping[str, Any]], owner: str) -> Config:
    try:
        # Within a graph, the value of a variable is unknown. Layers may warn of what cannot be saved.
        with tf.init_scope(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _within_bounds(dict(_members(get_config())))
    except Exception as error:  # A description must not stop the training.
        _LOGGER.debug("Layer health: the configuration of %s is left out (%s).", owner, gist(error))
        return {}


def _members(config: Mapping[str, Any]) -> Iterator[tuple[str, ConfigValue]]:
    for name, given in config.items():
        value = None if name in _ELSEWHERE else _value(given)
        if value is not None:
            yield str(name), value


def _within_bounds(members: Config) -> Config:
    ordered = sorted(members.items(), key=lambda member: member[0] in _MINOR)
    kept: dict[str, ConfigValue] = {}
    for name, value in ordered:
        if len(json.dumps({**kept, name: value})) <= LONGEST:
            kept[name] = value
    return kept if len(kept) == len(ordered) else {**kept, CUT: True}


def _value(given: Any) -> ConfigValue | None:
    """The value as it is recorded, None if it is left out."""
    given = given.item() if isinstance(given, np.generic) else given
    if isinstance(given, Mapping):
        return _object(given)
    if isinstance(given, list | tuple):
        # A vocabulary may have a million words.
        plain = tuple(_plain(item) for item in given[:_MOST_NUMBERS])
        kept = tuple(one for one in plain if one is not None)
        return kept if len(kept) == len(given) > 0 else None
    return _plain(given)


def _plain(given: Any) -> bool | int | float | str | None:
    if isinstance(given, float):
        return given if math.isfinite(given) else str(given)
    if isinstance(given, bool) or (isinstance(given, int) and abs(given) < 2**63):
        return given
    return given if isinstance(given, str) and len(given) <= _LONGEST_TEXT else None


def _object(given: Mapping[str, Any]) -> str | None:
    """What Keras serialized: an initializer, a regularizer, a function, a schedule, a layer."""
    kind, config = given.get("class_name"), given.get("config")
    if not isinstance(kind, str) or len(kind) > _LONGEST_TEXT:
        return None
    if isinstance(config, str) and kind == "function":
        return config[:_LONGEST_TEXT]
    if not isinstance(config, Mapping) or kind.startswith("__") or ("name" in config and "trainable" in config):
        return kind.strip("_")
    arguments = [
        f"{name}={_written(value)}" for name, value in config.items() if name != "name" and _value(value) is not None
    ]
    text = _snake(kind) + (f"({', '.join(arguments)})" if arguments else "")
    return text if len(text) <= _LONGEST_TEXT else _snake(kind)


def _written(value: Any) -> str:
    found = _value(value)
    return f"({', '.join(map(str, found))})" if isinstance(found, tuple) else str(found)


def _snake(kind: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", kind)).lower()
