"""Converts descriptions of runs and findings to JSON and back without loss.

JSON has neither NaN nor infinity: they are written as the strings "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.old_signs import sign_of
from tb_activations.records.finding import UNITS, Finding, Severity, Unit
from tb_activations.records.specs import AllPairs, Config, FragileOperation, GradientCut, LayerSpec, RunSpec, WeightSpec

T = TypeVar("T")

DEEPEST = 20
"""Allowed nesting levels of lists and objects in a run's cadence."""

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number_to_json(value: float) -> float | str:
    """`value` itself if finite, else its name as a string."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def run_to_json(spec: RunSpec) -> str:
    """JSON of a run's description.

    Raises:
        ValueError: `spec.cadence` contains NaN or infinity.
        TypeError: `spec.cadence` contains a type that JSON lacks.
    """
    fields = dataclasses.asdict(spec) | {
        "thresholds": {
            rule: {name: number_to_json(value) for name, value in values.items()}
            for rule, values in spec.thresholds.items()
        },
        "cadence": dict(spec.cadence),
        "versions": dict(spec.versions),
    }
    return json.dumps(fields, allow_nan=False)


def finding_to_json(finding: Finding) -> str:
    """JSON of one finding, including NaN and infinity."""
    # Versions up to 0.4 cannot read a finding without `quantity`, which was a title.
    fields = {**dataclasses.asdict(finding), "quantity": finding.sign}
    for name in ("value", "threshold", "closing_threshold"):
        fields[name] = number_to_json(fields[name])
    return json.dumps(fields, allow_nan=False)


def run_from_json(text: str | bytes) -> RunSpec:
    """The run's description from `run_to_json`; unknown members are ignored.

    Raises:
        UnreadableRunError: the text is not such a description; the message names the defect.
    """
    members = _members(text, "the run's description")
    return RunSpec(
        model=_text(members, "model"),
        layers=tuple(_layer(_object(item, "layers")) for item in _list(members, "layers")),
        weights=tuple(_weight(_object(item, "weights")) for item in _list(members, "weights")),
        thresholds={
            rule: {name: number_from_json(value, "thresholds") for name, value in _object(values, "thresholds").items()}
            for rule, values in _object(members.get("thresholds", {}), "thresholds").items()
        },
        cadence=_shallow(_object(members.get("cadence", {}), "cadence"), "cadence", DEEPEST),
        versions={name: str(value) for name, value in _object(members.get("versions", {}), "versions").items()},
        loss=str(members.get("loss", "")),
        from_logits=bool(members.get("from_logits", False)),
        optimizer=_config(members, "optimizer"),
        fragile_operations=_each(members, "fragile_operations", _fragile_operation),
        all_pairs=_each(members, "all_pairs", _all_pairs),
        gradient_cuts=_each(members, "gradient_cuts", _gradient_cut),
    )


def finding_from_json(text: str | bytes) -> Finding:
    """The finding from `finding_to_json`; unknown members are ignored.

    Raises:
        UnreadableRunError: the text is not a finding; the message names the defect.
    """
    members = _members(text, "a finding")
    rule = _text(members, "rule")
    sign, unit = _optional(_to_text, members, "sign"), _optional(_to_unit, members, "unit")
    if sign is None:
        sign, unit = sign_of(rule, _text(members, "quantity"))
    return Finding(
        rule=rule,
        layer=_text(members, "layer"),
        severity=_severity(_text(members, "severity")),
        sign=sign,
        unit=unit or "",
        value=number_from_json(members.get("value"), "value"),
        threshold=number_from_json(members.get("threshold"), "threshold"),
        samples=_whole(members, "samples"),
        checks=_whole(members, "checks"),
        since_step=_whole(members, "since_step"),
        opened_step=_whole(members, "opened_step"),
        last_step=_whole(members, "last_step"),
        message=_text(members, "message"),
        might_be_wrong=_text(members, "might_be_wrong"),
        advice=_text(members, "advice"),
        source=_text(members, "source"),
        units=tuple(_to_whole(unit, "units") for unit in _list(members, "units")),
        unit_count=_whole(members, "unit_count"),
        closed_step=_optional(_to_whole, members, "closed_step"),
        closing_threshold=number_from_json(members.get("closing_threshold", "NaN"), "closing_threshold"),
        root=_optional(_to_text, members, "root"),
        origin=_optional(_to_text, members, "origin") or "",
        reopened_step=_optional(_to_whole, members, "reopened_step"),
        follow_up=_optional(_to_text, members, "follow_up") or "",
        sample_row=_optional(_to_whole, members, "sample_row"),
        sample_id=_optional(_to_text, members, "sample_id") or "",
    )


def _to_unit(value: object, name: str) -> Unit:
    for unit in UNITS:
        if value == unit:
            return unit
    raise UnreadableRunError(f"{name} must be one of {UNITS}, got {value!r:.40}")


def _severity(name: str) -> Severity:
    try:
        return Severity(name)
    except ValueError as error:
        raise UnreadableRunError(f"severity must be one of {', '.join(Severity)}, got {name!r:.40}") from error


def _layer(members: Mapping[str, Any]) -> LayerSpec:
    return LayerSpec(
        name=_text(members, "name"),
        class_name=_text(members, "class_name"),
        call_site=_count(members, "call_site"),
        output_shape=tuple(
            None if size is None else _to_count(size, "output_shape") for size in _list(members, "output_shape")
        ),
        dtype=_text(members, "dtype"),
        units=_count(members, "units"),
        activation=_optional(_to_text, members, "activation"),
        parameters=_count(members, "parameters"),
        trainable=_flag(members, "trainable"),
        inputs=tuple(_to_text(name, "inputs") for name in _list({"inputs": [], **members}, "inputs")),
        is_gate=_flag({"is_gate": False, **members}, "is_gate"),
        is_output=_flag({"is_output": False, **members}, "is_output"),
        part_of=_text({"part_of": "", **members}, "part_of"),
        not_observed=_text(members, "not_observed"),
        config=_config(members, "config"),
    )


def _each(members: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    """What an early version did not write is empty."""
    return tuple(read(_object(item, name)) for item in _list({name: [], **members}, name))


def _fragile_operation(members: Mapping[str, Any]) -> FragileOperation:
    given = {"takes": "", "before": "", **members}
    return FragileOperation(*(_text(given, name) for name in ("kind", "place", "takes", "before")))


def _all_pairs(members: Mapping[str, Any]) -> AllPairs:
    kind, place, vector, column = (_text(members, name) for name in ("kind", "place", "vector", "column"))
    return AllPairs(kind, place, vector, column, _flag(members, "weighs"))


def _gradient_cut(members: Mapping[str, Any]) -> GradientCut:
    return GradientCut(*(_text(members, name) for name in ("layer", "kind", "place")))


def _weight(members: Mapping[str, Any]) -> WeightSpec:
    return WeightSpec(
        name=_text(members, "name"),
        layer=_text(members, "layer"),
        shape=tuple(_to_count(size, "shape") for size in _list(members, "shape")),
        has_gradient=_flag(members, "has_gradient"),
    )


def _config(members: Mapping[str, Any], name: str) -> Config:
    """Values of other types, which a later version may write, are left out."""
    found = _object(members.get(name, {}), name)
    read = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return {
        key: value for key, value in read.items() if all(map(_is_plain, value if isinstance(value, tuple) else [value]))
    }


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _members(text: str | bytes, what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRunError(f"{what} is not JSON: {error}") from error
    return _object(value, what)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableRunError(f"{name} must be a JSON object, got {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _shallow(value: T, name: str, levels: int) -> T:
    """`value` if it is nested at most `levels` deep, so that later recursion stays within Python's limit."""
    if levels < 0:
        raise UnreadableRunError(f"{name} must not be nested more than {DEEPEST} levels deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in inner:
        _shallow(member, name, levels - 1)
    return value


def _list(members: Mapping[str, Any], name: str) -> list[Any]:
    value = members.get(name, [])
    if not isinstance(value, list):
        raise UnreadableRunError(f"{name} must be a list, got {type(value).__name__}")
    return value


def _to_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UnreadableRunError(f"{name} must be text, got {type(value).__name__}")
    return value


def _to_whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise UnreadableRunError(f"{name} must be a 64-bit integer, got {value!r:.40}")
    return value


def _to_count(value: object, name: str) -> int:
    count = _to_whole(value, name)
    if count < 0:
        raise UnreadableRunError(f"{name} must not be negative, got {count}")
    return count


def number_from_json(value: object, name: str) -> float:
    if isinstance(value, str) and value in _NONFINITE:
        return _NONFINITE[value]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UnreadableRunError(f"{name} must be a number, got {value!r:.40}")
    try:
        return float(value)
    except OverflowError as error:
        raise UnreadableRunError(f"{name} must fit in 64 bits, got a number of {len(str(value))} digits") from error


def _text(members: Mapping[str, Any], name: str) -> str:
    return _to_text(members.get(name), name)


def _whole(members: Mapping[str, Any], name: str) -> int:
    return _to_whole(members.get(name), name)


def _count(members: Mapping[str, Any], name: str) -> int:
    return _to_count(members.get(name), name)


def _flag(members: Mapping[str, Any], name: str) -> bool:
    value = members.get(name)
    if not isinstance(value, bool):
        raise UnreadableRunError(f"{name} must be true or false, got {value!r:.40}")
    return value


def _optional(convert: Callable[[object, str], T], members: Mapping[str, Any], name: str) -> T | None:
    value = members.get(name)
    return None if value is None else convert(value, name)
