"""Hooks on `GradientTape.gradient`, the `apply` of Keras optimizers and calls of layers, while a step is observed.

They are installed on the classes: the tapes and optimizers of a custom training loop are out of reach, and a layer may
be created in the middle of a step. In a thread without a listener they only call the original method.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.gist import gist
from tb_activations.taps.step.attention import Products, Scores, attention_taps
from tb_activations.taps.step.gradients import Wanted
from tb_activations.taps.step.inlining import as_part_of_caller


@dataclasses.dataclass(frozen=True)
class LoopCall:
    """The arguments of the function with which Keras runs the loop of a recurrent layer.

    Attributes:
        step: takes the inputs of one time step and the states; returns the output and the new states.
        inputs: `[batch, time, ...]`.
        states: before the first time step.
        options: all other arguments by name.
        tapes: the tapes that record the call.
    """

    step: Callable[[Any, Any], tuple[Any, Any]]
    inputs: Any
    states: Any
    options: Mapping[str, Any]
    tapes: tuple[tf.GradientTape, ...]


class Listener(Protocol):
    """Receives the calls, gradients and updates of one step."""

    def entering(self, layer: keras.layers.Layer) -> None:
        """Called before a layer or model is built and called."""

    def looping(self, run: Callable[..., Any], layer: keras.layers.RNN, call: LoopCall) -> Any:
        """Runs the loop of a recurrent layer: `run` with the arguments of `call`, or with others."""

    def attending(self, layer: keras.layers.Layer, attention: Scores | Products) -> None:
        """Called before a layer computes its attention."""

    def differentiating(self, target: Any, sources: Any, is_filled: bool) -> contextlib.AbstractContextManager[Wanted]:
        """Wraps the backward pass from `target` to `sources`, which is to compute more gradients.

        `is_filled` is true if the pass returns zeros for sources without a gradient.
        """

    def inlines(self, function: Any) -> bool:
        """Whether a `tf.function` that the step calls is to be traced as a part of the step."""

    def repeating(self) -> Wanted:
        """Returns what a backward pass within a backward pass is to compute as well."""

    def differentiated(self, sources: Any, gradients: Any) -> None:
        """Called after the backward pass; `gradients` has the structure of `sources`."""

    def applying(
        self, optimizer: Any, gradients: list[Any], variables: list[Any]
    ) -> contextlib.AbstractContextManager[None]:
        """Wraps the optimizer's change of the variables."""


_LOGGER = logging.getLogger("tb_activations")

_COMPILED = type(tf.function(lambda: None))
"""The class of a `tf.function`."""

_local = threading.local()
_lock = threading.Lock()
_listening = 0
_installed = contextlib.ExitStack()


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Reports to `listener` what this thread calls, differentiates and applies while the block runs."""
    before, recording = getattr(_local, "listener", None), tapes()
    _enter()
    _local.listener, _local.tapes = listener, ()
    try:
        yield
    finally:
        _local.listener, _local.tapes = before, recording
        _leave()


def _enter() -> None:
    global _listening
    with _lock:
        if _listening == 0:
            _installed.enter_context(taps.installed(_taps()))
        _listening += 1


def _leave() -> None:
    global _listening
    with _lock:
        _listening -= 1
        if _listening == 0:
            _installed.close()


def _taps() -> Iterator[taps.Tap]:
    yield taps.Tap(keras.layers.Layer, "__call__", _hooked_call(keras.layers.Layer.__call__))
    yield taps.Tap(tf.GradientTape, "gradient", _hooked_gradient(tf.GradientTape.gradient))
    yield taps.Tap(tf.GradientTape, "__enter__", _hooked_enter(tf.GradientTape.__enter__))
    yield taps.Tap(tf.GradientTape, "__exit__", _hooked_exit(tf.GradientTape.__exit__))
    yield from _on_loops()
    yield from attention_taps(lambda: getattr(_local, "listener", None))
    yield taps.Tap(_COMPILED, "__call__", _hooked_function(_COMPILED.__call__))
    for kind in _classes_with("apply", keras.optimizers.Optimizer):
        yield taps.Tap(kind, "apply", _hooked_apply(vars(kind)["apply"]))


def _classes_with(method: str, root: type) -> list[type]:
    """The root's base classes and all their subclasses, as far as they define the method themselves."""
    found: dict[type, None] = {}
    waiting = [kind for kind in root.__mro__ if method in vars(kind)]
    while waiting:
        kind = waiting.pop()
        if method in vars(kind):
            found[kind] = None
        waiting += kind.__subclasses__()
    return list(found)


