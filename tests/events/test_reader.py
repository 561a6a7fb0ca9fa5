import dataclasses
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT

from tb_activations.events.encoding import Encoder
from tb_activations.events.errors import SchemaError, UnreadableRunError
from tb_activations.events.reader import load, run_names
from tb_activations.records.columns import HISTOGRAM_BUCKETS, LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tests.synthetic import (
    RULES,
    START_TIME,
    Plan,
    run_spec,
    write_events,
    write_newer_schema,
    write_run,
    write_unreadable,
)

PLAN = Plan(steps=30)


def test_a_run_comes_back_as_arrays(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    run = load(tmp_path)
    assert run.name == "."
    assert run.spec == run_spec(PLAN)
    assert run.layers[2] == "dense_2"
    assert run.steps.tolist() == list(range(0, 300, 10))
    np.testing.assert_array_equal(run.wall_times, START_TIME + 0.5 * np.arange(1, 31))
    assert run.stat("mean").shape == (30, 8)
    assert run.weight_stat("weight_norm").shape == (30, 8)
    assert run.step_stat("samples").tolist() == [32] * 30
    assert np.isnan(run.step_stat("loss_scale")).all()
    assert run.units("dense_2").shape == run.unit_peaks("dense_2").shape == (30, 16)
    assert run.units("batch_normalization_3").shape == (30, 0)
    assert run.rules == RULES
    assert run.outcomes[-1, 2, 0] == Outcome.PROBLEM
    assert [finding.layer for finding in run.findings] == ["dense_2", "dense_0", "dense_1"]
    assert run.findings[0].last_step == 290
    assert run.cost["interval"] == 10
    assert run.dropped == 0


def test_units_die_where_they_died(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    run = load(tmp_path)
    activity = run.units("dense_2")
    assert (activity[: PLAN.death, -1] > 0).all()
    assert (activity[PLAN.death :] == 0).all()
    np.testing.assert_array_equal(activity == 0, run.unit_peaks("dense_2") == 0)


def test_histograms_have_their_own_steps(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    steps, values = load(tmp_path).histograms("gradient")
    assert steps.tolist() == [0, 100, 200]
    assert values.shape == (3, 8, HISTOGRAM_BUCKETS + 2)
    assert (values[:, :, 2:].sum(axis=2) == 512).all()


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    spec = run_spec(PLAN)
    random = np.random.default_rng(0)
    written = StepRecord(
        step=7,
        layers=random.normal(size=(8, len(LAYER_COLUMNS))).astype(np.float32),
        weights=random.normal(size=(8, len(WEIGHT_COLUMNS))).astype(np.float32),
        totals=np.resize(np.array([np.inf, np.nan, 0, 32, 1], np.float32), len(STEP_COLUMNS)),
        unit_activity=np.linspace(0, 1, spec.unit_count).astype(np.float32),
        unit_peak=np.linspace(0, 9, spec.unit_count).astype(np.float32),
    )
    encoder = Encoder()
    summaries = [encoder.run(spec), encoder.record(written)]
    write_events(tmp_path, [Event(step=7, summary=summary) for summary in summaries])
    (first,) = load(tmp_path).records()
    write_events(tmp_path, [Event(step=7, summary=s) for s in (Encoder().run(spec), Encoder().record(first))])
    (second,) = load(tmp_path).records()
    for name in ("layers", "weights", "totals"):
        np.testing.assert_array_equal(getattr(first, name), getattr(written, name))
    for field in dataclasses.fields(StepRecord):
        np.testing.assert_array_equal(getattr(second, field.name), getattr(first, field.name))


@pytest.mark.parametrize("name", ["stat", "weight_stat", "step_stat", "histograms", "units", "unit_peaks"])
def test_an_unknown_name_is_refused_with_what_there_is(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, steps=1)
    with pytest.raises(KeyError, match=r"'nonsense'; .*(mean|weight_norm|loss|activation|dense_0)"):
        getattr(load(tmp_path), name)("nonsense")


def test_a_folder_above_one_run_will_do(tmp_path: Path) -> None:
    write_run(tmp_path, name="deep/below", steps=2)
    (tmp_path / "deep" / "other").mkdir()
    assert load(tmp_path).name == "deep/below"
    assert load(tmp_path / "deep" / "below").name == "."


def test_of_several_runs_one_must_be_chosen(tmp_path: Path) -> None:
    write_run(tmp_path, name="a", steps=2)
    write_run(tmp_path, name="b", steps=3)
    with pytest.raises(ValueError, match=r"2 runs .*choose one: a, b"):
        load(tmp_path)
    assert len(load(tmp_path, "b").steps) == 3
    with pytest.raises(FileNotFoundError, match=r"no run 'c' .*the runs are a, b"):
        load(tmp_path, "c")


def test_where_there_is_no_run_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the log_dir of the LayerHealth callback"):
        load(tmp_path)
    assert run_names(tmp_path / "missing") == []


def test_other_event_files_are_no_runs(tmp_path: Path) -> None:
    write_run(tmp_path, name="ours", steps=1)
    write_events(tmp_path / "train", [Event(step=1, summary=Summary(value=[Summary.Value(tag="loss")]))])
    (tmp_path / "notes.txt").write_text("no event file")
    assert run_names(tmp_path) == ["ours"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    write_run(tmp_path / "real", name="a", steps=1)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "round").symlink_to(logs)
    assert run_names(logs) == ["linked/a"]


def test_several_files_are_one_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_run(tmp_path, steps=10)
    write_run(tmp_path, steps=5, start_step=100, start_time=START_TIME + 100, seed=1)
    assert load(tmp_path).steps.tolist() == list(range(0, 150, 10))


def test_what_came_again_replaces_everything_from_there(tmp_path: Path) -> None:
    write_run(tmp_path, steps=20)
    write_run(tmp_path, steps=3, start_step=50, start_time=START_TIME + 100, seed=1, sick=False)
    run = load(tmp_path)
    assert run.steps.tolist() == list(range(0, 80, 10))
    # The second training has written no later histograms or findings: those of the first are void all the same.
    assert run.histograms("activation")[0].tolist() == [0, 50]
    assert run.findings == ()
    assert run.dropped == 0


def test_of_two_models_in_one_folder_only_the_newer_counts(tmp_path: Path) -> None:
    write_run(tmp_path, steps=10)
    write_run(tmp_path, steps=5, hostile=True, start_step=100, start_time=START_TIME + 100)
    run = load(tmp_path)
    assert run.steps.tolist() == list(range(100, 150, 10))
    assert run.dropped > 0


def test_after_layers_came_in_the_earlier_records_count_all_the_same(tmp_path: Path) -> None:
    write_run(tmp_path, steps=10, layers=4)
    alone = load(tmp_path)
    write_run(tmp_path, steps=5, layers=6, start_step=100, start_time=START_TIME + 100)
    run = load(tmp_path)
    assert run.steps.tolist() == [*range(0, 100, 10), *range(100, 150, 10)]
    shared = [name for name in alone.layers if name in run.layers]
    assert len(shared) == 3
    for name in shared:
        row, before = run.layers.index(name), alone.layers.index(name)
        np.testing.assert_array_equal(run.stat("mean")[:10, row], alone.stat("mean")[:, before])
        np.testing.assert_array_equal(run.units(name)[:10], alone.units(name))
    (new, *_) = [row for row, name in enumerate(run.layers) if name not in alone.layers]
    assert np.isnan(run.stat("mean")[:10, new]).all()
    assert np.isfinite(run.stat("mean")[10:, new]).all()
    assert run.dropped == 0


def test_a_half_written_record_hides_nothing_before_it(tmp_path: Path) -> None:
    path = write_run(tmp_path, steps=10)
    size = path.stat().st_size
    for cut in (1, 9, 500):
        os.truncate(path, size - cut)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load(tmp_path).steps.tolist() == list(range(0, 90, 10))


def test_a_damaged_record_hides_nothing_before_it_and_is_named(tmp_path: Path) -> None:
    path = write_run(tmp_path, steps=10, stock=False)
    content = bytearray(path.read_bytes())
    content[-100] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"tfevents.* is damaged; read up to there"):
        run = load(tmp_path)
    assert run.steps.tolist() == list(range(0, 90, 10))


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    write_newer_schema(tmp_path, "new")
    with pytest.raises(SchemaError, match=r"schema version 99, but this installation reads up to version 3"):
        load(tmp_path)


def test_a_damaged_description_is_refused(tmp_path: Path) -> None:
    write_unreadable(tmp_path, "bad")
    with pytest.raises(UnreadableRunError, match="not JSON"):
        load(tmp_path)


def test_a_tensor_that_promises_more_than_it_holds_is_left_out(tmp_path: Path) -> None:
    spec = run_spec(PLAN)
    bomb = TensorProto(dtype=DT_FLOAT, float_val=[1.0])
    for size in (10**6, 10**6, 10**6):
        bomb.tensor_shape.dim.add(size=size)
    encoder = Encoder()
    events = [Event(step=0, summary=encoder.run(spec))]
    for step in range(2):
        summary = encoder.record(_record(spec))
        if step:
            summary.value[0].tensor.CopyFrom(bomb)
        events.append(Event(step=step, summary=summary))
    write_events(tmp_path, events)
    run = load(tmp_path)
    assert (run.steps.tolist(), run.dropped) == ([0], 1)


def test_a_description_of_more_units_than_there_are_takes_no_memory(tmp_path: Path) -> None:
    spec = run_spec(PLAN)
    huge = dataclasses.replace(spec, layers=(dataclasses.replace(spec.layers[0], units=2**62), *spec.layers[1:]))
    summaries = [Encoder().run(huge), Encoder().record(_record(spec))]
    write_events(tmp_path, [Event(step=0, summary=summary) for summary in summaries])
    run = load(tmp_path)
    assert run.units(run.layers[0]).shape == (1, 0)
    assert (run.stat("mean").shape, run.dropped) == ((1, 8), 1)


def test_reading_does_not_import_tensorflow(tmp_path: Path) -> None:
    write_run(tmp_path, steps=2)
    program = "import sys; from tb_activations.events.reader import load; load(sys.argv[1]);"
    program += "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def _record(spec: RunSpec) -> StepRecord:
    return StepRecord(
        step=0,
        layers=np.ones((len(spec.layers), len(LAYER_COLUMNS)), np.float32),
        weights=np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32),
        totals=np.ones(len(STEP_COLUMNS), np.float32),
        unit_activity=np.ones(spec.unit_count, np.float32),
        unit_peak=np.ones(spec.unit_count, np.float32),
    )
