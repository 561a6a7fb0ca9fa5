"""Merges what the replicas of a step measured, in the graph: what leaves the step does not grow with their number."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.records.columns import TIME_BINS
from tb_activations.taps.numbers.layout import (
    ACTIVATION_STATISTICS,
    BATCH_ROWS,
    DATA_KINDS,
    GRADIENT_STATISTICS,
    HEADER,
    HISTOGRAM_BUCKETS,
    HISTOGRAM_EDGES,
    SEQUENCE_VALUES,
)

_HEADER, _ROWS = len(HEADER), len(BATCH_ROWS)
_ACTIVATION, _GRADIENT = len(ACTIVATION_STATISTICS), len(GRADIENT_STATISTICS)
_INPUT = 2
_ELEMENTS, _NONFINITE = ACTIVATION_STATISTICS.index("elements"), ACTIVATION_STATISTICS.index("nonfinite")


@dataclasses.dataclass(frozen=True)
class CallSizes:
    """Lengths of what one call has in packed statistics: values of heads, units with statistics."""

    heads: int
    units: int


def merged_statistics(values: tf.Tensor, calls: Sequence[CallSizes], inputs: int) -> tf.Tensor:
    """`[1, length]` float32 as of a single replica, from packed statistics `[replicas, length]`.

    Args:
        values: of all replicas; these share the batch in order.
        calls: in order.
        inputs: number of inputs that were measured on their own.
    """
    values = tf.cast(values, tf.float64)
    places = _Places(calls, inputs)
    outputs, gradients = (tf.gather(values, at, axis=1) for at in (places.activations, places.gradients))
    elements = outputs[..., _ELEMENTS]
    head = _merged_head(values[:, :_HEADER], values[:, _HEADER : _HEADER + _ROWS], outputs, gradients)
    parts: list[tuple[NDArray[Any], tf.Tensor]] = [(np.arange(_HEADER + _ROWS), head)]
    parts.append((places.activations, _merged_outputs(outputs)))
    parts.append((places.gradients, _merged_gradients(gradients)))
    if places.heads.size:
        of_heads = tf.gather(values, places.heads, axis=1)
        parts.append((places.heads, _merged_heads(of_heads, tf.gather(elements, places.with_heads, axis=1))))
    weights = tf.gather(elements, places.call_of_unit, axis=1)
    parts.append((places.active, _average(tf.gather(values, places.active, axis=1), weights)))
    parts.append((places.peak, _most(tf.gather(values, places.peak, axis=1), weights > 0)))
    parts.append((places.inputs, _merged_inputs(tf.gather(values, places.inputs, axis=1))))
    # Replicas share their weights, and the gradients at them are those of the whole batch.
    parts.append((np.arange(places.end, values.shape[1]), values[0, places.end :]))
    order = np.argsort(np.concatenate([at.reshape(-1) for at, _ in parts]))
    flat = tf.concat([tf.reshape(part, [-1]) for _, part in parts], 0)
    return tf.cast(tf.gather(flat, order), tf.float32)[None]


class _Places:
    """Where everything is in packed statistics."""

    def __init__(self, calls: Sequence[CallSizes], inputs: int) -> None:
        sizes = np.array([(_ACTIVATION, call.heads, _GRADIENT, call.units, call.units) for call in calls], np.int64)
        edges = _HEADER + _ROWS + np.concatenate([[0], np.cumsum(sizes.reshape(-1))])
        starts = edges[:-1].reshape(-1, 5)
        self.activations = starts[:, 0, None] + np.arange(_ACTIVATION)
        self.gradients = starts[:, 2, None] + np.arange(_GRADIENT)
        self.with_heads = np.array([place for place, call in enumerate(calls) if call.heads], np.int64)
        heads = max((call.heads for call in calls), default=0)
        self.heads = starts[self.with_heads, 1][:, None] + np.arange(heads)
        self.call_of_unit = np.repeat(np.arange(len(calls)), [call.units for call in calls])
        self.active, self.peak = (self._runs(starts[:, column], calls) for column in (3, 4))
        self.inputs = int(edges[-1]) + np.arange(inputs * _INPUT).reshape(-1, _INPUT)
        self.end = int(edges[-1]) + inputs * _INPUT

    @staticmethod
    def _runs(starts: NDArray[np.int64], calls: Sequence[CallSizes]) -> NDArray[np.int64]:
        runs = [start + np.arange(call.units) for start, call in zip(starts, calls, strict=True)]
        return np.concatenate([np.zeros(0, np.int64), *runs])


def _merged_head(header: tf.Tensor, rows: tf.Tensor, outputs: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    column = dict(zip(HEADER, tf.unstack(header, axis=1), strict=True))
    samples = column["samples"]
    sums = ("loss", "samples", "constant_loss", *(f"{kind}_nonfinite" for kind in DATA_KINDS))
    merges: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
        **dict.fromkeys(sums, tf.reduce_sum),
        **{f"{kind}_min": _least_known for kind in DATA_KINDS},
        **{f"{kind}_max": lambda values: -_least_known(-values) for kind in DATA_KINDS},
        "input_rms": lambda values: _rms(values, samples),
        "logit_rms": lambda values: _rms(values, samples),
        "log_z": lambda values: _average(values, samples),
        "log_z_max": lambda values: _most(values, samples > 0),
        "target_sum_min": _least_known,
        "target_sum_max": lambda values: -_least_known(-values),
    }
    merged = {name: merges.get(name, lambda values: values[0])(values) for name, values in column.items()}
    merged["nonfinite_replica"] = _only_bad(column, outputs, gradients)
    return tf.concat([tf.stack([merged[name] for name in HEADER]), _merged_rows(rows, samples)], 0)


def _only_bad(column: dict[str, tf.Tensor], outputs: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    """The one replica with values that are not finite; NaN if none or several have some."""
    lost = gradients[..., GRADIENT_STATISTICS.index("nonfinite")]
    counts = tf.reduce_sum(outputs[..., _NONFINITE], 1) + tf.reduce_sum(_known(lost), 1)
    counts += tf.add_n([_known(column[f"{kind}_nonfinite"]) for kind in DATA_KINDS])
    is_bad = (counts > 0) | ((column["loss_seen"] > 0) & ~tf.math.is_finite(column["loss"]))
    is_one = tf.equal(tf.reduce_sum(tf.cast(is_bad, tf.int32)), 1)
    return tf.where(is_one, tf.cast(tf.argmax(is_bad), tf.float64), math.nan)


def _merged_rows(rows: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """`[BATCH_ROWS]`, with rows counted over the replicas."""
    column = dict(zip(BATCH_ROWS, tf.unstack(rows, axis=1), strict=True))
    before = tf.cumsum(samples, exclusive=True)
    merged = {}
    for kind in ("input", "output"):
        merged[f"{kind}_row"] = _least_known(column[f"{kind}_row"] + before)
        merged[f"{kind}_rows"] = tf.reduce_sum(_known(column[f"{kind}_rows"]))
    row, norm, whole = (column[f"gradient_{name}"] for name in ("row", "norm", "whole"))
    # The first axis of the last output may be something else than the batch.
    is_known = tf.equal(column["gradient_rows"], samples) & (row >= 0) & ~tf.math.is_nan(norm)
    top = tf.argmax(tf.where(is_known, norm, -1.0))
    is_any = tf.reduce_any(is_known)
    merged["gradient_row"] = tf.where(is_any, tf.gather(row + before, top), math.nan)
    merged["gradient_norm"] = tf.where(is_any, tf.gather(norm, top), math.nan)
    merged["gradient_whole"] = tf.sqrt(tf.reduce_sum(tf.where(is_known, tf.square(whole), 0.0)))
    merged["gradient_rows"] = tf.where(is_any, tf.reduce_sum(samples), math.nan)
    return tf.stack([merged[name] for name in BATCH_ROWS])


def _merged_outputs(values: tf.Tensor) -> tf.Tensor:
    """`[calls, ACTIVATION_STATISTICS]` from `[replicas, calls, ACTIVATION_STATISTICS]`."""
    column = dict(zip(ACTIVATION_STATISTICS, tf.unstack(values, axis=2), strict=True))
    elements = column["elements"]
    finite = elements - column["nonfinite"]
    mean = _average(column["mean"], finite)
    # Chan, Golub & LeVeque 1983: moments of parts combine to those of the whole.
    squares = _average(tf.square(column["std"]) + tf.square(column["mean"] - mean), finite)
    merged = {
        **{name: tf.reduce_sum(column[name], 0) for name in ("elements", "nonzero", "nonfinite")},
        **{name: _average(column[name], elements) for name in ("saturated", "kurtosis")},
        **{name: _rms(column[name], elements) for name in ("sample_std", "unit_std")},
        "mean": mean,
        "std": tf.sqrt(squares),
        "min": -_most(-column["min"], finite > 0),
        "max": _most(column["max"], finite > 0),
    }
    return tf.stack([merged[name] for name in ACTIVATION_STATISTICS], 1)


def _merged_gradients(values: tf.Tensor) -> tf.Tensor:
    """`[calls, GRADIENT_STATISTICS]`; NaN for a call without a gradient on any replica."""
    is_known = ~tf.math.is_nan(values[..., :1])
    kept = tf.where(is_known, values, 0.0)
    elements, norm, abs_sum, nonfinite = tf.unstack(kept, axis=2)
    sums = [tf.reduce_sum(elements, 0), tf.sqrt(tf.reduce_sum(tf.square(norm), 0))]
    merged = tf.stack([*sums, tf.reduce_sum(abs_sum, 0), tf.reduce_sum(nonfinite, 0)], 1)
    return tf.where(tf.reduce_any(is_known, 0), merged, math.nan)


def _merged_heads(values: tf.Tensor, elements: tf.Tensor) -> tf.Tensor:
    """`[calls, HEAD_STATISTICS]`. The pair is that of the most alike heads."""
    logit, entropy, heaviest, similarity, *_ = tf.unstack(values, axis=2)
    averages = [
        _average(one, tf.where(tf.math.is_nan(one), tf.zeros_like(elements), elements)) for one in (entropy, heaviest)
    ]
    top = tf.argmax(tf.where(~tf.math.is_nan(similarity), similarity, -math.inf))
    pair = tf.gather(tf.transpose(values[..., 3:], [1, 0, 2]), top, batch_dims=1)
    return tf.concat([tf.stack([_most(logit, elements > 0), *averages], 1), pair], 1)


def _merged_inputs(values: tf.Tensor) -> tf.Tensor:
    """`[inputs, 2]`: finite elements and their norm."""
    finite, norm = tf.unstack(values, axis=2)
    return tf.stack([tf.reduce_sum(finite, 0), tf.sqrt(tf.reduce_sum(tf.square(norm), 0))], 1)


def _known(values: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(values), tf.zeros_like(values), values)


def _average(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Over replicas; NaN without weight."""
    weighted = tf.where(weights > 0, values * weights, 0.0)
    return tf.reduce_sum(weighted, 0) / tf.reduce_sum(weights, 0)


