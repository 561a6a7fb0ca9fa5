import json
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events import schema
from tb_activations.events.encoding import Encoder
from tb_activations.events.findings import stored_findings
from tb_activations.events.packing import unpack
from tb_activations.events.unit_coding import quantize_activity, quantize_peak
from tb_activations.recording import stock
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.specs import LayerSpec, RunSpec
from tb_activations.records.step_record import StepRecord

SPEC = RunSpec("m", (LayerSpec("a", "Dense", units=3), LayerSpec("a@1", "Dense", call_site=1), LayerSpec("b", "Add")))


def record(step: int = 0, units: int = 3) -> StepRecord:
    return StepRecord(
        step=step,
        layers=np.arange(3 * 17, dtype=np.float32).reshape(3, 17),
        weights=np.ones((1, len(WEIGHT_COLUMNS)), np.float32),
        totals=np.resize(np.array([0.5, 1e-3, 0, 32, np.nan], np.float32), len(STEP_COLUMNS)),
        unit_activity=np.array([0, 0.5, 1], np.float32)[:units],
        unit_peak=np.array([0, 2, np.inf], np.float32)[:units],
    )


def values(summary: Summary) -> dict[str, Summary.Value]:
    return {value.tag: value for value in summary.value}


def unpacked(value: Summary.Value) -> Any:
    return unpack(make_ndarray(value.tensor).tobytes(), schema.PACKED.get(value.tag, np.uint8))


def test_tables_stand_in_the_summary_without_loss() -> None:
    found = values(Encoder().record(record()))
    np.testing.assert_array_equal(unpacked(found[schema.LAYERS]), record().layers)
    np.testing.assert_array_equal(make_ndarray(found[schema.STEP].tensor), record().totals)
    activity, peak, known = unpacked(found[schema.UNITS])
    np.testing.assert_array_equal(activity, quantize_activity(record().unit_activity))
    np.testing.assert_array_equal(peak, quantize_peak(record().unit_peak))
    assert known.all()


def test_what_is_not_given_is_not_written() -> None:
    assert set(values(Encoder().record(record(units=0)))) == {schema.LAYERS, schema.WEIGHTS, schema.STEP}


def test_no_findings_are_written_as_none() -> None:
    found = values(Encoder().record(record(), findings=[]))
    assert stored_findings([make_ndarray(found[schema.FINDINGS].tensor)]) == ((), 0)


def test_metadata_stand_at_the_first_value_of_a_tag_only() -> None:
    encoder = Encoder()
    first, second = values(encoder.record(record())), values(encoder.record(record(1)))
    metadata = first[schema.LAYERS].metadata
    assert metadata.plugin_data.plugin_name == "layer_health"
    assert metadata.data_class == DATA_CLASS_TENSOR
    assert json.loads(metadata.plugin_data.content) == {"schema": 3, "columns": list(LAYER_COLUMNS)}
    assert not any(value.HasField("metadata") for value in second.values())


def test_the_columns_of_outcomes_are_the_rules() -> None:
    summary = Encoder().record(record(), outcomes=np.zeros((3, 2), np.uint8), rules=("x", "y"))
    content = values(summary)[schema.OUTCOMES].metadata.plugin_data.content
    assert json.loads(content)["columns"] == ["x", "y"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"outcomes": np.zeros((3, 2), np.uint8), "rules": ("x",)},
            r"outcomes must have shape \[3, 1\], got \[3, 2\]",
        ),
        ({"histograms": np.zeros((3, 32), np.float32)}, r"histograms must have shape \[3, 2, 32\], got \[3, 32\]"),
        ({"cost": np.zeros(2, np.float32)}, r"cost must have shape \[4\], got \[2\]"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Encoder().record(record(), **arguments)


def test_gradient_scalars_skip_what_has_no_gradient_and_single_calls() -> None:
    step = record()
    step.layers[2, LAYER_COLUMNS.index("weight_gradient_norm")] = np.nan
    (value,) = stock.gradient_scalars(SPEC, step)
    assert value.tag == "gradient_norm/a"
    assert value.metadata.plugin_data.plugin_name == "scalars"
    array = make_ndarray(value.tensor)
    assert array.shape == ()
    assert array.dtype == np.float32
    assert array == step.layer("weight_gradient_norm")[0]


def test_stock_histograms_have_left_right_and_count() -> None:
    table = np.full((3, 2, 32), np.nan, np.float32)
    table[0, 0] = [-1.5, 1.5, *range(30)]
    (value,) = stock.histograms(SPEC, table)
    buckets = make_ndarray(value.tensor)
    assert value.tag == "activation/a"
    assert value.metadata.plugin_data.plugin_name == "histograms"
    assert buckets.dtype == np.float64
    np.testing.assert_array_equal(buckets[:, 2], np.arange(30))
    np.testing.assert_allclose(buckets[1:, 0], buckets[:-1, 1])
    assert (buckets[0, 0], buckets[-1, 1]) == (-1.5, 1.5)


def test_an_image_has_its_size_before_it() -> None:
    value = stock.image("feature_maps/a", b"PNG", 30, 20, "first 4 samples")
    assert list(make_ndarray(value.tensor)) == [b"30", b"20", b"PNG"]
    assert value.metadata.plugin_data.plugin_name == "images"
    assert value.metadata.summary_description == "first 4 samples"


def test_added_values_keep_their_first_metadata() -> None:
    encoder = Encoder()
    summaries = [encoder.record(record(step)) for step in (0, 1)]
    for summary in summaries:
        encoder.add(summary, stock.gradient_scalars(SPEC, record()))
    described = [values(summary)["gradient_norm/a"].HasField("metadata") for summary in summaries]
    assert described == [True, False]
