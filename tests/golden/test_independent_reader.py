"""`docs/events.md` says enough: a reader that was written from it alone agrees with ours on every schema."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations import load
from tb_activations.events.json_codec import number_to_json
from tests.golden import independent_reader
from tests.golden.conftest import Recorded
from tests.golden.independent_reader import Reader
from tests.golden.make_golden import FOLDER
from tests.synthetic import START_TIME, Plan, write_run

GOLDEN = sorted(path.parent for path in FOLDER.glob("v*/*/*tfevents*"))
TRAINED = [path for path in GOLDEN if path.name == "trained"]


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_both_readers_agree_on_every_schema(folder: Path) -> None:
    agree(folder)


def test_both_readers_agree_on_a_new_training(recorded: Recorded) -> None:
    agree(recorded(""))


def test_both_readers_agree_on_a_run_that_was_continued(tmp_path: Path) -> None:
    plan = Plan(layers=6, steps=20, units=3)
    write_run(tmp_path, plan=plan)
    write_run(tmp_path, plan=plan, seed=1, steps=9, start_step=50, start_time=START_TIME + 100)
    assert len(load(tmp_path).steps) == 14
    agree(tmp_path)


def test_both_readers_move_old_records_to_new_rows(tmp_path: Path) -> None:
    plan = Plan(layers=6, steps=5, units=0)
    write_run(tmp_path, plan=plan)
    write_run(tmp_path, plan=plan, layers=8, start_step=50, start_time=START_TIME + 100)
    assert np.isnan(load(tmp_path).stat("mean")[0]).sum() == 3
    agree(tmp_path)


def agree(folder: Path) -> None:
    reader, run = Reader(folder), load(folder)
    np.testing.assert_array_equal(reader.steps, run.steps)
    assert reader.layers == list(run.layers)
    assert [weight["name"] for weight in reader.description["weights"]] == list(run.weights)
    for column in reader.columns["layers"]:
        np.testing.assert_array_equal(reader.table("layers", column), run.stat(column))
    for column in reader.columns["weights"]:
        np.testing.assert_array_equal(reader.table("weights", column), run.weight_stat(column))
    for column in reader.columns["step"]:
        np.testing.assert_array_equal(reader.table("step", column), run.step_stat(column))
    for place, rule in enumerate(run.rules):
        np.testing.assert_array_equal(reader.outcomes(rule), run.outcomes[:, :, place])
    for layer in run.spec.layers:
        if layer.units:
            activity, peak = reader.units(layer.name)
            np.testing.assert_allclose(activity, run.units(layer.name), rtol=1e-6)
            np.testing.assert_allclose(peak, run.unit_peaks(layer.name), rtol=1e-6)
    for step, table in zip(run.histogram_steps.tolist(), run.histogram_table, strict=True):
        np.testing.assert_array_equal(reader.values["histograms"][step], table)
    found = [(one["rule"], one["layer"], one["opened_step"], one["value"]) for one in reader.findings]
    assert found == [(one.rule, one.layer, one.opened_step, number_to_json(one.value)) for one in run.findings]


def test_the_independent_reader_uses_nothing_of_this_package() -> None:
    tree = ast.parse(Path(independent_reader.__file__).read_text("utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [name for name in modules if name is None or name.startswith(("tb_activations", "tests"))]


@pytest.mark.parametrize("folder", TRAINED, ids=lambda path: path.parent.name)
def test_tensorboard_reads_the_stock_summaries(folder: Path) -> None:
    events, run = EventAccumulator(str(folder), {"tensors": 0}).Reload(), load(folder)
    points = [(one.step, float(one.tensor_proto.float_val[0])) for one in events.Tensors("gradient_norm/hidden")]
    ours = run.scalars("gradient_norm/hidden")
    assert points == list(zip(ours.steps.tolist(), ours.values.tolist(), strict=True))
    assert points


@pytest.mark.filterwarnings("ignore:The inplace keyword:Warning")
def test_tbparse_reads_the_stock_summaries() -> None:
    from tbparse import SummaryReader

    folder = TRAINED[-1]
    frame = SummaryReader(str(folder)).tensors
    for tag in load(folder).scalar_tags:
        found = frame[frame["tag"] == tag]
        ours = load(folder).scalars(tag)
        assert found["step"].tolist() == ours.steps.tolist()
        np.testing.assert_array_equal(found["value"].to_numpy(np.float64), ours.values)
