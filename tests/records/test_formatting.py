"""Numbers formatted for people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.records.formatting import count, different, measured, number, percent, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (0.5, "0.5"),
        (93.75, "93.8"),
        (1234.5, "1230"),
        (99_949, "99900"),
        (99_950, "1e5"),
        (123_456, "1.23e5"),
        (0.001, "0.001"),
        (0.0010004, "0.001"),
        (0.000999, "9.99e-4"),
        (0.001126, "0.00113"),
        (-0.00012345, "-1.23e-4"),
        (1e-8, "1e-8"),
        (math.nan, "NaN"),
        (math.inf, "infinity"),
        (-math.inf, "-infinity"),
    ],
)
def test_three_digits_are_shown(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (0.5, "50%"),
        (0.9375, "93.8%"),
        (0.9994, "99.9%"),
        (0.9999, ">99.9%"),
        (1, "100%"),
        (1e-6, "1e-4%"),
        (math.nan, "NaN"),
    ],
)
def test_shares_are_in_percent(value: float, text: str) -> None:
    assert percent(value) == text


def test_counts_are_grouped() -> None:
    assert (count(12_500), count(0), count(math.inf)) == ("12,500", "0", "infinity")


def test_the_unit_decides() -> None:
    assert [measured(0.25, unit) for unit in ("share", "count", "")] == ["25%", "0", "0.25"]


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
