"""Numbers formatted for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.records.formatting import measured, number

TEXTS = json.loads((Path(__file__).parent / "number_texts.json").read_text("utf-8"))
"""Values, their units and their texts; the tests of the tab read the same file."""


@pytest.mark.parametrize(("value", "unit", "text"), TEXTS)
def test_numbers_read_as_agreed_with_the_tab(value: float | str, unit: str, text: str) -> None:
    assert measured(float(value), unit) == text


@given(st.floats(-1e300, 1e300))
def test_the_text_is_the_value_to_three_digits(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0.006)
