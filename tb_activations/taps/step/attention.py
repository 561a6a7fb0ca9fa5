"""Attention as an observed step sees it: what a layer gives to the softmax over the keys.

A layer calls a `Softmax` layer, `keras.ops.softmax` or `keras.ops.dot_product_attention`. The arguments are only looked
at; the logits of a few queries are read, or computed again, next to the step.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import NamedLayer
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.attention import length_of, places, taken, unmasked
from tb_activations.taps.step.seen import SeenPart

_LOGGER = logging.getLogger("tb_activations")

HEADS = "heads"
"""Name of the part of an attention layer."""
MOST_HEADS = 512
"""An axis that is longer does not count heads."""
_NAME = "attention"
"""A layer whose class has this in its name is one of attention; other layers use a softmax for something else."""
_OWN = "_compute_attention"


@dataclasses.dataclass(frozen=True)
class Scores:
    """The argument of a softmax over keys.

    Attributes:
        value: `[batch, ..., heads, queries, keys]`; queries and keys may have several axes each.
        mask: boolean with the same or fewer axes, or axes of length 1; None without one.
        key_axes: number of axes of the keys.
    """

    value: tf.Tensor
    mask: tf.Tensor | None
    key_axes: int


@dataclasses.dataclass(frozen=True)
class Products:
    """The arguments of `dot_product_attention`.

    Attributes:
        query: `[batch, queries, heads, size]`.
        key: `[batch, keys, heads, size]`, with a divisor of the number of heads.
        bias, mask: `[batch, heads, queries, keys]`, or axes of length 1; None without one.
        scale: by which the products are multiplied; None for 1 / √size.
    """

    query: tf.Tensor
    key: tf.Tensor
    bias: tf.Tensor | None
    mask: tf.Tensor | None
    scale: Any
    is_causal: bool


@dataclasses.dataclass(eq=False, kw_only=True)
class SeenHeads(SeenPart):
    """The heads of one call of an attention layer; `value` is their logits, or the query."""

    attention: Scores | Products
    heads: int

    def logits(self) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Those of some queries, `[samples, heads, queries, keys]`, and their mask; None without one.

        Call it when the step is complete.
        """
        if isinstance(self.attention, Scores):
            return _of_scores(self.attention, self.heads)
        return _of_products(self.attention)

    def release(self) -> None:
        """Drops the tensors, which an eager step would otherwise keep in memory."""
        nothing = tf.zeros([0])
        self.value, self.attention = nothing, Scores(nothing, None, 0)


def seen_heads(entry: NamedLayer, attention: Scores | Products, number: int) -> SeenHeads | None:
    """The heads of a call of this layer; None if their number is unknown."""
    layer, value = entry.layer, attention.query if isinstance(attention, Products) else attention.value
    count = value.shape[2] if isinstance(attention, Products) else _head_count(layer, attention)
    if not count or count > MOST_HEADS:
        return None
    return SeenHeads(
        entry=entry,
        value=value,
        models=frozenset(),
        layer=entry.name,
        part=HEADS,
        class_name="AttentionHeads",
        activation=None,
        is_gate=False,
        number=number,
        attention=attention,
        heads=count,
    )


def _head_count(layer: keras.layers.Layer, scores: Scores) -> int | None:
    shape = scores.value.shape
    axes = shape[1 : shape.rank - 2 * scores.key_axes]
    if axes and hasattr(layer, "_attention_axes"):
        # Axes over which attention does not go stand before the heads.
        axes = axes[-1:]
    return None if None in axes else math.prod(axes)


