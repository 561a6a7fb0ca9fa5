"""Temporary replacements of methods on single objects, and what TensorFlow and Keras tell about a live tensor."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

_ABSENT = object()


@dataclasses.dataclass(frozen=True)
class Tap:
    """A method of one object or class, and its replacement while the tap is installed."""

    owner: Any
    method: str
    replacement: Callable[..., Any]


@contextlib.contextmanager
def installed(taps: Iterable[Tap]) -> Iterator[None]:
    """Installs the replacements, and always removes them after the block, last first.

    An owner that already had another replacement gets that one back.
    """
    with contextlib.ExitStack() as stack:
        for tap in taps:
            before = vars(tap.owner).get(tap.method, _ABSENT)
            # Bypasses Keras' `__setattr__`, which would track the function and reject it on a locked layer.
            _kind(tap.owner).__setattr__(tap.owner, tap.method, tap.replacement)
            stack.callback(_restore, tap, before)
        yield


def _restore(tap: Tap, before: Any) -> None:
    if before is _ABSENT:
        _kind(tap.owner).__delattr__(tap.owner, tap.method)
    else:
        _kind(tap.owner).__setattr__(tap.owner, tap.method, before)


def _kind(owner: Any) -> Any:
    return type if isinstance(owner, type) else object


def after(owner: Any, method: str, transform: Callable[[Any], Any]) -> Tap:
    """A tap that applies `transform` to the method's result."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return transform(original(*args, **kwargs))

    return Tap(owner, method, replacement)


def around(owner: Any, method: str, before: Callable[[Any, Any], Any], transform: Callable[[Any, Any], Any]) -> Tap:
    """A tap that applies `transform` to the method's result.

    `before` is called first, with the method's positional and keyword arguments. `transform` takes the result of
    `before` as its first argument and the method's result as its second.
    """
    original = getattr(owner, method)

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        token = before(args, kwargs)
        return transform(token, original(*args, **kwargs))

    return Tap(owner, method, replacement)


def map_first_float(outputs: Any, transform: Callable[[tf.Tensor], tf.Tensor]) -> Any:
    """`outputs` (a tensor, tuple, list, dict or nest of them) with its first floating-point tensor transformed.

    Symbolic, ragged and sparse values pass unchanged.
    """
    flat = keras.tree.flatten(outputs)
    for index, value in enumerate(flat):
        if isinstance(value, tf.Tensor) and value.dtype.is_floating:
            flat[index] = _keep_mask(value, transform(value))
            return keras.tree.pack_sequence_as(outputs, flat)
    return outputs


def _keep_mask(before: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
    mask = getattr(before, "_keras_mask", None)
    if mask is not None and now is not before:
        now._keras_mask = mask
    return now


def apart(value: tf.Tensor) -> tf.Tensor:
    """The same values as another tensor, from which Keras' cross entropy finds the same logits."""
    copy = tf.identity(value)
    found = logits(value)
    if found is not None:
        copy._keras_logits = found
    return copy


def see_gradient(value: tf.Tensor, on_gradient: Callable[[tf.Tensor], None]) -> tf.Tensor:
    """`value` of eager code as another tensor; `on_gradient` is called with every gradient computed at it.

    Softmax and sigmoid outputs carry their logits, from which Keras computes cross entropy instead; the
    gradient seen is then that with respect to the logits.
    """

    def identity(tensor: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(gradient: tf.Tensor) -> tf.Tensor:
            on_gradient(gradient)
            return gradient

        return tf.identity(tensor), backward

    # In a graph this would register `backward`, and what it refers to, for the rest of the process.
    tapped = tf.custom_gradient(identity)
    seen = tapped(value)
    found = logits(value)
    if found is not None:
        seen._keras_logits = tapped(found)
    return seen


def logits(value: tf.Tensor) -> tf.Tensor | None:
    """The logits that Keras' cross entropy would use instead of `value`: marked by Keras, or found in the graph."""
    marked = getattr(value, "_keras_logits", None)
    if marked is not None or isinstance(value, tf.__internal__.EagerTensor):
        return marked
    return value.op.inputs[0] if value.op.type in ("Softmax", "Sigmoid") else None


def is_recorded(value: tf.Tensor) -> bool:
    """Whether an active tape has recorded how `value` was computed; true if TensorFlow does not tell."""
    try:
        from tensorflow.python.eager.record import should_record_backprop
    except ImportError:
        return True
    return bool(should_record_backprop([value]))


def current_graph() -> Any:
    """Identifies the scope that live tensors belong to: the graph being traced, None in eager code."""
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def is_inferring_shapes() -> bool:
    """Whether Keras runs a layer only to learn the shapes that it returns; false if Keras does not tell."""
    try:
        from keras.src.backend.common.symbolic_scope import in_symbolic_scope
    except ImportError:
        return False
    return bool(in_symbolic_scope())
