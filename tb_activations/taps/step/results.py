"""The statistics of everything that the taps saw in one step."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, TypeGuard

import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.finder import LayerFinder
from tb_activations.taps.functions.between import Applied, Between
from tb_activations.taps.functions.recognition import Function
from tb_activations.taps.gist import gist
from tb_activations.taps.numbers import (
    attention,
    batch_rows,
    feature_maps,
    histograms,
    statistics,
    through_time,
    together,
)
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.later import Measure, items, later
from tb_activations.taps.numbers.layout import GRADIENT_STATISTICS, SEQUENCE_VALUES, Call
from tb_activations.taps.step.attention import SeenHeads
from tb_activations.taps.step.measuring import Measured, Measuring, gradient_without_padding, own_function
from tb_activations.taps.step.seen import Seen, SeenCall, SeenInside, SeenPart

_LOGGER = logging.getLogger("tb_activations")


class Results:
    """Measures calls and parts of layers. A failure is noted as the reason why the layer has no statistics.

    Args:
        wanted_histograms: boolean scalar, whether to fill histograms; None for no histograms.
        measure: calls the functions that compute statistics, now or after the step.
        reasons: gets why a layer has no statistics.
        with_maps: whether feature maps are returned too.

    Attributes:
        measured: by the `id` of what was seen.
    """

    def __init__(
        self, wanted_histograms: tf.Tensor | None, measure: Measure, reasons: dict[str, str], *, with_maps: bool
    ) -> None:
        self.measured: dict[int, Measured] = {}
        self._gradients: dict[int, Any] = {}
        self._wanted = wanted_histograms
        self._measure = measure
        self._reasons = reasons
        self._with_maps = with_maps
        self._is_eager = taps.current_graph() is None
        # In a graph, all outputs are measured together, and all attention.
        self._measuring = Measuring(wanted_histograms, measure, measure if self._is_eager else later)
        self._mapped: set[int] = set()
        self._none: statistics.Gradient | None = None

    @property
    def inputs(self) -> list[Any]:
        """`statistics.norm` of inputs that are not the output of a measured call."""
        return self._measuring.inputs

    def measure_all(self, calls: Sequence[SeenCall], returned: Iterable[tf.Tensor], further: Iterable[Any]) -> None:
        """Measures the calls of a traced step, once the functions after every layer are known.

        Args:
            calls: in order.
            returned: outputs of models.
            further: references of all outputs of layers.
        """
        stops = frozenset(further) | {seen.output.ref() for seen in calls}
        found = _functions_between(calls, stops, returned)
        stacks = [id(seen) for seen in calls if feature_maps.is_stack(seen.value)]
        self._mapped = set(feature_maps.spread(stacks)) if self._with_maps else set()
        origins = {applied.origin.ref() for applied in found.values()}
        for seen in calls:
            self.measure(seen, found.get(id(seen)), _own(seen, stops, origins))
        self._measure_waiting(calls, together.activations, statistics.activation)

    def _measure_waiting(self, waiting: Sequence[Seen], every: Callable[..., Any], alone: Callable[..., Any]) -> None:
        seen = [one for one in waiting if id(one) in self.measured]
        given = [self.measured[id(one)].activation.arguments for one in seen]
        if not seen:
            return
        try:
            activations = items(self._measure(every, given), len(seen))
        except Exception as error:  # The tensor that it failed for costs only its layer.
            _LOGGER.debug("Cannot measure all outputs together (%s).", gist(error))
            activations = [self._guarded(*one, alone) for one in zip(seen, given, strict=True)]
        for one, activation in zip(seen, activations, strict=True):
            if activation is None:
                del self.measured[id(one)]
            else:
                self.measured[id(one)] = dataclasses.replace(self.measured[id(one)], activation=activation)

    def _guarded(self, seen: Seen, arguments: Any, measure: Callable[..., Any]) -> Any:
        try:
            return self._measure(measure, *arguments)
        except Exception as error:  # A missing statistic must not stop the training.
            self._fail(seen, error)
            return None

    def measure(self, seen: SeenCall, applied: Applied | None, own: Function | None) -> None:
        """Measures a call; see `Measuring.measure`."""
        try:
            with_maps = self._takes_maps(seen)
            self.measured[id(seen)] = self._measuring.measure(seen, applied, own, with_maps=with_maps)
        except Exception as error:  # A missing statistic must not stop the training.
            self._fail(seen, error)
        if self._is_eager:
            seen.release()

    def measure_part(self, part: SeenPart) -> None:
        """Measures a part of a layer; once, however often it is called."""
        if id(part) in self.measured:
            return
        try:
            self.measured[id(part)] = self._measuring.measure_part(part)
        except Exception as error:  # A missing statistic must not stop the training.
            self._fail(part, error)

    def measure_parts(self, parts: Sequence[SeenPart]) -> None:
        """Measures the parts of layers in a step."""
        for part in parts:
            self.measure_part(part)
        if not self._is_eager:
            heads = [part for part in parts if isinstance(part, SeenHeads)]
            self._measure_waiting(heads, attention.of_several, attention.heads)

    def measure_inside(self, seen: SeenInside) -> None:
        """Measures a call in a condition or loop, if a backward pass has brought its statistics out."""
        if not seen.gradients:
            return
        try:
            self.measured[id(seen)], self._gradients[id(seen)] = self._measuring.measure_inside(seen)
        except Exception as error:  # A missing statistic must not stop the training.
            self._fail(seen, error)

    def gradients(self, rows: Sequence[Seen]) -> list[Any]:
        """The statistics of the gradient of each, NaN without one."""
        # The gradient at a sum is that at each of its terms.
        known: dict[Any, tf.Tensor | None] = {}
        whole: dict[int, tf.Tensor | None] = {}
        for seen in rows:
            if id(seen) not in self._gradients:
                key = _key_of_gradient(seen)
                if key not in known:
                    known[key] = self._whole_gradient(seen)
                whole[id(seen)] = known[key]
        plain = [seen for seen in rows if whole.get(id(seen)) is not None and _mask(seen) is None]
        try:
            given = list({id(whole[id(seen)]): whole[id(seen)] for seen in plain}.values())
            measured = items(self._measure(together.gradients, given, self._wanted), len(given))
            of_tensors = {id(tensor): one for tensor, one in zip(given, measured, strict=True)}
            found = {id(seen): of_tensors[id(whole[id(seen)])] for seen in plain}
        except Exception as error:  # The tensor that it failed for costs only its layer.
            _LOGGER.debug("Cannot measure all gradients together (%s).", gist(error))
            found = {}
        return [found[id(seen)] if id(seen) in found else self._gradient(seen, whole.get(id(seen))) for seen in rows]

    def _whole_gradient(self, seen: Seen) -> tf.Tensor | None:
        try:
            return _whole_gradient(seen) if seen.gradients else None
        except Exception as error:  # A missing statistic must not stop the training.
            self._without_gradient(seen, error)
            return None

    def _gradient(self, seen: Seen, whole: tf.Tensor | None) -> Any:
        if id(seen) in self._gradients:
            return self._gradients[id(seen)]
        if whole is None:
            return self._no_gradient()
        mask = _mask(seen)
        try:
            if mask is not None:
                return self._measure(gradient_without_padding, whole, mask, self._wanted)
            return self._measure(statistics.gradient, whole, self._wanted)
        except Exception as error:  # A missing statistic must not stop the training.
            self._without_gradient(seen, error)
            return self._no_gradient()

    def _without_gradient(self, seen: Seen, error: Exception) -> None:
        _LOGGER.warning("Layer health: cannot observe the gradient at layer %r (%s).", seen.name, gist(error))

    def sequences(self, rows: Sequence[Seen]) -> list[Any]:
        """`through_time.profile` of the cells among these rows; empty if histograms are never wanted."""
        return [] if self._wanted is None else [self._sequence(row) for row in rows if _is_cell(row)]

    def _sequence(self, cell: SeenPart) -> Any:
        try:
            value = tf.stop_gradient(aside(cell.value))
            gradient = _whole_gradient(cell) if cell.gradients else None
            return self._measure(through_time.profile, value, gradient, cell.mask, self._wanted)
        except Exception as error:  # A missing statistic must not stop the training.
            _LOGGER.warning("Layer health: cannot observe %r over time (%s).", cell.name, gist(error))
            return tf.fill([SEQUENCE_VALUES], math.nan)

    def largest_row(self, calls: Sequence[SeenCall]) -> Any:
        """`batch_rows.LARGEST` of the gradient at the last of these calls that has one, NaN without one."""
        last = next((seen for seen in reversed(calls) if seen.gradients), None)
        try:
            if last is not None:
                gradient = tf.convert_to_tensor(next(iter(last.gradients.values())))
                if gradient.shape.rank:
                    return self._measure(batch_rows.largest, aside(gradient))
        except Exception as error:  # A missing statistic must not stop the training.
            _LOGGER.debug("Cannot find the row with the largest gradient (%s).", gist(error))
        return tf.fill([len(batch_rows.LARGEST)], math.nan)

    def known(self, seen: Sequence[Seen]) -> list[Seen]:
        """Those that were measured, in the given order; parts of a layer just before it."""
        measured = [one for one in seen if id(one) in self.measured]
        parts = [one for one in measured if isinstance(one, SeenPart)]
        rows: list[Seen] = []
        for one in measured:
            if not isinstance(one, SeenPart):
                rows += [part for part in parts if _belongs(part, one) and part not in rows]
                rows.append(one)
        return [*rows, *(part for part in parts if part not in rows)]

    def specs(
        self,
        rows: Sequence[Seen],
        gates: Container[str],
        finder: LayerFinder,
    ) -> tuple[Call, ...]:
        """The descriptions of these rows.

        Args:
            gates: names of layers whose output others are multiplied by.
            finder: knows the layers of the models.
        """
        places = {id(seen): place for place, seen in enumerate(rows)}
        specs = []
        for seen in rows:
            measured = self.measured[id(seen)]
            is_inner = isinstance(seen, SeenPart) and seen.part
            spec = dataclasses.replace(
                measured.spec,
                trainable=measured.spec.trainable and not finder.borrows(seen.entry),
                is_gate=seen.name in gates or measured.spec.is_gate,
                is_output=not isinstance(seen, SeenPart) and finder.is_output(seen.entry),
                input_place=self._measuring.place_of_input(measured, places),
                config={} if is_inner else finder.configuration(seen.entry.layer),
            )
            specs.append(spec)
        return tuple(specs)

    def _fail(self, seen: Seen, error: Exception) -> None:
        self._reasons[seen.entry.name] = f"its statistics could not be computed ({gist(error)})"

    def _takes_maps(self, seen: SeenCall) -> bool:
        if not self._is_eager or not self._with_maps:
            return id(seen) in self._mapped
        # An eager step measures each call as it ends, so how many follow is unknown.
        return sum(one.maps is not None for one in self.measured.values()) < feature_maps.MOST_LAYERS

    def _no_gradient(self) -> statistics.Gradient:
        if self._none is None:
            self._none = statistics.Gradient(
                tf.fill([len(GRADIENT_STATISTICS)], math.nan), tf.fill([histograms.LENGTH], math.nan)
            )
        return self._none


def _mask(seen: Seen) -> tf.Tensor | None:
    return seen.mask if isinstance(seen, SeenPart) else None


def _is_cell(row: Seen) -> TypeGuard[SeenPart]:
    return isinstance(row, SeenPart) and row.is_cell


def _key_of_gradient(seen: Seen) -> Any:
    """Equal for layers with the same gradient."""
    return tuple(one.ref() if isinstance(one, tf.Tensor) else id(one) for one in seen.gradients.values())


def _whole_gradient(seen: Seen) -> tf.Tensor:
    """A gather downstream returns IndexedSlices. Gradients of losses that are differentiated one by one add up."""
    parts = [aside(tf.convert_to_tensor(gradient)) for gradient in seen.gradients.values()]
    return parts[0] if len(parts) == 1 else tf.add_n(parts)


def _belongs(part: SeenPart, call: Seen) -> bool:
    return bool(part.layer) and (call.name == part.layer or part.layer.startswith(f"{call.name}/"))


def _functions_between(
    calls: Sequence[SeenCall], stops: frozenset[Any], returned: Iterable[tf.Tensor]
) -> dict[int, Applied]:
    try:
        return Between(calls, stops).applied(returned)
    except Exception as error:  # The layers themselves can still be measured.
        _LOGGER.warning("Layer health: cannot recognize activation functions between layers (%s).", gist(error))
        return {}


def _own(seen: SeenCall, stops: frozenset[Any], origins: Container[Any]) -> Function | None:
    try:
        return own_function(seen, stops, origins)
    except Exception as error:  # The layer itself can still be measured.
        _LOGGER.debug("Cannot recognize the activation function of layer %r (%s).", seen.name, gist(error))
        return None
