"""Metrics of epochs as text, and what a hostile text gives."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events.epoch_metrics import LONGEST_NAME, MOST_METRICS, epoch_from_json, epoch_to_json
from tb_activations.events.errors import UnreadableRunError
from tb_activations.records.epoch_metrics import EpochMetrics

NAMES = st.text(max_size=LONGEST_NAME)


@given(values=st.dictionaries(NAMES, st.floats(), max_size=8), epoch=st.integers(0, 2**53))
def test_metrics_come_back_as_they_were(values: dict[str, float], epoch: int) -> None:
    again = epoch_from_json(epoch_to_json(EpochMetrics(7, epoch, values)).encode(), 7)
    assert (again.step, again.epoch, list(again.values)) == (7, epoch, list(values))
    for name, value in values.items():
        assert again.values[name] == value or (math.isnan(value) and math.isnan(again.values[name]))


def test_members_that_are_not_known_are_ignored() -> None:
    text = json.dumps({"epoch": 1, "metrics": {"loss": 2.0}, "later": [1]})
    assert epoch_from_json(text.encode(), 3).values == {"loss": 2.0}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b'{"epoch": -1, "metrics": {}}',
        b'{"epoch": true, "metrics": {}}',
        b'{"epoch": 1.5, "metrics": {}}',
        b'{"epoch": 1, "metrics": []}',
        b'{"epoch": 1, "metrics": {"loss": "low"}}',
        b'{"epoch": 1, "metrics": {"loss": [1]}}',
        json.dumps({"epoch": 1, "metrics": {"x" * (LONGEST_NAME + 1): 1}}).encode(),
        json.dumps({"epoch": 1, "metrics": {str(index): 1 for index in range(MOST_METRICS + 1)}}).encode(),
        b'{"a": ' * 5000,
        b" " * 70_000,
    ],
)
def test_what_is_no_metrics_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableRunError):
        epoch_from_json(text, 0)
