"""Groups, sizes, tolerances, epochs, renamed layers and pictures of a comparison, on synthetic runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.report.comparison_page import Compared, comparison_page
from tb_activations.testing import Cause, Tolerance, Tolerances, compare, compare_folders, suggest_tolerances
from tests.report.test_page import Page
from tests.synthetic import Plan, write_run

PLAN = Plan(layers=6, steps=20, units=4, pictures=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, plan=PLAN)
    return load(folder)


def with_layers(run: Run, *changes: tuple[Any, str, float]) -> Run:
    """`run` with factors on places of the layer table: steps and rows, then the statistic."""
    table = run.layer_table.copy()
    for place, statistic, factor in changes:
        table[(*place, LAYER_COLUMNS.index(statistic))] *= np.float32(factor)
    return dataclasses.replace(run, layer_table=table)


def with_spec(run: Run, **layers: dict[str, Any]) -> Run:
    """`run` with other fields of some layers."""
    changed = [dataclasses.replace(layer, **layers.get(layer.name, {})) for layer in run.spec.layers]
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, layers=tuple(changed)))


def with_optimizer(run: Run, config: dict[str, Any]) -> Run:
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, optimizer=config))


def test_every_difference_is_reported_once_with_its_first_and_largest_step(run: Run) -> None:
    other = with_layers(run, ((slice(3, 9), 1), "mean", 1.1), ((7, 1), "mean", 3), ((5, 4), "std", 1.2))
    one, two = compare(run, other).differences
    assert (one.layer, one.what, one.step, one.count, one.compared) == ("dense_1", "mean", 30, 6, 20)
    assert one.largest is not None
    assert (one.largest.step, one.largest.expected) == (70, run.stat("mean")[7, 1])
    assert (two.layer, two.what, two.step, two.count) == ("dense_4", "std", 50, 1)


def test_which_of_nearly_equal_rows_is_the_largest_does_not_count(run: Run) -> None:
    def with_row(value: float) -> Run:
        table = run.step_table.copy()
        table[:, STEP_COLUMNS.index("gradient_row")] = value
        return dataclasses.replace(run, step_table=table)

    assert compare(with_row(3), with_row(4)).differences == ()


def test_differences_are_grouped_by_cause(run: Run) -> None:
    table = run.step_table.copy()
    table[:, STEP_COLUMNS.index("learning_rate")] *= 2
    other = with_layers(run, ((2, 3), "max", 2))
    other = dataclasses.replace(
        with_spec(other, dense_1={"trainable": False}, dense_4={"parameters": 7}), step_table=table
    )
    grouped = {cause: [one.what for one in found] for cause, found in compare(run, other).grouped.items()}
    assert grouped == {
        Cause.HYPERPARAMETER: ["trainable", "learning_rate"],
        Cause.LAYER: ["parameters"],
        Cause.STATISTIC: ["max"],
    }


def test_changed_configurations_are_named(run: Run) -> None:
    dense = {"units": 4, "kernel_initializer": "he_normal", "kernel_regularizer": "l2(l2=0.01)"}
    one = with_spec(run, dense_0={"config": dense}, dense_1={"config": {"rate": 0.2}})
    other = with_spec(
        run,
        dense_0={"config": {"units": 4, "kernel_initializer": "zeros"}},
        dense_1={"config": {"rate": 0.5}},
        dense_2={"config": dense},
    )
    adam = {"class_name": "Adam", "beta_1": 0.9}
    one = with_optimizer(one, adam)
    sentences = [str(one) for one in compare(one, with_optimizer(other, {**adam, "beta_1": 0.5})).differences]
    # A run of an earlier version says nothing of its configuration.
    assert sentences == [
        "layer 'dense_0': kernel_initializer expected he_normal, got zeros",
        "layer 'dense_0': kernel_regularizer expected l2(l2=0.01), got None",
        "layer 'dense_1': rate expected 0.2, got 0.5",
        "optimizer beta_1 expected 0.9, got 0.5",
    ]
    (other_kind,) = compare(one, with_optimizer(one, {"class_name": "SGD", "momentum": 0.9})).differences
    assert str(other_kind) == "optimizer expected Adam, got SGD"
    assert other_kind.cause is Cause.HYPERPARAMETER
    assert compare(one, with_optimizer(one, {})).is_equal


def test_what_a_cut_configuration_leaves_out_is_no_difference(run: Run) -> None:
    one = with_spec(run, dense_0={"config": {"rate": 0.2, "unroll": False}})
    cut = with_spec(run, dense_0={"config": {"rate": 0.3, "...": True}})
    for pair in ((one, cut), (cut, one)):
        assert [found.what for found in compare(*pair).differences] == ["rate"]


def test_a_change_is_named_once(run: Run) -> None:
    config = {"activation": "relu", "filters": 4}
    one = with_spec(run, dense_0={"config": config, "activation": "relu"})
    other = {"config": {"activation": "gelu", "filters": 8}, "activation": "gelu", "units": 8}
    names = [found.what for found in compare(one, with_spec(run, dense_0=other)).differences]
    assert names == ["units", "activation"]
    # Another class has another configuration.
    other = {"config": {"rate": 0.2}, "class_name": "Dropout"}
    assert [found.what for found in compare(one, with_spec(one, dense_0=other)).differences] == ["class_name"]


def test_the_first_line_is_the_first_step_then_the_first_layer(run: Run) -> None:
    table = run.step_table.copy()
    table[4:, STEP_COLUMNS.index("learning_rate")] *= 2
    other = dataclasses.replace(with_layers(run, ((slice(5, 9), 3), "max", 2)), step_table=table)
    lines = compare(run, other).text().splitlines()
    assert lines[0].startswith("step 40: learning_rate expected 0.001, got 0.002 (rtol=1e-05, atol=1e-08)")
    assert lines[1].startswith("First layer: step 50, layer 'batch_normalization_3': max expected")


def test_the_largest_difference_is_relative_to_what_is_usual(run: Run) -> None:
    other = with_layers(run, ((4, 2), "std", 50), ((3, 0), "mean", 1.01), ((5, 1), "weight_norm", 2))
    assert [one.what for one in compare(run, other).largest()] == ["std", "weight_norm", "mean"]


def test_a_text_has_at_most_forty_lines_and_every_cause(tmp_path: Path) -> None:
    for side, seed in (("a", 0), ("b", 1)):
        write_run(tmp_path / side, plan=Plan(layers=80, steps=3, units=2), seed=seed)
    found = compare_folders(tmp_path / "a", tmp_path / "b")
    lines = found.text().splitlines()
    assert len(lines) == 40
    assert any("more" in line for line in lines)
    assert "Largest:" in lines


def test_a_tolerance_can_be_set_by_statistic_and_by_layer(run: Run) -> None:
    other = with_layers(run, ((2, 1), "mean", 1.1), ((2, 2), "mean", 1.1), ((2, 2), "std", 1.1))

    def differ(tolerances: Tolerances) -> list[tuple[str | None, str]]:
        return [(one.layer, one.what) for one in compare(run, other, tolerances).differences]

    wide = Tolerance(0.2, 0)
    assert len(differ(Tolerances())) == 3
    assert differ(Tolerances(statistics={"mean": wide})) == [("dense_2", "std")]
    assert differ(Tolerances(layers={"dense_2": {"*": wide}})) == [("dense_1", "mean")]
    assert differ(Tolerances(layers={"dense_2": {"mean": wide}})) == [("dense_1", "mean"), ("dense_2", "std")]
    exact = Tolerances(statistics={"mean": wide, "std": wide}, layers={"dense_1": {"mean": Tolerance()}})
    (found,) = compare(run, other, exact).differences
    assert (found.layer, found.tolerance) == ("dense_1", "rtol=1e-05, atol=1e-08")


def test_tolerances_are_stored_as_json() -> None:
    tolerances = Tolerances(Tolerance(0.1, 0), {"mean": Tolerance(0, 1)}, {"a": {"*": Tolerance(1, 1)}})
    assert Tolerances.from_json(json.loads(json.dumps(tolerances.to_json()))) == tolerances
    with pytest.raises(ValueError, match="no tolerances"):
        Tolerances.from_json({"default": 1})


@pytest.mark.parametrize(("rtol", "atol"), [(-1, 0), (0, float("nan")), (float("inf"), 0)])
def test_a_tolerance_that_is_no_limit_is_refused(rtol: float, atol: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number >= 0"):
        Tolerance(rtol, atol)


def test_suggested_tolerances_accept_the_repetitions_and_not_much_more(run: Run) -> None:
    random = np.random.default_rng(0)
    noise = [1 + random.normal(0, 1e-3, run.layer_table.shape[:1]) for _ in range(4)]

    def repetition(factors: Any) -> Run:
        return with_layers(run, *(((step, 1), "std", factor) for step, factor in enumerate(factors)))

    runs = [repetition(factors) for factors in noise]
    tolerances = suggest_tolerances(runs[:3])
    assert compare(runs[0], runs[3], tolerances).is_equal
    assert tolerances.at("std", "dense_1").rtol == pytest.approx(0.02, abs=0.015)
    assert tolerances.at("std", "dense_2") == tolerances.at("mean", "dense_1") == Tolerance()
    assert tolerances.at("std", "a layer added later") == tolerances.at("std", "dense_1")
    assert not compare(runs[0], with_layers(run, ((3, 1), "std", 1.1)), tolerances).is_equal


def test_one_run_gives_no_suggestion(run: Run) -> None:
    with pytest.raises(ValueError, match="at least two repetitions of a training, got 1"):
        suggest_tolerances([run])


def test_runs_with_other_steps_are_compared_by_epoch(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, plan=dataclasses.replace(PLAN, interval=7))
    other = load(tmp_path)
    assert compare(run, other).grouped[Cause.HYPERPARAMETER][0].what == "observed step"
    found = compare(run, other, match="epoch")
    epochs = np.unique(run.step_stat("epoch"))
    assert found.is_equal, found.text()
    assert found.steps == len(epochs)
    changed = with_layers(other, ((slice(10, None), 2), "max", 2))
    (difference,) = compare(run, changed, match="epoch").differences
    assert difference.epoch == run.epochs[run.steps.tolist().index(difference.step)]
    assert str(difference).startswith(f"epoch {difference.epoch}, step {difference.step}, layer 'dense_2': max")


def test_what_is_not_allowed_is_named(run: Run) -> None:
    with pytest.raises(ValueError, match="match must be one of step, epoch, got 'time'"):
        compare(run, run, match="time")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="include must contain only units, histograms, findings, pictures, got 'all'"):
        compare(run, run, include=["all"])


def test_an_added_and_a_renamed_layer_leave_the_others_paired(run: Run) -> None:
    layers = run.spec.layers
    renamed = dataclasses.replace(layers[-1], name="output")
    added = dataclasses.replace(layers[0], name="extra", class_name="Conv2D", units=0)
    rows = [0, 1, 1, 2, 3, 4, 5]
    spec = dataclasses.replace(run.spec, layers=(*layers[:2], added, *layers[2:-1], renamed))
    other = dataclasses.replace(run, spec=spec, layer_table=run.layer_table[:, rows], outcomes=run.outcomes[:, rows])
    found = compare(run, other)
    assert found.renamed == {"head_5": "output"}
    assert [(one.layer, one.actual) for one in found.differences if one.weight == ""] == [("extra", "present")]


def test_json_has_everything_and_no_value_that_json_lacks(run: Run) -> None:
    table = run.layer_table.copy()
    table[3, 1, 1] = np.nan
    found = compare(run, dataclasses.replace(run, layer_table=table))
    members = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert members["equal"] is False
    assert members["first"]["actual"] == "NaN"
    assert members["first"]["largest"]["size"] == "Infinity"
    assert members["first"]["cause"] == "statistic"
    assert np.float32(members["first"]["expected"]) == run.layer_table[3, 1, 1]


def test_pictures_are_compared_on_request(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path / "same", plan=PLAN)
    assert compare(run, load(tmp_path / "same"), include=["pictures"]).is_equal
    write_run(tmp_path / "none", plan=dataclasses.replace(PLAN, pictures=False))
    other = load(tmp_path / "none")
    assert compare(run, other).is_equal
    found = compare(run, other, include=["pictures"])
    assert {one.cause for one in found.differences} == {Cause.PICTURE}
    page = Page(comparison_page([Compared(found, run, other)], title="<b>title</b>"))
    assert len(page.all("img")) >= len(found.differences)
    assert "<b>title</b>" in page.text


def test_the_page_shows_both_curves_and_loads_nothing(run: Run) -> None:
    other = with_layers(run, ((slice(3, 9), 1), "mean", 1.1))
    source = comparison_page([Compared(compare(run, other), run, other)], title="a test")
    page = Page(source)
    assert [one["class"] for one in page.all("polyline")] == ["expected", "actual"]
    assert not {name for name, _ in page.elements} & {"script", "link", "iframe"}
    assert all("src" not in attributes for _, attributes in page.elements if "data:" not in str(attributes))
