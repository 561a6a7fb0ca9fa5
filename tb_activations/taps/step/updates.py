"""Observes how one step trains the weights: gradients of the loss, calls of optimizers, and weight changes."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.finder import LayerFinder
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import weight_key
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.later import items
from tb_activations.taps.numbers.layout import Weight
from tb_activations.taps.numbers.weights import Before, before, updated
from tb_activations.taps.step.gradients import Wanted
from tb_activations.taps.step.hooks import LoopCall
from tb_activations.taps.step.inlining import is_plain
from tb_activations.taps.step.moments import clipping_of, count_of_updates, moments_of
from tb_activations.taps.step.observation import Observation
from tb_activations.taps.step.replicas import Reduced

_LOGGER = logging.getLogger("tb_activations")


@dataclasses.dataclass(frozen=True)
class Owners:
    """The owners of weights by `weight_key`: `layers` names a weight's layer, `models` the models that hold it."""

    layers: Mapping[int, str]
    models: Mapping[int, frozenset[str]]

    @classmethod
    def now(cls, finder: LayerFinder) -> Owners:
        """The owners of all weights that exist now; layers create theirs when they are first called."""
        finder.look()
        return cls(finder.owners(), finder.models_of_weights())

    def weight(self, variable: Any, has_gradient: bool) -> Weight:
        """The description of a weight in the run."""
        layer = self.layers.get(weight_key(variable), "")
        name = f"{layer}/{variable.name}" if layer else getattr(variable, "path", variable.name)
        return Weight(name, layer, tuple(variable.shape), has_gradient)

    def models_of(self, variables: Sequence[Any]) -> frozenset[str]:
        """The models that hold one of these."""
        return frozenset().union(*(self.models.get(weight_key(variable), frozenset()) for variable in variables))


@dataclasses.dataclass(frozen=True)
class _ByHand:
    """A weight with its gradient, and its value when the gradient was computed."""

    variable: Any
    gradient: Any
    value: tf.Tensor


class Updates:
    """Reports to an observation every weight that the step trains, through an optimizer or by hand."""

    def __init__(
        self, observation: Observation, finder: LayerFinder, enter: Callable[[keras.layers.Layer], None]
    ) -> None:
        """`enter` is called before a layer is called."""
        self._observation = observation
        self._finder = finder
        self._owners = Owners.now(finder)
        self._by_hand: dict[int, _ByHand] = {}
        self._in_branches: set[int] = set()
        self.entering = enter
        self.attending = observation.see_attention

    @contextlib.contextmanager
    def differentiating(self, target: Any, sources: Any, is_filled: bool) -> Iterator[Wanted]:
        """Wraps a backward pass; gradients at layers count only if `sources` has weights of the layers' model."""
        variables = [source for source in keras.tree.flatten(sources) if _is_variable(source)]
        self._know(variables)
        models = self._owners.models_of(variables)
        flat = keras.tree.flatten(sources)
        with self._observation.differentiating(target, models, flat, is_filled=is_filled) as wanted:
            yield wanted

    def looping(self, run: Callable[..., Any], layer: keras.layers.RNN, call: LoopCall) -> Any:
        """Runs the loop of a recurrent layer."""
        return self._observation.see_loop(run, layer, call)

    def inlines(self, function: Any) -> bool:
        """Whether a `tf.function` is to be traced as a part of the step: values cannot leave it otherwise."""
        return self._observation.is_traced_here() and is_plain(function)

    def repeating(self) -> Wanted:
        """What a backward pass within a backward pass is to compute as well."""
        return self._observation.repeated()

    def differentiated(self, sources: Any, gradients: Any) -> None:
        """Keeps the gradients of weights until the step ends, in case no optimizer receives them."""
        if not self._observation.is_here():
            return
        with _only_logged("gradients"):
            flat = _flat_like(sources, gradients)
            for variable, gradient in zip(keras.tree.flatten(sources), flat, strict=True):
                key = weight_key(variable)
                if key in self._owners.models:
                    kept = self._by_hand.get(key)
                    value = kept.value if kept else tf.convert_to_tensor(variable)
                    self._by_hand[key] = _ByHand(variable, gradient, value)

    @contextlib.contextmanager
    def applying(self, optimizer: Any, gradients: list[Any], variables: list[Any]) -> Iterator[None]:
        """Wraps the optimizer's update: looks at the weights before and after it."""
        if not self._observation.is_here():
            # Where gradients are accumulated by hand, most steps do not take the branch.
            self._in_branches |= set(map(weight_key, variables))
            yield
            return
        held: list[Before] = []
        count: tf.Tensor | None = None
        reduced = Reduced()
        with _only_logged("weights"):
            self._know(variables)
            _see_optimizer(self._observation, optimizer)
            held += before([tf.convert_to_tensor(one) for one in variables], moments_of(optimizer, variables))
            count = count_of_updates(optimizer)
        with reduced.applying(optimizer):
            yield
        with _only_logged("weights"):
            is_applied = None if count is None else tf.not_equal(count_of_updates(optimizer), count)
            self._see(gradients, variables, held, reduced, is_applied)
            for variable in variables:
                self._by_hand.pop(weight_key(variable), None)

    def finish(self) -> None:
        """Reports the weights with a gradient that no optimizer received: the step may have changed them by hand."""
        for is_in_branch in (False, True):
            left = [entry for key, entry in self._by_hand.items() if (key in self._in_branches) == is_in_branch]
            if left:
                with _only_logged("weights"):
                    gradients, variables = [entry.gradient for entry in left], [entry.variable for entry in left]
                    held = before([entry.value for entry in left])
                    self._see(gradients, variables, held, Reduced(), is_in_branch=is_in_branch)

    def _know(self, variables: Sequence[Any]) -> None:
        """Looks the owners up again if one of these weights is new."""
        if any(weight_key(variable) not in self._owners.models for variable in variables):
            self._owners = Owners.now(self._finder)

    def _see(
        self,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        held: Sequence[Before],
        reduced: Reduced,
        is_applied: tf.Tensor | None = None,
        *,
        is_in_branch: bool = False,
    ) -> None:
        dense = reduced.of([None if g is None else aside(tf.convert_to_tensor(g)) for g in gradients])
        after = [tf.convert_to_tensor(variable) for variable in variables]
        values = items(self._observation.measure(updated, held, dense, after, is_applied, is_in_branch), len(after))
        for variable, gradient, own in zip(variables, dense, values, strict=True):
            spec = self._owners.weight(variable, gradient is not None)
            self._observation.see_weight(weight_key(variable), spec, own, variable)


@contextlib.contextmanager
def _only_logged(what: str) -> Iterator[None]:
    """Logs errors instead of raising them: a failing observation must not stop the training step."""
    try:
        yield
    except Exception as error:
        _LOGGER.warning("Layer health: cannot observe %s in this step (%s).", what, gist(error))


def _is_variable(value: Any) -> bool:
    return isinstance(value, keras.Variable | tf.Variable)


def _flat_like(sources: Any, gradients: Any) -> list[Any]:
    """Gradients in the order of the flattened sources; None marks a missing gradient and is kept."""
    if _is_variable(sources):
        return [gradients]
    return list(tf.nest.flatten(gradients, expand_composites=False))


def _see_optimizer(observation: Observation, optimizer: keras.optimizers.Optimizer) -> None:
    observation.rates.see(optimizer, tf.cast(tf.convert_to_tensor(optimizer.learning_rate), tf.float32))
    observation.clipping = clipping_of(optimizer)
    observation.optimizer = optimizer
    observation.loss_scale = tf.cast(tf.convert_to_tensor(optimizer.scale_loss(1.0)), tf.float32)
