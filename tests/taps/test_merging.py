"""What replicas measured, merged in the graph: compared with the same parts as calls of one layer on one replica."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tb_activations.records.columns import TIME_BINS
from tb_activations.taps.numbers.layout import (
    ACTIVATION_STATISTICS,
    BATCH_ROWS,
    GRADIENT_STATISTICS,
    HEAD_STATISTICS,
    HEADER,
    SEQUENCE_VALUES,
)
from tb_activations.taps.numbers.merging import CallSizes, merged_histograms, merged_sequences, merged_statistics
from tb_activations.taps.numbers.outputs import OUTPUT_VALUES, Part, outputs
from tb_activations.taps.numbers.standing_out import standing_out
from tb_activations.taps.numbers.unpack_sequences import merged
from tb_activations.taps.numbers.unpack_tensors import merge_histograms

REPLICAS, UNITS = 3, 5
CALLS = [CallSizes(0, UNITS), CallSizes(len(HEAD_STATISTICS), 2), CallSizes(0, 0)]
SIZES = [(len(ACTIVATION_STATISTICS), call.heads, len(GRADIENT_STATISTICS), call.units, call.units) for call in CALLS]
START = len(HEADER) + len(BATCH_ROWS)


def packed(seed: int) -> Any:
    """Plausible statistics of three replicas, some of them with NaN, an empty call, or no gradient."""
    random = np.random.default_rng(seed)
    values = random.uniform(0.1, 2.0, (REPLICAS, START + sum(map(sum, SIZES)) + 2 + 7)).astype(np.float32)
    place = START
    for number, (activation, heads, gradient, units, _) in enumerate(SIZES):
        values[:, place] = random.integers(10, 40, REPLICAS)
        values[:, place + ACTIVATION_STATISTICS.index("nonfinite")] = random.integers(0, 3, REPLICAS)
        values[:, place + activation + heads] += 20
        if seed % 3 == number:
            # This replica took another branch of a condition.
            values[0, place : place + activation] = np.nan
            values[0, place] = values[0, place + ACTIVATION_STATISTICS.index("nonfinite")] = 0
            values[0, place + activation : place + activation + min(heads, 1)] = -np.inf
            end = place + activation + heads + gradient + 2 * units
            values[0, end - units : end] = 0
            values[1, place + activation + heads : place + activation + heads + gradient] = np.nan
        place += activation + heads + gradient + 2 * units
    return values


def parts_of(values: Any) -> list[list[Part]]:
    """Of each call, one part for each replica."""
    result, place = [], START
    for sizes in SIZES:
        edges = place + np.cumsum([0, *sizes])
        pieces = [values[:, low:high].astype(np.float64) for low, high in itertools.pairwise(edges)]
        activation, heads, gradient, active, peak = pieces
        result.append(
            [
                Part(
                    *(piece[[one]] for piece in (activation, np.ones((len(values), 1)), heads, gradient, active, peak))
                )
                for one in range(len(values))
            ]
        )
        place = edges[-1]
    return result


@pytest.mark.parametrize("seed", range(12))
def test_replicas_merge_like_calls_of_one_layer(seed: int) -> None:
    values = packed(seed)
    whole = merged_statistics(tf.constant(values), CALLS, 1).numpy()
    assert whole.shape == (1, values.shape[1])
    units = [call.units for call in CALLS]
    expected, measured = (outputs(parts_of(table), units, 2.0) for table in (values, whole))
    for name in OUTPUT_VALUES:
        np.testing.assert_allclose(measured[0][name], expected[0][name], rtol=1e-5, err_msg=name)
    for one, other in zip(measured[1:], expected[1:], strict=True):
        known = np.isfinite(other)
        np.testing.assert_allclose(one[known], other[known], rtol=1e-5)


def test_weights_are_those_of_any_replica_and_inputs_add_up() -> None:
    values = packed(0)
    values[:, -7:] = values[0, -7:]
    whole = merged_statistics(tf.constant(values), CALLS, 1).numpy()[0]
    np.testing.assert_array_equal(whole[-7:], values[0, -7:])
    np.testing.assert_allclose(whole[-9:-7], [values[:, -9].sum(), np.linalg.norm(values[:, -8])], rtol=1e-6)


def head(**columns: list[float]) -> dict[str, float]:
    """The merged header and rows of a step in which only these columns have these values."""
    names = (*HEADER, *BATCH_ROWS)
    values = np.full((REPLICAS, len(names) + sum(map(sum, SIZES)) + 2), 1.0, np.float32)
    values[:, [names.index(name) for name in BATCH_ROWS]] = np.nan
    place = START
    for sizes in SIZES:
        values[:, place + ACTIVATION_STATISTICS.index("nonfinite")] = 0
        values[:, place + sizes[0] + sizes[1] + GRADIENT_STATISTICS.index("nonfinite")] = 0
        place += sum(sizes)
    for name in names:
        if name.endswith("_nonfinite"):
            values[:, names.index(name)] = 0
    for name, column in columns.items():
        values[:, names.index(name)] = column
    return dict(zip(names, merged_statistics(tf.constant(values), CALLS, 1).numpy()[0], strict=False))


def test_the_head_of_a_step() -> None:
    merged_head = head(
        loss=[0.5, 0.25, 1.0],
        samples=[10, 10, 4],
        input_rms=[1.0, 2.0, 3.0],
        input_min=[np.nan, -2.0, 1.0],
        input_max=[np.nan, -2.0, 5.0],
        log_z_max=[3.0, 7.0, 1.0],
        target_nonfinite=[0, 2, 0],
        target_sum_min=[1.0, 0.0, np.nan],
        target_sum_max=[1.0, 3.0, np.nan],
    )
    assert merged_head["loss"] == 1.75
    assert merged_head["samples"] == 24
    assert merged_head["input_rms"] == pytest.approx(np.sqrt((10 + 40 + 36) / 24))
    assert (merged_head["input_min"], merged_head["input_max"], merged_head["log_z_max"]) == (-2, 5, 7)
    assert (merged_head["target_sum_min"], merged_head["target_sum_max"]) == (0, 3)
    assert (merged_head["target_nonfinite"], merged_head["nonfinite_replica"]) == (2, 1)


@pytest.mark.parametrize("losses", [[0.5, 0.5, 0.5], [np.nan, np.inf, 0.5]], ids=["none", "two"])
def test_no_replica_is_named_unless_it_is_the_only_one(losses: list[float]) -> None:
    assert np.isnan(head(loss=losses)["nonfinite_replica"])


def test_the_only_replica_whose_loss_is_lost_is_named() -> None:
    assert head(loss=[0.5, 0.5, np.nan])["nonfinite_replica"] == 2


def test_rows_are_counted_over_the_replicas() -> None:
    merged_head = head(
        samples=[10, 10, 4],
        input_row=[np.nan, 7, 2],
        input_rows=[0, 1, 1],
        gradient_row=[3, 4, 1],
        gradient_norm=[2.0, 5.0, 4.0],
        gradient_whole=[3.0, 6.0, 4.0],
        gradient_rows=[10, 10, 4],
    )
    totals = standing_out(merged_head, merged_head["samples"])
    assert (totals["input_row"], totals["gradient_row"]) == (17, 14)
    assert totals["gradient_row_share"] == pytest.approx(25 / (9 + 36 + 16))


def test_histograms_merge_like_those_of_calls() -> None:
    random = np.random.default_rng(3)
    table = random.integers(0, 50, (REPLICAS, 4, 32)).astype(np.float32)
    table[..., 0], table[..., 1] = random.uniform(-2, -1, (REPLICAS, 4)), random.uniform(1, 3, (REPLICAS, 4))
    table[0, 1] = np.nan
    table[:, 2] = np.nan
    table[:, 3, :2] = 0.5
    whole = merged_histograms(tf.constant(table.reshape(REPLICAS, -1))).numpy()
    assert whole.shape == (1, 4 * 32)
    expected = [merge_histograms(table[:, place]) for place in range(4)]
    np.testing.assert_allclose(whole.reshape(4, 32), expected, rtol=1e-6)


@pytest.mark.parametrize("lengths", [(12, 12, 9), (80, 80, 70), (12, np.nan, 12)])
def test_sequences_merge_like_those_of_calls(lengths: tuple[float, ...]) -> None:
    table = np.random.default_rng(5).uniform(0.5, 2, (REPLICAS, 2, SEQUENCE_VALUES)).astype(np.float32)
    table[:, 0, 0], table[:, 1, 0] = lengths, np.nan
    # A bin without elements has no mean.
    table[1, 0, 1], table[1, 0, 1 + TIME_BINS] = 0, np.nan
    whole = merged_sequences(tf.constant(table.reshape(REPLICAS, -1))).numpy()
    assert whole.shape == (1, 2 * SEQUENCE_VALUES)
    measured = [merged(one[None]) for one in whole.reshape(2, SEQUENCE_VALUES)]
    np.testing.assert_allclose(measured, [merged(table[:, place]) for place in range(2)], rtol=1e-5)