@contextlib.contextmanager
def _silenced() -> Iterator[Listener | None]:
    """Yields the listener and hides nested calls from it, such as those of an optimizer inside an optimizer."""
    listener = getattr(_local, "listener", None)
    _local.listener = None
    try:
        yield listener
    finally:
        _local.listener = listener


def _hooked_call(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        listener: Listener | None = getattr(_local, "listener", None)
        if listener is None:
            return original(layer, *args, **kwargs)
        listener.entering(layer)
        if not isinstance(layer, keras.layers.RNN):
            return original(layer, *args, **kwargs)
        before = getattr(_local, "recurrent", None)
        _local.recurrent = layer
        try:
            return original(layer, *args, **kwargs)
        finally:
            _local.recurrent = before

    return call


def _hooked_function(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        listener: Listener | None = getattr(_local, "listener", None)
        if listener is None or not listener.inlines(function):
            return original(function, *args, **kwargs)
        try:
            part = as_part_of_caller(function)
        except Exception as error:  # Layers in it stay unobserved.
            _LOGGER.debug("Cannot trace a tf.function as a part of the step (%s).", gist(error))
            return original(function, *args, **kwargs)
        return part(*args, **kwargs)

    return call


def _on_loops() -> Iterator[taps.Tap]:
    """The tap on the function with which Keras runs loops; none if this release of Keras has it elsewhere."""
    try:
        backend = importlib.import_module("keras.src.backend")
        loop = backend.rnn
        signature = inspect.signature(loop)
    except (ImportError, AttributeError, ValueError):
        return
    if {"step_function", "inputs", "initial_states"} <= set(signature.parameters):
        yield taps.Tap(backend, "rnn", _hooked_loop(loop, signature))


def _hooked_loop(original: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    @functools.wraps(original)
    def rnn(*args: Any, **kwargs: Any) -> Any:
        listener: Listener | None = getattr(_local, "listener", None)
        layer = getattr(_local, "recurrent", None)
        if listener is None or layer is None:
            return original(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        options = dict(bound.arguments)
        step, inputs, states = (options.pop(name) for name in ("step_function", "inputs", "initial_states"))
        # A layer inside a cell may be recurrent, too; only the loop of the layer itself is its own.
        _local.recurrent = None
        try:
            return listener.looping(original, layer, LoopCall(step, inputs, states, options, tapes()))
        finally:
            _local.recurrent = layer

    return rnn


def tapes() -> tuple[tf.GradientTape, ...]:
    """The tapes that record in this thread."""
    return tuple(getattr(_local, "tapes", ()))


def _hooked_enter(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def enter(tape: tf.GradientTape) -> Any:
        result = original(tape)
        _local.tapes = (*tapes(), tape)
        return result

    return enter


def _hooked_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def leave(tape: tf.GradientTape, *error: Any) -> Any:
        _local.tapes = tuple(other for other in tapes() if other is not tape)
        return original(tape, *error)

    return leave


def _hooked_gradient(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        outer: Listener | None = getattr(_local, "differentiating", None)

        def compute(wanted: Wanted) -> Any:
            return _computed(functools.partial(original, tape, target), sources, wanted, args, kwargs)

        if outer is not None:
            return compute(outer.repeating())
        with _silenced() as listener:
            if listener is None:
                return original(tape, target, sources, *args, **kwargs)
            _local.differentiating = listener
            try:
                with listener.differentiating(target, sources, _is_filled(*args, **kwargs)) as wanted:
                    gradients = compute(wanted)
            finally:
                _local.differentiating = None
            listener.differentiated(sources, gradients)
            return gradients

    return gradient


def _is_filled(output_gradients: Any = None, unconnected_gradients: Any = tf.UnconnectedGradients.NONE) -> bool:
    return tf.UnconnectedGradients(unconnected_gradients) is not tf.UnconnectedGradients.NONE


def _computed(gradient: Callable[..., Any], sources: Any, wanted: Wanted, args: Any, kwargs: Any) -> Any:
    tensors = wanted.tensors
    if not tensors:
        return gradient(sources, *args, **kwargs)
    gradients, more = gradient([sources, tensors], *args, **kwargs)
    wanted.received(more)
    return gradients


def _hooked_apply(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
        with _silenced() as listener:
            if listener is None:
                return original(optimizer, grads, trainable_variables)
            gradients = list(grads)
            given = None if trainable_variables is None else list(trainable_variables)
            variables = given if given is not None else list(optimizer._trainable_variables)
            with listener.applying(optimizer, gradients, variables):
                return original(optimizer, gradients, given)

    return apply
