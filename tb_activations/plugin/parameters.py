"""Validated parameters of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tb_activations.plugin.errors import BadParameterError

DEFAULT_MAX_STEPS = 1000
LARGEST_MAX_STEPS = 10_000
LARGEST_LIST = 64


def text(query: Mapping[str, str], name: str) -> str:
    """The parameter's text. Raises BadParameterError if it is missing or empty."""
    value = query.get(name)
    if not value:
        raise BadParameterError(name, value, "a name")
    return value


def choice(query: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The parameter's text, one of `allowed`. Raises BadParameterError otherwise."""
    value = query.get(name)
    if value is None or value not in allowed:
        raise BadParameterError(name, value, f"one of {', '.join(allowed)}")
    return value


def choices(query: Mapping[str, str], name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """One to 64 of `allowed`, separated by commas in the parameter. Raises BadParameterError otherwise."""
    value = query.get(name)
    values = value.split(",") if value else []
    if not 0 < len(values) <= LARGEST_LIST or not set(values) <= set(allowed):
        raise BadParameterError(name, value, f"1 to {LARGEST_LIST} of {', '.join(allowed)}, separated by commas")
    return tuple(values)


def max_steps(query: Mapping[str, str]) -> int:
    """The parameter `max_steps`, 1000 if it is missing. Raises BadParameterError if it is not in 1 to 10,000."""
    value = query.get("max_steps")
    if value is None:
        return DEFAULT_MAX_STEPS
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= LARGEST_MAX_STEPS:
        raise BadParameterError("max_steps", value, f"an integer from 1 to {LARGEST_MAX_STEPS}")
    return int(value)


def step(query: Mapping[str, str]) -> int:
    """The parameter `step`. Raises BadParameterError if it is not a non-negative integer."""
    value = query.get("step")
    if value is None or not re.fullmatch(r"[0-9]{1,15}", value):
        raise BadParameterError("step", value, "a non-negative integer")
    return int(value)
