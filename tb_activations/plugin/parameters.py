"""Validated parameters of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tb_activations.health.rules import Rule, configure
from tb_activations.plugin.errors import BadParameterError
from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, Mutes, mutes_of

DEFAULT_MAX_STEPS = 1000
LARGEST_MAX_STEPS = 10_000
LARGEST_LIST = 64
LONGEST_JSON = 16_384
"""Characters of a parameter that holds JSON."""


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


def rules(query: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules in the parameter `rules`, as in a rules file. Raises BadParameterError for anything else."""
    allowed = "a JSON object that maps at least one rule id to thresholds"
    value = query.get("rules")
    chosen = _json(value, "rules", allowed)
    if not isinstance(chosen, dict) or not chosen:
        raise BadParameterError("rules", value, allowed)
    try:
        return configure(chosen)
    except ValueError as error:
        raise BadParameterError("rules", value, f"{allowed} ({str(error)[:400]})") from error


def mutes(query: Mapping[str, str]) -> Mutes:
    """The mutes in the parameter `muted`, which the browser keeps; none if it is missing.

    Raises:
        BadParameterError: it is not a JSON list of objects with rule, layer and severity.
    """
    value = query.get("muted")
    if not value:
        return {}
    allowed = f"a JSON list of rule, layer and severity, in at most {LONGEST_JSON} characters"
    listed = _json(value, "muted", allowed)
    if not isinstance(listed, list) or not all(map(_is_mute, listed)):
        raise BadParameterError("muted", value, allowed)
    return mutes_of(Mute(each["rule"], each["layer"], Severity(each["severity"]), "", 0.0) for each in listed)


def _is_mute(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"rule", "layer", "severity"}:
        return False
    return all(isinstance(text, str) for text in entry.values()) and entry["severity"] in list(Severity)


def _json(value: str | None, name: str, allowed: str) -> Any:
    if value is None or len(value) > LONGEST_JSON:
        raise BadParameterError(name, value, allowed)
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadParameterError(name, value, allowed) from error