def _rms(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(_average(tf.square(values), weights))


def _most(values: tf.Tensor, is_there: tf.Tensor) -> tf.Tensor:
    """The largest over the replicas where it is there; NaN if one of these is NaN, minus infinity for none."""
    is_lost = tf.reduce_any(is_there & tf.math.is_nan(values), 0)
    kept = tf.where(is_there & ~tf.math.is_nan(values), values, -math.inf)
    return tf.where(is_lost, tf.constant(math.nan, values.dtype), tf.reduce_max(kept, 0))


def _least_known(values: tf.Tensor) -> tf.Tensor:
    """The smallest of `[replicas]`, NaN if all are NaN."""
    is_known = ~tf.math.is_nan(values)
    least = tf.reduce_min(tf.where(is_known, values, math.inf))
    return tf.where(tf.reduce_any(is_known), least, math.nan)


def merged_histograms(packed: tf.Tensor) -> tf.Tensor:
    """`[1, histograms * 32]` over the widest edges; a bucket's count goes to the bucket that holds its middle."""
    width = HISTOGRAM_EDGES + HISTOGRAM_BUCKETS
    table = tf.cast(tf.reshape(packed, [packed.shape[0], -1, width]), tf.float64)
    is_known = tf.math.is_finite(table[..., 0])
    low = tf.reduce_min(tf.where(is_known, table[..., 0], math.inf), 0)
    high = tf.reduce_max(tf.where(is_known, table[..., 1], -math.inf), 0)
    step = (high - low) / HISTOGRAM_BUCKETS
    middle = (np.arange(HISTOGRAM_BUCKETS) + 0.5) / HISTOGRAM_BUCKETS
    middles = table[..., :1] + (table[..., 1:2] - table[..., :1]) * middle
    # All values are the same where the edges are: they belong into the last bucket.
    last = tf.fill(tf.shape(middles), tf.cast(HISTOGRAM_BUCKETS - 1, tf.float64))
    places = tf.where(step[:, None] > 0, (middles - low[:, None]) / step[:, None], last)
    places = tf.clip_by_value(_known(places), 0.0, HISTOGRAM_BUCKETS - 1.0)
    count = tf.shape(table)[1]
    segments = tf.cast(places, tf.int32) + HISTOGRAM_BUCKETS * tf.range(count)[:, None]
    counts = tf.where(is_known[..., None], table[..., HISTOGRAM_EDGES:], 0.0)
    summed = tf.math.unsorted_segment_sum(counts, segments, count * HISTOGRAM_BUCKETS)
    merged = tf.concat([tf.stack([low, high], 1), tf.reshape(summed, [-1, HISTOGRAM_BUCKETS])], 1)
    merged = tf.where(tf.reduce_any(is_known, 0)[:, None], merged, math.nan)
    return tf.cast(tf.reshape(merged, [1, -1]), tf.float32)


def merged_sequences(packed: tf.Tensor) -> tf.Tensor:
    """`[1, cells * SEQUENCE_VALUES]`. Bins of different lengths agree only where they are time steps; otherwise the
    longest parts count.
    """
    table = tf.cast(tf.reshape(packed, [packed.shape[0], -1, SEQUENCE_VALUES]), tf.float64)
    lengths = table[..., 0]
    longest = tf.reduce_max(_known(lengths), 0)
    is_same = tf.where(longest <= TIME_BINS, lengths <= TIME_BINS, tf.equal(lengths, longest))
    kinds = tf.reshape(table[..., 1:], [packed.shape[0], -1, 2, 2, TIME_BINS])
    counts = tf.where(is_same[..., None, None], _known(kinds[:, :, :, 0]), 0.0)
    means = _rms(kinds[:, :, :, 1], counts)
    bins = tf.stack([tf.reduce_sum(counts, 0), means], 2)
    merged = tf.concat([longest[:, None], tf.reshape(bins, [-1, SEQUENCE_VALUES - 1])], 1)
    merged = tf.where(tf.reduce_any(~tf.math.is_nan(lengths), 0)[:, None], merged, math.nan)
    return tf.cast(tf.reshape(merged, [1, -1]), tf.float32)
