"""The points of one tag as read from an event file or from TensorBoard's data provider."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from tb_activations.events.errors import SchemaError, UnreadableRunError
from tb_activations.events.schema import SCHEMA_VERSION


class Point(NamedTuple):
    """One value of a tag: training step, seconds since the epoch, and the array (bytes objects for strings)."""

    step: int
    wall_time: float
    value: NDArray[Any]


class Series(NamedTuple):
    """A tag's metadata (the plugin's content, JSON) and its points in the order written."""

    content: bytes
    points: Sequence[Point]


def columns(series: Series, tag: str) -> tuple[str, ...]:
    """The column names in the tag's metadata.

    Raises:
        SchemaError: a newer version of this package wrote the tag.
        UnreadableRunError: the metadata is not what this package writes.
    """
    try:
        metadata = json.loads(series.content)
        version, names = metadata["schema"], metadata["columns"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableRunError(f"the metadata of {tag} cannot be read: {error!r}") from error
    if not isinstance(version, int) or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnreadableRunError(f"the metadata of {tag} has no schema version and column names")
    if version > SCHEMA_VERSION:
        raise SchemaError(version, SCHEMA_VERSION)
    return tuple(names)


def ordered(points: Iterable[Point]) -> list[Point]:
    """The points with strictly increasing steps: a repeated step replaces itself and everything after it."""
    kept: list[Point] = []
    for point in points:
        while kept and kept[-1].step >= point.step:
            kept.pop()
        kept.append(point)
    return kept
