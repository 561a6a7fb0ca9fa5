"""Numbers formatted for people."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.records.formatting import different, measured, number, size

TEXTS = json.loads((Path(__file__).parent / "number_texts.json").read_text("utf-8"))
"""Values, their units and their texts; the tests of the tab read the same file."""


@pytest.mark.parametrize(("value", "unit", "text"), TEXTS)
def test_numbers_read_as_agreed_with_the_tab(value: float | str, unit: str, text: str) -> None:
    assert measured(float(value), unit) == text


@given(st.floats(-1e300, 1e300))
def test_the_text_is_the_value_to_three_digits(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (3_100_000_000, "3.1 GB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(nbytes: int, text: str) -> None:
    assert size(nbytes) == text


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (1.0, 2.0, ("1", "2")),
        (1.0001, 1.0002, ("1.0001", "1.0002")),
        (123_456.0, 123_457.0, ("1.23456e5", "1.23457e5")),
        (5.0, 5.0, ("5", "5")),
        (math.nan, math.inf, ("NaN", "infinity")),
    ],
)
def test_two_numbers_can_be_distinguished(low: float, high: float, texts: tuple[str, str]) -> None:
    assert different(low, high) == texts
