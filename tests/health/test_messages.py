"""Every message of every rule names layer, value, threshold and first step."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator

import pytest

from tb_activations.health.rules import RULES
from tb_activations.health.verdict import headline
from tb_activations.records.finding import WHOLE, Finding
from tests.health.sick_histories import EVERY, histories
from tests.health.trainings import judge

HISTORIES = histories()
CASES = [(rule, place) for rule in RULES for place in range(len(HISTORIES.get(rule, ())))]
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?%?")
NOTHING = re.compile(r"\b(?:zero|none)\b", re.IGNORECASE)


@functools.cache
def found_by(rule: str, place: int) -> tuple[Finding, ...]:
    """Every finding of one of the rule's histories, as it stood after every observed step."""
    history = HISTORIES[rule][place]
    return tuple(finding for one in judge(history.spec, history.records, [rule]) for finding in one.findings)


def is_stated(value: float, text: str) -> bool:
    """Whether a number in the text is `value`, rounded to as many digits as are written."""
    if not math.isfinite(value):
        return str(value) in text.lower() or "infin" in text
    if value == 0 and NOTHING.search(text):
        return True
    return any(abs(number - value) <= half_a_digit for number, half_a_digit in numbers(text))


def numbers(text: str) -> Iterator[tuple[float, float]]:
    for written in NUMBER.findall(text):
        digits, percent, _ = written.partition("%")
        unit = 0.01 if percent else 1.0
        mantissa, _, exponent = digits.partition("e")
        decimals = len(mantissa.partition(".")[2])
        yield float(digits) * unit, 0.501 * unit * 10.0 ** (int(exponent or 0) - decimals)


def test_every_rule_has_its_sick_histories() -> None:
    assert [rule for rule in RULES if not HISTORIES.get(rule)] == []


@pytest.mark.parametrize(("rule", "place"), CASES)
def test_the_message_names_layer_value_threshold_and_since_when(rule: str, place: int) -> None:
    findings = found_by(rule, place)
    assert findings
    for finding in findings:
        text = finding.message
        assert re.search(rf"\b{finding.layer}\b", text), text
        assert is_stated(finding.value, text), f"{finding.value} is not in: {text}"
        assert is_stated(finding.threshold, text), f"{finding.threshold} is not in: {text}"
        assert re.search(rf"(?:since|first seen at) step {finding.since_step}\b", text), text
        assert text.endswith("."), text


@pytest.mark.parametrize(("rule", "place"), CASES)
def test_the_right_layer_is_named_since_the_right_step(rule: str, place: int) -> None:
    history, first = HISTORIES[rule][place], found_by(rule, place)[0]
    assert (first.rule, first.layer) == (rule, history.layer)
    assert abs(first.since_step - history.since) <= history.slack * EVERY
    assert first.sign == history.sign


@pytest.mark.parametrize(("rule", "place"), CASES)
def test_what_a_person_needs_is_there(rule: str, place: int) -> None:
    for finding in found_by(rule, place):
        assert finding.source == RULES[rule].source
        assert finding.might_be_wrong.endswith(".")
        assert finding.advice.endswith(".")
        assert finding.samples > 0
        assert finding.checks > 0
        assert finding.since_step <= finding.opened_step <= finding.last_step
        assert finding.layer == WHOLE or finding.layer not in headline(finding)
        assert headline(finding)


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (0.876, "88% of the units", True),
        (0.876, "87% of the units", False),
        (1.13e-3, "elasticity 1.1e-03", True),
        (1.13e-3, "elasticity 1.2e-03", False),
        (7.0, "7 values", True),
        (7.0, "17 values", False),
        (0.0, "none allowed", True),
        (0.0, "nothing", False),
    ],
)
def test_the_check_of_messages_can_fail(value: float, text: str, expected: bool) -> None:
    assert is_stated(value, text) is expected
