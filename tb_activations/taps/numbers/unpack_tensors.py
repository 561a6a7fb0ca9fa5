"""Unpacks histograms and feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tb_activations.taps.numbers.layout import HISTOGRAM_BUCKETS, HISTOGRAM_EDGES, Call, places_by_name
from tb_activations.taps.numbers.values import Array, Row

_LENGTH = HISTOGRAM_EDGES + HISTOGRAM_BUCKETS


def histograms(packed: Array, calls: Sequence[Call], rows: Sequence[Row]) -> Array:
    """`[rows, 2, 32]` float32 from `[1, calls * 2 * 32]`: activation, then gradient; lowest edge, highest edge
    and 30 counts. NaN for calls that were not measured.
    """
    table = packed.reshape(len(packed), len(calls), 2, _LENGTH)
    result = np.full((len(rows), 2, _LENGTH), np.nan, np.float32)
    by_name = places_by_name(calls)
    for index, row in enumerate(rows):
        members = [place for place in by_name.get(row.call.name, ()) if row.call_site in (0, calls[place].number)]
        for kind in range(2):
            result[index, kind] = merge_histograms(table[:, members, kind].reshape(-1, _LENGTH))
    return result


def merge_histograms(parts: Array) -> Array:
    """`[32]`: merges `[parts, 32]` over the widest edges; a bucket's count goes to the bucket that holds its middle."""
    parts = parts[np.isfinite(parts[:, 0])]
    if len(parts) <= 1:
        return parts[0] if len(parts) else np.full(_LENGTH, np.nan, np.float32)
    low, high = parts[:, 0].min(), parts[:, 1].max()
    last = np.full(HISTOGRAM_BUCKETS, HISTOGRAM_BUCKETS - 1)
    counts = np.zeros(HISTOGRAM_BUCKETS)
    for part in parts.astype(np.float64):
        middles = part[0] + (part[1] - part[0]) * (np.arange(len(counts)) + 0.5) / len(counts)
        width = (high - low) / len(counts)
        places = np.clip((middles - low) / width, 0, len(counts) - 1).astype(int) if width else last
        np.add.at(counts, places, part[HISTOGRAM_EDGES:])
    return np.concatenate([[low, high], counts]).astype(np.float32)


def feature_maps(packed: Array, calls: Sequence[Call]) -> Mapping[str, Array]:
    """Layer name to `[samples, height, width, channels]` float32, from the layer's first call.

    A short batch has fewer samples.
    """
    maps: dict[str, Array] = {}
    values = packed[0]
    for call in calls:
        size = int(np.prod(call.map_shape)) if call.map_shape else 0
        if size and call.name not in maps:
            block = values[:size].reshape(call.map_shape)
            maps[call.name] = block[~np.isnan(block).all(axis=(1, 2, 3))]
        values = values[size:]
    return maps
