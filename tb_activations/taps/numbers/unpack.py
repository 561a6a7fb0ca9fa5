"""Unpacks vectors into tables on the host, in float64, and merges repeated calls of a layer."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.taps.numbers.layout import (
    ACTIVATION_STATISTICS,
    BATCH_ROWS,
    GRADIENT_STATISTICS,
    HEAD_STATISTICS,
    HEADER,
    WEIGHT_STATISTICS,
    Call,
    Layout,
    Unobserved,
    Weight,
    places_by_name,
)
from tb_activations.taps.numbers.outputs import OUTPUT_VALUES, Part, outputs, ratios
from tb_activations.taps.numbers.standing_out import standing_out
from tb_activations.taps.numbers.values import Array, Row, StepValues, Vector

T = TypeVar("T")

MAX_CALL_ROWS = 16
"""A layer called more often than this in a step (an eager loop) gets one row for all calls instead of one each."""
_ACTIVATION, _GRADIENT, _WEIGHT = len(ACTIVATION_STATISTICS), len(GRADIENT_STATISTICS), len(WEIGHT_STATISTICS)
_INPUT = 2
_TOTALS = tuple(name for name in HEADER if name not in ("layout", "loss_seen", "loss"))
"""Columns of the header that are totals of the step as they are."""
_MEAN, _STD = ACTIVATION_STATISTICS.index("mean"), ACTIVATION_STATISTICS.index("std")


def layout_number(packed: Array) -> int:
    """The number of the layout of packed statistics `[1, length]`."""
    return int(packed[0, 0])


def unpack(packed: Array, layout: Layout, loss: float | None = None) -> StepValues:
    """The values in the packed statistics `[1, length]` of a step with this layout.

    `loss` is used if the taps saw no loss, as in a custom `train_step` that does not call `compute_loss`; None if the
    step returned none.
    """
    values = packed.astype(np.float64)
    header = dict(zip(HEADER, values[0].tolist(), strict=False))
    # A scale that was halved at every step until it is 0 leaves gradients that say nothing.
    scale = header["loss_scale"] or np.nan
    is_seen = bool(header["loss_seen"])
    whole = header["loss"] if is_seen else np.nan if loss is None else loss
    totals = {
        "loss": whole,
        "loss_nonfinite": float(not np.isfinite(whole)) if is_seen or loss is not None else np.nan,
        **{name: header[name] for name in _TOTALS},
    }
    start = len(HEADER) + len(BATCH_ROWS)
    totals |= standing_out(
        dict(zip(BATCH_ROWS, values[0, len(HEADER) : start].tolist(), strict=True)), header["samples"]
    )
    calls, rest = _split_calls(values[:, start:], layout)
    weights = _weight_columns(rest[0].reshape(-1, _WEIGHT), scale)
    totals["clipped"] = _clipped(weights["gradient_norm"], layout)
    rows = _all_rows(layout)
    members = [[calls[index] for index in indices] for _, indices in rows]
    units = [row.units for row, _ in rows]
    layers, activity, peak = outputs(members, units, scale)
    counts = zip(rows, layers["elements"], strict=True)
    # A call site in a branch that was not taken says nothing about the layer's other calls.
    idle = {row.call.name for (row, _), count in counts if row.call_site == 0 and count == 0}
    _forget(weights, np.array([weight.layer in idle for weight in layout.weights], bool))
    layers |= _owned_weights([row for row, _ in rows], layout.weights, weights)
    return StepValues(
        rows=tuple(row for row, _ in rows),
        weights=layout.weights,
        layers=layers,
        weight_columns={name: weights[name] for name in WEIGHT_VALUES},
        totals=totals,
        activity=activity,
        peak=peak,
        loss=layout.loss,
        from_logits=layout.from_logits,
        optimizer=layout.optimizer,
        fragile_operations=layout.fragile_operations,
        all_pairs=layout.all_pairs,
        gradient_cuts=layout.gradient_cuts,
    )


def _clipped(norms: Vector, layout: Layout) -> float:
    """The share of weights whose gradient the optimizer clips in this step; NaN if it does not clip."""
    norms = norms[np.isfinite(norms)]
    if norms.size and layout.clipnorm is not None:
        return float((norms > layout.clipnorm).mean())
    if norms.size and layout.global_clipnorm is not None:
        return float(np.linalg.norm(norms) > layout.global_clipnorm)
    return np.nan


def _of_layout(compute: Callable[[Layout], T]) -> Callable[[Layout], T]:
    """The function, which remembers its latest result: as a rule, all steps of a training have one layout."""
    latest: list[tuple[Layout, T]] = []

    @functools.wraps(compute)
    def remembered(layout: Layout) -> T:
        for known, result in latest:
            # A comparison of equal layouts would take as long as the computation.
            if known is layout:
                return result
        result = compute(layout)
        latest[:] = [(layout, result)]
        return result

    return remembered


def _split_calls(values: Vector, layout: Layout) -> tuple[list[Part], Vector]:
    edges = _edges(layout)
    pieces = [[values[:, low:high] for low, high in itertools.pairwise(own)] for own in edges]
    start = edges[-1][-1] if edges else 0
    end = start + layout.inputs * _INPUT
    inputs, rest = values[:, start:end], values[:, end:]
    elements, norms = inputs[:, ::_INPUT], inputs[:, 1::_INPUT]
    sizes_of_inputs = np.divide(norms, np.sqrt(elements), out=np.full_like(norms, np.nan), where=elements > 0)
    # The root mean square of each output, then of each input that was measured on its own, then an unknown one.
    firsts = np.array([first for first, *_ in edges], np.int64)
    of_outputs = np.hypot(values[:, firsts + _MEAN], values[:, firsts + _STD]).T
    known = np.concatenate([of_outputs, sizes_of_inputs.T, np.full((1, len(values)), np.nan)])
    parts = [
        Part(activation, known[-1 if call.input_place is None else call.input_place][:, None], *others)
        for call, (activation, *others) in zip(layout.calls, pieces, strict=True)
    ]
    return parts, rest


@_of_layout
def _edges(layout: Layout) -> list[list[int]]:
    """Where each statistic of each call begins, and where the last one ends."""
    start, edges = 0, []
    for call in layout.calls:
        sizes = (_ACTIVATION, len(HEAD_STATISTICS) if call.has_heads else 0, _GRADIENT, call.units, call.units)
        edges.append(list(itertools.accumulate(sizes, initial=start)))
        start = edges[-1][-1]
    return edges


@_of_layout
def _all_rows(layout: Layout) -> list[tuple[Row, list[int]]]:
    """All rows, each with the indices of the calls that it merges."""
    return [*_rows(layout.calls), *(_unobserved_row(entry) for entry in layout.unobserved)]


def _rows(calls: Sequence[Call]) -> Iterator[tuple[Row, list[int]]]:
    """Rows, each with the indices of the calls that it merges."""
    for indices in places_by_name(calls).values():
        first = calls[indices[0]]
        alike = all(calls[index].units == first.units for index in indices)
        if any(calls[index].activation != first.activation for index in indices):
            # Calls with different activation functions have no common one, so rules must not judge by it.
            first = dataclasses.replace(first, activation=None)
        yield Row(first, 0, first.units if alike else 0), indices
        if 1 < len(indices) <= MAX_CALL_ROWS:
            for index in indices:
                yield Row(calls[index], calls[index].number, 0), [index]


def _unobserved_row(layer: Unobserved) -> tuple[Row, list[int]]:
    call = Call(
        layer.name, layer.class_name, 1, (), "", 0, None, layer.parameters, layer.trainable, config=layer.config
    )
    return Row(call, 0, 0, layer.reason), []


WEIGHT_VALUES = (
    "gradient_norm",
    "gradient_mean_abs",
    "gradient_nonfinite",
    "weight_norm",
    "weight_nonfinite",
    "update_ratio",
    "momentum_cosine",
    "surprise",
    "starved_fraction",
)


def _weight_columns(values: Vector, scale: float) -> dict[str, Vector]:
    elements, norm, abs_sum, nonfinite, weight_norm, weight_nonfinite, update, cosine, surprise, starved = values.T
    return {
        "elements": elements,
        "gradient_norm": norm / scale,
        "gradient_abs_sum": abs_sum / scale,
        "gradient_mean_abs": ratios(abs_sum / scale, elements - nonfinite),
        "gradient_nonfinite": nonfinite,
        "weight_norm": weight_norm,
        "weight_nonfinite": weight_nonfinite,
        "update_norm": update,
        "update_ratio": ratios(update, weight_norm),
        "momentum_cosine": cosine,
        "surprise": surprise / scale,
        "starved_fraction": starved,
    }


def _forget(columns: Mapping[str, Vector], idle: NDArray[np.bool_]) -> None:
    """Makes NaN what says nothing about weights of layers that did not run in this step, in a branch not taken.

    Their gradient is zero, and only what the optimizer remembers moves them.
    """
    of_gradient = ("gradient_norm", "gradient_abs_sum", "gradient_mean_abs", "gradient_nonfinite")
    for name in (*of_gradient, "update_norm", "update_ratio", "momentum_cosine", "surprise"):
        columns[name][idle] = np.nan


def _owned_weights(rows: Sequence[Row], weights: Sequence[Weight], columns: Mapping[str, Vector]) -> dict[str, Vector]:
    """The weight columns of the layer table: a layer's trainable weights taken together; NaN for those without."""
    table = {name: np.full(len(rows), np.nan) for name in OWNED_VALUES}
    places = {row.call.name: place for place, row in enumerate(rows) if row.call_site == 0}
    owned = [(index, places[weight.layer]) for index, weight in enumerate(weights) if weight.layer in places]
    if not owned:
        return table
    of_weights, of_rows = np.array(owned).T
    for name, values in _together({name: column[of_weights] for name, column in columns.items()}, of_rows).items():
        table[name][: len(values)] = values
    return table