def _of_scores(scores: Scores, heads: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    value, mask, rank = tf.stop_gradient(aside(scores.value)), scores.mask, scores.value.shape.rank
    if mask is not None:
        mask = mask if mask.dtype == tf.bool else tf.cast(mask, tf.float32) > 0.5
        mask = tf.reshape(mask, tf.concat([tf.ones([rank - mask.shape.rank], tf.int32), tf.shape(mask)], 0))
    if rank != 4 or scores.key_axes != 1 or value.shape[1] != heads:
        mask = None if mask is None else _four_axes(tf.broadcast_to(mask, tf.shape(value)), scores.key_axes, heads)
        value = _four_axes(value, scores.key_axes, heads)
    at = places(length_of(value, 0), length_of(value, 2))
    value = taken(taken(value, at.rows, 0), at.queries, 2)
    return value, unmasked(value) if mask is None else taken(taken(mask, at.rows, 0), at.queries, 2)


def _four_axes(value: tf.Tensor, key_axes: int, heads: int) -> tf.Tensor:
    shape = tf.shape(value)
    queries, keys = shape[-2 * key_axes : -key_axes], shape[-key_axes:]
    return tf.reshape(value, tf.stack([-1, heads, tf.reduce_prod(queries), tf.reduce_prod(keys)]))


def _of_products(given: Products) -> tuple[tf.Tensor, tf.Tensor | None]:
    query, key = (tf.stop_gradient(aside(value)) for value in (given.query, given.key))
    at = places(length_of(query, 0), length_of(query, 1))
    query, key = taken(taken(query, at.rows, 0), at.queries, 1), taken(key, at.rows, 0)
    if query.shape[2] != key.shape[2]:
        key = tf.repeat(key, query.shape[2] // key.shape[2], axis=2)
    # In the precision of the layer: what overflows there must be seen.
    logits = tf.cast(tf.einsum("btnh,bsnh->bnts", query, key), tf.float32)
    size = tf.cast(tf.shape(key)[-1], tf.float32)
    logits *= tf.math.rsqrt(size) if given.scale is None else tf.cast(given.scale, tf.float32)
    if given.bias is not None:
        bias = tf.stop_gradient(tf.convert_to_tensor(given.bias))
        logits += tf.cast(taken(taken(bias, at.rows, 0), at.queries, 2), tf.float32)
    mask = None if given.bias is None else unmasked(logits)
    if given.mask is not None:
        mask = taken(taken(tf.cast(given.mask, tf.bool), at.rows, 0), at.queries, 2)
    if given.is_causal:
        before = at.queries[None, None, :, None] >= tf.range(tf.shape(key)[1])[None, None, None, :]
        mask = before if mask is None else mask & before
    return logits, mask


class Listener(Protocol):
    """Learns of attention."""

    def attending(self, layer: keras.layers.Layer, attention: Scores | Products) -> None:
        """Called before a layer computes its attention."""


_local = threading.local()


def attention_taps(listener: Callable[[], Listener | None]) -> Iterator[taps.Tap]:
    """Taps that show attention to `listener()`; none for what this release of Keras has elsewhere."""
    original = keras.layers.Layer.__call__
    yield taps.Tap(keras.layers.Layer, "__call__", _hooked_call(original, listener))
    with contextlib.suppress(ImportError, AttributeError, ValueError):
        functions = importlib.import_module("keras.src.backend").nn
        yield from _on_function(functions, "softmax", ("x", "axis"), _scores_of_function, listener)
        arguments = ("query", "key", "bias", "mask", "scale", "is_causal")
        yield from _on_function(functions, "dot_product_attention", arguments, _products, listener)


def _hooked_call(original: Callable[..., Any], listener: Callable[[], Listener | None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        receiver = listener()
        if receiver is None:
            return original(layer, *args, **kwargs)
        outer: keras.layers.Layer | None = getattr(_local, "layer", None)
        if isinstance(layer, keras.layers.Softmax) and outer is not None:
            _tell(receiver, outer, lambda: _scores_of_layer(layer, *args, **kwargs))
        _local.layer = layer
        try:
            return original(layer, *args, **kwargs)
        finally:
            _local.layer = outer

    return call


def _on_function(
    owner: Any,
    name: str,
    needed: Sequence[str],
    attention: Callable[..., Scores | Products | None],
    listener: Callable[[], Listener | None],
) -> Iterator[taps.Tap]:
    original = getattr(owner, name)
    signature = inspect.signature(original)
    if not set(needed) <= set(signature.parameters):
        return

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        receiver, layer = listener(), getattr(_local, "layer", None)
        if receiver is not None and layer is not None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            _tell(receiver, layer, lambda: attention(*(bound.arguments[name] for name in needed)))
        return original(*args, **kwargs)

    yield taps.Tap(owner, name, function)


def _tell(receiver: Listener, layer: keras.layers.Layer, attention: Callable[[], Scores | Products | None]) -> None:
    try:
        found = attention()
        if isinstance(found, Products) or (found is not None and _is_attention(layer)):
            receiver.attending(layer, found)
    except Exception as error:  # A missing statistic must not stop the training.
        _LOGGER.debug("Cannot observe the attention of layer %r (%s).", layer.name, gist(error))


def _is_attention(layer: keras.layers.Layer) -> bool:
    return _NAME in type(layer).__name__.lower() or hasattr(layer, _OWN)


def _scores_of_layer(layer: keras.layers.Softmax, inputs: Any, mask: Any = None, **_: Any) -> Scores | None:
    return _scores(inputs, layer.axis, None if mask is None else tf.convert_to_tensor(mask))


def _scores_of_function(x: Any, axis: Any) -> Scores | None:
    return _scores(x, axis, None)


def _scores(value: Any, axis: Any, mask: tf.Tensor | None) -> Scores | None:
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating or value.shape.rank is None or axis is None:
        return None
    rank = value.shape.rank
    axes = sorted(one % rank for one in (axis if isinstance(axis, list | tuple) else [axis]))
    is_over_keys = axes == list(range(rank - len(axes), rank)) and rank > 2 * len(axes)
    return Scores(value, mask, len(axes)) if is_over_keys else None


def _products(query: Any, key: Any, bias: Any, mask: Any, scale: Any, is_causal: Any) -> Products | None:
    tensors = (query, key)
    if not all(isinstance(one, tf.Tensor) and one.dtype.is_floating and one.shape.rank == 4 for one in tensors):
        return None
    return Products(query, key, bias, mask, scale, bool(is_causal))
