"""Records without the share of every unit lose nothing that a rule or a life needs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tb_activations.events.unit_coding import NOT_MEASURED, restore_activity, restore_peak
from tb_activations.events.units import StoredUnits, UnitPacker, UnitTable
from tb_activations.records.step_record import StepRecord
from tests.events.test_encoding import record

SHARES = restore_activity(np.arange(256, dtype=np.uint8))
PEAKS = restore_peak(np.arange(256, dtype=np.uint8))


def records(activity: NDArray[np.uint8]) -> list[StepRecord]:
    """Records with these codes `[steps, units]`; the peaks of active units are those with the same codes."""
    return [
        dataclasses.replace(record(step), unit_activity=SHARES[codes], unit_peak=PEAKS[codes])
        for step, codes in enumerate(activity)
    ]


def stored(activity: NDArray[np.uint8], tables: list[bool], kept: NDArray[np.bool_]) -> UnitTable:
    packer = UnitPacker()
    packed = [packer.pack(one, None if table else kept) for one, table in zip(records(activity), tables, strict=True)]
    return UnitTable(activity.shape[1], [StoredUnits(content) for content in packed])


codes = st.sampled_from([0, 1, 100, 253, NOT_MEASURED, 255])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*[codes] * 3), min_size=1, max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
def test_silence_and_kept_peaks_are_exact_at_every_record(rows: list[tuple[int, ...]], tables: list[bool]) -> None:
    activity = np.array(rows, np.uint8)
    kept = np.array([True, False, True])
    read = stored(activity, tables[: len(activity)], kept).of_units(slice(0, 3))
    np.testing.assert_array_equal(read[:, 0] == 0, activity == 0)
    np.testing.assert_array_equal(read[:, 0] == NOT_MEASURED, activity == NOT_MEASURED)
    np.testing.assert_array_equal(read[:, 1, kept], activity[:, kept])


def test_an_active_unit_repeats_its_latest_share() -> None:
    activity = np.array([[100, 0], [120, 0], [0, 50], [90, 60], [90, 70], [80, 80]], np.uint8)
    table = stored(activity, [True, False, False, False, False, True], np.zeros(2, bool))
    np.testing.assert_array_equal(
        table.of_units(slice(0, 2))[:, 0],
        # A unit that was silent at the record before has its share, so that there is one to repeat.
        [[100, 0], [100, 0], [0, 50], [90, 50], [90, 50], [80, 80]],
    )


def test_the_first_record_of_a_file_is_a_full_table() -> None:
    activity = np.array([[7, 0, 9]], np.uint8)
    table = stored(activity, [False], np.zeros(3, bool))
    np.testing.assert_array_equal(table.of_units(slice(0, 3))[0], [[7, 0, 9], [7, 0, 9]])


def test_steps_and_slices_agree() -> None:
    activity = np.random.default_rng(0).integers(0, 3, (9, 5)).astype(np.uint8)
    table = stored(activity, [step % 4 == 0 for step in range(9)], np.zeros(5, bool))
    whole = np.stack(list(table.steps()))
    np.testing.assert_array_equal(whole[:, :, 1:3], table.of_units(slice(1, 3)))
    np.testing.assert_array_equal(UnitTable.of(whole).of_units(slice(0, 5)), whole)


@pytest.mark.parametrize("content", [b"damage", b"", np.zeros((3, 4), np.uint8), np.zeros((2, 9), np.uint8)])
def test_damaged_units_are_not_measured(content: bytes | NDArray[np.uint8]) -> None:
    table = UnitTable(4, [StoredUnits(content), None])
    assert (table.of_units(slice(0, 4)) == NOT_MEASURED).all()


def test_most_records_of_a_wide_model_take_a_fraction_of_its_table() -> None:
    random = np.random.default_rng(0)
    silent = random.random(60_000) < 0.03
    activity = np.stack([np.where(silent, 0, random.integers(150, 250, 60_000)) for _ in range(2)]).astype(np.uint8)
    packer = UnitPacker()
    table, states = (packer.pack(one, np.zeros(60_000, bool)) for one in records(activity))
    assert len(states) < len(table) / 15