OWNED_VALUES = (
    "weight_gradient_norm",
    "weight_gradient_mean_abs",
    "weight_gradient_nonfinite",
    "weight_norm",
    "weight_nonfinite",
    "update_ratio",
)

LAYER_VALUES = (*OUTPUT_VALUES, *OWNED_VALUES)
"""Columns of the layer table; those of the weight table are `WEIGHT_VALUES`."""


def _together(column: Mapping[str, Vector], places: NDArray[np.int64]) -> dict[str, Vector]:
    """By place, up to the largest one: the values of the weights at it taken together; NaN without any."""

    def total(values: Vector, where: NDArray[np.bool_]) -> Vector:
        return np.bincount(places[where], values[where], places.max() + 1).astype(np.float64)

    every, arrived = np.ones(len(places), bool), ~np.isnan(column["gradient_norm"])
    has_any, has_gradient = (total(np.ones(len(places)), where) > 0 for where in (every, arrived))
    norm = np.where(has_any, np.sqrt(total(np.square(column["weight_norm"]), every)), np.nan)
    seen = total(column["elements"] - column["gradient_nonfinite"], arrived)
    gradient = np.sqrt(total(np.square(column["gradient_norm"]), arrived))
    return {
        "weight_gradient_norm": np.where(has_gradient, gradient, np.nan),
        "weight_gradient_mean_abs": ratios(total(column["gradient_abs_sum"], arrived), seen),
        "weight_gradient_nonfinite": np.where(has_gradient, total(column["gradient_nonfinite"], arrived), np.nan),
        "weight_norm": norm,
        "weight_nonfinite": np.where(has_any, total(column["weight_nonfinite"], every), np.nan),
        "update_ratio": ratios(np.sqrt(total(np.square(column["update_norm"]), every)), norm),
    }
