"""Collects the observed values of one traced step and packs them into the vectors that leave it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.configuration import optimizer_configuration
from tb_activations.taps.finder import LayerFinder
from tb_activations.taps.functions.eager import Waiting
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import NamedLayer, is_moving
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.later import Measure, now
from tb_activations.taps.numbers.layout import Layout, Weight
from tb_activations.taps.owners import by_innermost, innermost
from tb_activations.taps.step import gradients
from tb_activations.taps.step.attention import HEADS, Products, Scores, seen_heads
from tb_activations.taps.step.hooks import LoopCall
from tb_activations.taps.step.inside import Inside
from tb_activations.taps.step.loops import Loop, cells_of
from tb_activations.taps.step.moments import Clipping
from tb_activations.taps.step.packing import Packing
from tb_activations.taps.step.rates import Rates
from tb_activations.taps.step.results import Results
from tb_activations.taps.step.seen import Begun, Seen, SeenCall, SeenPart, floats
from tb_activations.taps.step.step_data import StepData
from tb_activations.taps.step.unobserved import unobserved
from tb_activations.taps.step.wiring import Wiring

_LOGGER = logging.getLogger("tb_activations")
_NO_FLOATS = "its output has no floating-point tensor"


@dataclasses.dataclass(frozen=True)
class Options:
    """What an observed step returns in addition to the statistics."""

    with_histograms: bool
    with_maps: bool


class Observation:
    """Collects the live statistics of one step; valid only in the graph (or eager call) in which it was created."""

    def __init__(
        self,
        finder: LayerFinder,
        options: Options,
        with_histograms: tf.Tensor,
        known_reasons: dict[str, str],
        measure: Measure = now,
    ) -> None:
        """Creates an observation of nothing yet.

        `known_reasons` holds why layers could not be observed in earlier steps; this step adds its own reasons. They
        are kept across steps because a function traced in an earlier step is not traced again.

        `measure` calls the functions that compute statistics, now or after the step.
        """
        self.measure = measure
        self._finder = finder
        self._known_reasons = known_reasons
        self._targets: list[Any] = []
        self._losses: list[tf.Tensor] = []
        self._differentiated: tuple[int, frozenset[str]] | None = None
        self._options = options
        self._graph = taps.current_graph()
        self._wiring = Wiring()
        self._calls: list[SeenCall] = []
        self._parts: list[SeenPart] = []
        self._rows: list[Seen] = []
        self._loop: Loop | None = None
        self._open: list[Begun] = []
        self._waiting = Waiting()
        self._returned: list[tf.Tensor] = []
        self._further: set[Any] = set()
        self._weights: dict[int, tuple[Weight, Any]] = {}
        self._unreached: dict[int, tuple[str, Any]] = {}
        self._reasons: dict[str, str] = {}
        self._inside = Inside(self._graph, self._wiring, self._reasons, known_reasons)
        wanted = with_histograms if options.with_histograms else None
        self._results = Results(wanted, measure, self._reasons, with_maps=options.with_maps)
        self.loss: tf.Tensor | None = None
        self.rates = Rates()
        self.loss_scale: tf.Tensor = tf.constant(1.0)
        self.samples: tf.Tensor | None = None
        self.input_rms: tf.Tensor = tf.constant(math.nan)
        self.data = StepData()
        self.clipping = Clipping()
        self.optimizer: Any = None

    def is_here(self) -> bool:
        """Whether values computed now can leave the step."""
        return taps.current_graph() is self._graph

    def is_traced_here(self) -> bool:
        """Whether operations of the step are being added to its graph."""
        return self._graph is not None and self.is_here()

    def begin_call(self, entry: NamedLayer, args: Any, kwargs: Any) -> Begun | None:
        """Begins a layer's call with these arguments; pass the result to `see_call` together with the outputs."""
        if entry.is_cell or self._loop is not None or self._differentiated is not None:
            return None
        if not self.is_here():
            return Begun(floats((args, kwargs)))
        for outer in self._open:
            outer.is_composite = True
        begun = Begun(floats((args, kwargs)))
        self._open.append(begun)
        if self._graph is None:
            with self._only_logged(entry):
                self._waiting.given(begun.inputs, is_use=not is_moving(entry.layer))
        return begun

    def see_call(self, entry: NamedLayer, outputs: Any, begun: Begun | None) -> Any:
        """Records a layer's outputs and returns the tapped outputs to use instead."""
        if begun in self._open:
            # Calls that an error ended are still open; they end together with the call around them.
            del self._open[self._open.index(begun) :]
        if taps.is_inferring_shapes():
            return outputs
        if self._loop is not None and self._loop.is_here():
            return self._loop.see(entry, outputs)
        if entry.is_cell or not self.is_here():
            given = [tensor for call in (begun, *self._open) if call is not None for tensor in call.inputs]
            is_backward = self._differentiated is not None
            return self._inside.see(entry, outputs, given, self._calls, is_backward=is_backward)
        if self._differentiated is not None:
            return self._see_again(entry, outputs)
        self._reasons.setdefault(entry.name, _NO_FLOATS)
        sources = self._wiring.sources(outputs)
        outputs = taps.map_first_float(outputs, lambda value: self._see_output(entry, value, sources, begun))
        self._wiring.made(outputs, entry.name)
        if self._graph is not None:
            self._further |= {value.ref() for value in floats(outputs)}
        return outputs

    def see_loop(self, run: Callable[..., Any], layer: keras.layers.RNN, call: LoopCall) -> Any:
        """Runs the loop of a recurrent layer with `run` and records its cells and gates."""
        plain = functools.partial(run, call.step, call.inputs, call.states, **call.options)
        outer, self._loop = self._loop, None
        # A loop within the time step of another one is not observed.
        if outer is not None or not self.is_here() or self._differentiated is not None or taps.is_inferring_shapes():
            try:
                return plain()
            finally:
                self._loop = outer
        cells = [(self._finder.entry(cell), states) for cell, states in cells_of(layer, call.states)]
        own = self._finder.entry(layer)
        try:
            self._loop = Loop(layer, own.name if own else "", [(entry, one) for entry, one in cells if entry], call)
            result, parts = self._loop.run(run)
        except Exception as error:  # The layer itself can still be observed.
            self._reasons |= {entry.name: f"its loop cannot be observed ({gist(error)})" for entry, _ in cells if entry}
            self._loop = None
            return plain()
        finally:
            self._loop = None
        for part in parts:
            number = 1 + sum(part.name == other.name for other in self._parts)
            self._parts.append(dataclasses.replace(part, number=number))
        return result

    def see_attention(self, layer: keras.layers.Layer, attention: Scores | Products) -> None:
        """Records the heads of an attention layer, before it computes its attention."""
        if not self.is_here() or self._differentiated is not None or taps.is_inferring_shapes():
            return
        entry = self._finder.entry(layer)
        number = 1 + sum(part.entry is entry and part.part == HEADS for part in self._parts)
        heads = seen_heads(entry, attention, number) if entry is not None else None
        if heads is None:
            return
        self._parts.append(heads)
        if self._graph is None:
            self._results.measure_part(heads)
            heads.release()

    def see_returned(self, outputs: Any) -> None:
        """Records the outputs of a model: an activation function may follow its last layer."""
        if self._graph is not None and self.is_here() and self._differentiated is None:
            self._returned += floats(outputs)

    def _see_again(self, entry: NamedLayer, outputs: Any) -> Any:
        """Taps a call within a backward pass.

        Such a call (`tf.recompute_grad`) repeats an earlier one, and the gradients arrive at the repeated call.
        """
        calls = [seen for seen in self._calls if seen.entry.name == entry.name]
        # With several earlier calls, it is unknown which one is repeated.
        if len(calls) != 1:
            return outputs
        return taps.map_first_float(outputs, lambda value: self._see_repeated(calls[0], value))

    def _see_repeated(self, repeated: SeenCall, value: tf.Tensor) -> tf.Tensor:
        if self._graph is None:
            return taps.see_gradient(value, lambda gradient: self._see_gradient(repeated, gradient))
        repeated.repeats.append(value)
        return value

    def _see_output(
        self, entry: NamedLayer, value: tf.Tensor, sources: tuple[str, ...], begun: Begun | None
    ) -> tf.Tensor:
        seen = SeenCall(
            entry=entry,
            number=1 + sum(seen.entry.name == entry.name for seen in self._calls),
            inputs=begun.inputs if begun is not None else (),
            value=value,
            output=value,
            sources=sources,
            models=self._finder.models_of(entry.layer),
            is_composite=begun is not None and begun.is_composite,
        )
        self._tap(seen)
        self._calls.append(seen)
        if self.samples is None and value.shape.rank:
            self.samples = tf.cast(tf.shape(value)[0], tf.float32)
        if self._graph is None:
            for ready, applied in self._waiting.add(seen):
                self._results.measure(ready, applied, None)
        return seen.output

    def _tap(self, seen: SeenCall) -> None:
        value = seen.value
        if self._graph is None:
            seen.output = taps.see_gradient(value, lambda gradient: self._see_gradient(seen, gradient))
            return
        # Any operation after `value` would keep TensorFlow from merging those around it, and change the last digits.
        # Only a tensor that is the output of several layers is taken apart.
        if seen.is_composite or value.ref() in self._further or any(value is given for given in seen.inputs):
            seen.output = taps.apart(value)
        seen.points = gradients.points(seen.output)

    @contextlib.contextmanager
    def _only_logged(self, entry: NamedLayer) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # The layer itself can still be measured.
            _LOGGER.debug("Cannot recognize the activation function of layer %r (%s).", entry.name, gist(error))

    @contextlib.contextmanager
    def differentiating(
        self, target: Any, models: frozenset[str], sources: Sequence[Any] = (), *, is_filled: bool
    ) -> Iterator[gradients.Wanted]:
        """Wraps a backward pass from `target` to weights of these models; yields the gradients that it has to compute.

        Gradients at layers of other models only pass through and do not count, such as those of a generator's loss at
        the layers of its discriminator. The same holds for the inner gradient of a gradient penalty, which is taken
        with respect to inputs.

        `is_filled` is true if the pass returns zeros instead of no gradient.
        """
        if not self.is_here():
            yield gradients.Wanted()
            return
        self._differentiated = (self._place(target, bool(models)), models)
        try:
            seen = [*self._calls, *self._parts, *self._inside.calls]
            yield gradients.wanted(seen, models, self._see_gradient, sources, is_filled=is_filled)
        finally:
            self._differentiated = None

    def repeated(self) -> gradients.Wanted:
        """The gradients that a backward pass within a backward pass has to compute."""
        return gradients.repeated(self._calls, self._see_gradient) if self.is_here() else gradients.Wanted()

    def _place(self, target: Any, is_loss: bool) -> int:
        place = next((place for place, known in enumerate(self._targets) if known is target), len(self._targets))
        if place == len(self._targets):
            self._targets.append(target)
            if is_loss:
                self._losses += [value for value in tf.nest.flatten(target) if isinstance(value, tf.Tensor)]
        return place

    def _see_gradient(self, seen: Seen, gradient: tf.Tensor) -> None:
        if not self.is_here():
            return
        place, models = self._differentiated or (0, seen.models)
        if seen.is_reached_by(models):
            # Measured only when the step is packed: an outer backward pass must not differentiate the statistics.
            seen.gradients[place] = gradient

    def see_weight(self, key: int, spec: Weight, values: Any, variable: Any) -> None:
        """Records `[WEIGHT_STATISTICS]` of one weight's update.

        `key` identifies the weight. If it is updated twice in a step, the last update counts.
        """
        self._weights[key] = (spec, values)
        if not spec.has_gradient:
            self._unreached[key] = spec.layer, variable

    def layout(self) -> Layout:
        """The order in which `packing` has the values. Ends the observation: call it once, before `packing`."""
        if self._graph is None:
            for ready, applied in self._waiting.rest():
                self._results.measure(ready, applied, None)
        else:
            self._results.measure_all(self._calls, self._returned, self._further)
        self._results.measure_parts(self._parts)
        for seen in self._inside.calls:
            self._results.measure_inside(seen)
        self._rows = self._results.known([*self._parts, *self._in_order()])
        called = {seen.name for seen in self._rows}
        whole = {seen.name for seen in self._rows if not isinstance(seen, SeenPart)}
        reasons = self._known_reasons | self._reasons
        return Layout(
            calls=self._results.specs(self._rows, self._wiring.gates, self._finder),
            weights=tuple(
                dataclasses.replace(spec, layer=innermost(spec.layer, whole)) for spec, _ in self._weights.values()
            ),
            unobserved=tuple(
                unobserved(
                    entry,
                    reasons,
                    self._finder.configuration(entry.layer),
                    whole,
                    borrows=self._finder.borrows(entry),
                )
                for entry in self._finder.named
                if entry.name not in called
            ),
            inputs=len(self._results.inputs),
            loss=self.data.loss.name,
            from_logits=self.data.loss.from_logits,
            optimizer={} if self.optimizer is None else optimizer_configuration(self.optimizer),
            fragile_operations=self._wiring.fragile_operations(self._losses),
            all_pairs=self._wiring.all_pairs(self._losses),
            gradient_cuts=self._wiring.gradient_cuts(self._losses, by_innermost(self._unreached.values(), whole)),
            clipnorm=self.clipping.each,
            global_clipnorm=self.clipping.together,
        )

    def _in_order(self) -> list[Seen]:
        order: list[tuple[int, Seen]] = [(one.place, one) for one in self._inside.calls]
        for place, call in enumerate(self._calls):
            if call.entry.name not in self._inside.unseen:
                order.append((place, call))
        # Stable: what a condition holds comes before the call that ended next.
        return [one for _, one in sorted(order, key=lambda pair: pair[0])]

    def packing(self, layout_number: int) -> Packing:
        """What leaves the step."""
        is_seen, loss = self._loss()
        header = [
            float(layout_number),
            is_seen,
            loss,
            self.rates.last,
            self.loss_scale,
            math.nan if self.samples is None else self.samples,
            self.input_rms,
            self.data.constant_loss(loss),
            self.rates.first,
            math.nan,
        ]
        measured = [self._results.measured[id(seen)] for seen in self._rows]
        backward = self._results.gradients(self._rows)
        return Packing(
            head=[
                tf.stack([tf.cast(value, tf.float32) for value in header]),
                self.data.packed(),
                self.data.bad_rows(),
                self._results.largest_row(self._calls),
            ],
            calls=[(one.activation, two, one.spec.units > 0) for one, two in zip(measured, backward, strict=True)],
            inputs=self._results.inputs,
            weights=[values for _, values in self._weights.values()],
            maps=[one.maps for one in measured if one.maps is not None],
            sequences=self._results.sequences(self._rows),
            with_histograms=self._options.with_histograms,
        )

    def _loss(self) -> tuple[float, float | tf.Tensor]:
        """Whether a loss was seen, and its value: that of `compute_loss`, else the sum of the differentiated losses.

        Loss scaling is undone in the sum.
        """
        if self.loss is not None:
            return 1.0, _whole(self.loss)
        if self._losses:
            return 1.0, tf.add_n([_whole(loss) for loss in self._losses]) / self.loss_scale
        return 0.0, math.nan


def _whole(loss: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(tf.stop_gradient(aside(loss)), tf.float32))
