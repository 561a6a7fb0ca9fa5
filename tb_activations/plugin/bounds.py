"""How large an answer may become, and how it says what it leaves out for that."""

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
"""Of one layer; the callback tracks no more."""
MOST_FINDING_UNITS = 1000
MOST_PICTURE_SERIES = 1000
LONGEST_TEXT = 16_384
"""Characters; a name that is longer fits into no address."""
LONGEST_RULE = 200
"""Characters of a rule's id."""
LARGEST_LIST = 16 * 2**20
"""Bytes of JSON of one list in an answer."""
LARGEST_SETTINGS = 2**18
"""Bytes of JSON of one object with the settings of a run."""

_MEMBERS = 400
"""Bytes, more than the names, numbers and brackets in the JSON of one layer take."""
_NUMBER = 24
_LONGEST_ESCAPE = 12
"""Bytes of the JSON of one character: a pair of surrogates, escaped."""


class Leavings:
    """What one answer leaves out: how many entries, by the name of the list that lacks them."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def note(self, name: str, count: int) -> None:
        """`count` entries of `name` are not in the answer; 0 says that it is whole."""
        if count:
            self.counts[name] = count

    def fitting(self, name: str, entries: Iterable[T], total: int, most: int) -> list[T]:
        """The first of `total` entries, at most `most` and `LARGEST_LIST` bytes of JSON of them."""
        sized = ((entry, len(to_json(entry)) + 2) for entry in itertools.islice(entries, most))
        kept = _within(sized, LARGEST_LIST)
        self.note(name, total - len(kept))
        return kept

    def settings(self, name: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of `members`, or none of them where their JSON has more than `LARGEST_SETTINGS` bytes."""
        if len(to_json(members)) <= LARGEST_SETTINGS:
            return members
        self.note(name, len(members))
        return {}


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """`text`; of a longer one than `longest` the beginning, and how much is missing."""
    missing = len(text) - longest
    return text if missing <= 0 else f"{text[:longest]}… ({missing} more characters)"


def with_clipped_texts(members: Mapping[str, Any]) -> dict[str, Any]:
    """`members` with each text clipped, on its own or in a list."""
    return {name: _clipped_member(value) for name, value in members.items()}


def shown_layers(run: Run) -> int:
    """How many of the run's layers are rows of its answers: the first, as many as fit into `LARGEST_LIST`."""
    rules = min(len(run.rules), MOST_RULES)
    layers = itertools.islice(run.spec.layers, MOST_LAYERS)
    return len(_within(((None, _layer_size(layer, rules)) for layer in layers), LARGEST_LIST))


def _clipped_member(value: Any) -> Any:
    if isinstance(value, str):
        # What is an enumeration's member stays one.
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
    """Bytes, at least those of the layer's entry in `layers`."""
    texts = (layer.name, layer.class_name, layer.dtype, layer.activation or "", layer.not_observed, *layer.inputs)
    return sum(map(_text_size, texts)) + _NUMBER * (len(layer.output_shape) + rules) + _MEMBERS


def _text_size(text: str) -> int:
    length = min(len(text), LONGEST_TEXT + 40)
    # Quotes and backslashes are doubled, the rest of what ASCII can print is not.
    return (2 if text.isascii() and text.isprintable() else _LONGEST_ESCAPE) * length + 4
