"""Limits on the size of an answer, and the record of what it leaves out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tb_activations.events.run import Run
from tb_activations.plugin.frames import to_json
from tb_activations.records.specs import LayerSpec

T = TypeVar("T")

MOST_LAYERS = MOST_FINDINGS = MOST_RUNS = 10_000
MOST_RULES = 64
MOST_UNITS = 16_384
"""Per layer; the callback tracks no more."""
MOST_FINDING_UNITS = 1000
MOST_PICTURE_SERIES = 1000
LONGEST_TEXT = 16_384
"""Characters; a longer name does not fit into a URL."""
LONGEST_RULE = 200
"""Characters in the id of a rule."""
LARGEST_LIST = 16 * 2**20
"""Bytes of JSON per list in an answer."""
LARGEST_REPORT = 32 * 2**20
"""Bytes of a page."""
LARGEST_SETTINGS = 2**18
"""Bytes of JSON per settings object of a run."""

_MEMBERS = 400
"""Upper bound in bytes of the keys, numbers and brackets in the JSON of one layer."""
_NUMBER = 24
_LONGEST_ESCAPE = 12
"""Bytes of JSON per character at most: an escaped surrogate pair."""


class Omissions:
    """Counts of the entries that one answer leaves out, by the name of the list."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def note(self, name: str, count: int) -> None:
        """Record that the answer lacks `count` entries of `name`; 0 records nothing."""
        if count:
            self.counts[name] = count

    def fitting(self, name: str, entries: Iterable[T], total: int, most: int) -> list[T]:
        """The first entries: at most `most`, and at most `LARGEST_LIST` bytes of JSON. Records the rest of `total`."""
        sized = ((entry, len(to_json(entry)) + 2) for entry in itertools.islice(entries, most))
        kept = _within(sized, LARGEST_LIST)
        self.note(name, total - len(kept))
        return kept

    def settings(self, name: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of `members`, or none if their JSON exceeds `LARGEST_SETTINGS` bytes."""
        if len(to_json(members)) <= LARGEST_SETTINGS:
            return members
        self.note(name, len(members))
        return {}


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """`text`, cut to `longest` characters plus a note of how many are missing."""
    missing = len(text) - longest
    return text if missing <= 0 else f"{text[:longest]}… ({missing} more characters)"


def with_clipped_texts(members: Mapping[str, Any]) -> dict[str, Any]:
    """`members` with every text clipped, including texts in lists."""
    return {name: _clipped_member(value) for name, value in members.items()}


def shown_layers(run: Run) -> int:
    """How many layers of the run are rows of its answers: the first ones that fit into `LARGEST_LIST`."""
    rules = min(len(run.rules), MOST_RULES)
    layers = itertools.islice(run.spec.layers, MOST_LAYERS)
    return len(_within(((None, _layer_size(layer, rules)) for layer in layers), LARGEST_LIST))


def _clipped_member(value: Any) -> Any:
    if isinstance(value, str):
        # Enumeration members stay enumeration members.
        return value if len(value) <= LONGEST_TEXT else clipped(value)
    if isinstance(value, tuple | list):
        return [_clipped_member(member) for member in value]
    return value


def _within(sized: Iterable[tuple[T, int]], budget: int) -> list[T]:
    kept: list[T] = []
    for entry, size in sized:
        budget -= size
        if budget < 0:
            break
        kept.append(entry)
    return kept


def _layer_size(layer: LayerSpec, rules: int) -> int:
    """Upper bound in bytes of the layer's JSON."""
    texts = (layer.name, layer.class_name, layer.dtype, layer.activation or "", layer.not_observed, *layer.inputs)
    return sum(map(_text_size, texts)) + _NUMBER * (len(layer.output_shape) + rules) + _MEMBERS


def _text_size(text: str) -> int:
    length = min(len(text), LONGEST_TEXT + 40)
    # Quotes and backslashes take two bytes, all other printable ASCII characters one.
    return (2 if text.isascii() and text.isprintable() else _LONGEST_ESCAPE) * length + 4
