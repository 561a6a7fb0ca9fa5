import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.events.units import UnitTable
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Severity
from tb_activations.testing import ASPECTS, Cause, Difference, Tolerances, assert_runs_match, compare
from tests.synthetic import START_TIME, Plan, write_run

PLAN = Plan(layers=6, steps=20, units=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, plan=PLAN)
    return load(folder)


def changed(run: Run, name: str, change: Callable[[Any], None]) -> Run:
    """`run` with a copy of one array, changed in place."""
    array = getattr(run, name).copy()
    change(array)
    return with_arrays(run, {name: array})


def with_arrays(run: Run, arrays: dict[str, Any], **fields: Any) -> Run:
    """`run` with other arrays and fields."""
    if "unit_codes" in arrays:
        fields["unit_table"] = UnitTable.of(arrays.pop("unit_codes"))
    return dataclasses.replace(run, **arrays, **fields)


def first_difference(expected: Run, actual: Run, rtol: float = 1e-5, atol: float = 1e-8) -> Difference | None:
    """The first of all differences, with everything compared that can be."""
    found = compare(expected, actual, Tolerances.of(rtol, atol), include=ASPECTS).differences
    return found[0] if found else None


def full_name(difference: Difference) -> str | None:
    """The layer, or the weight as the run calls it."""
    return f"{difference.layer}/{difference.weight}" if difference.weight else difference.layer


def column(name: str) -> int:
    return LAYER_COLUMNS.index(name)


def test_a_run_matches_itself_and_a_repetition(tmp_path: Path) -> None:
    write_run(tmp_path / "a", name="first", plan=PLAN)
    write_run(tmp_path / "b", name="other name", plan=PLAN, start_time=START_TIME + 1e6)
    assert_runs_match(tmp_path / "a", tmp_path / "a")
    assert_runs_match(tmp_path / "a", tmp_path / "b", rtol=0, atol=0, include=ASPECTS)


def test_another_training_does_not_match(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, seed=1)
    with pytest.raises(AssertionError, match=r"b differs from .*a: step 0, layer 'dense_0': mean expected 0\.\d+, got"):
        assert_runs_match(tmp_path / "a", tmp_path / "b")


def test_the_first_step_then_the_first_layer_then_the_first_statistic_is_named(run: Run) -> None:
    def change(table: Any) -> None:
        table[3, 1, column("mean")] += 1
        table[2, 4, column("max")] += 1
        table[2, 4, column("std")] += 1
        table[2, 5, column("mean")] += 1

    difference = first_difference(run, changed(run, "layer_table", change))
    assert difference is not None
    assert (difference.step, difference.layer, difference.what) == (20, "dense_4", "std")
    assert difference.actual == pytest.approx(difference.expected + 1)  # type: ignore[operator]
    assert "step 20, layer 'dense_4': std expected" in str(difference)
    assert "rtol=1e-05, atol=1e-08" in str(difference)


CAUSES_FIRST = [
    ("layer_table", (2, 1, column("weight_norm")), "weight_norm", "dense_1"),
    ("layer_table", (2, 1, column("elements")), "elements", "dense_1"),
    ("layer_table", (2, 1, column("silent_fraction")), "silent_fraction", "dense_1"),
    ("unit_codes", (2, 0, 7), "activity of unit 3", "dense_1"),
    ("unit_codes", (2, 1, 7), "peak of unit 3", "dense_1"),
    ("layer_table", (2, 2, column("mean")), "mean", "dense_2"),
    ("unit_codes", (2, 0, 13), "activity of unit 1", "dense_4"),
    ("layer_table", (2, 5, column("weight_norm")), "weight_norm", "head_5"),
    ("step_table", (2, STEP_COLUMNS.index("loss")), "loss", None),
    ("step_table", (2, STEP_COLUMNS.index("learning_rate")), "learning_rate", None),
    ("layer_table", (2, 5, column("gradient_norm")), "gradient_norm", "head_5"),
    ("layer_table", (2, 5, column("update_ratio")), "update_ratio", "head_5"),
    ("layer_table", (2, 0, column("gradient_norm")), "gradient_norm", "dense_0"),
    ("layer_table", (2, 0, column("weight_gradient_norm")), "weight_gradient_norm", "dense_0"),
    ("weight_table", (2, 0, 0), "gradient_norm", "dense_0/kernel"),
    ("outcomes", (2, 0, 2), "outcome of nonfinite", "dense_0"),
]
"""At the same step, items higher in this list are reported before lower ones."""


@pytest.mark.parametrize("first", range(len(CAUSES_FIRST)))
def test_within_a_step_causes_are_named_before_what_follows_from_them(run: Run, first: int) -> None:
    def change_at(place: tuple[int, ...]) -> Callable[[Any], None]:
        def change(array: Any) -> None:
            array[place] += 3

        return change

    other = run
    for name, place, _, _ in CAUSES_FIRST[first:]:
        other = changed(other, name, change_at(place))
    difference = first_difference(run, other)
    assert difference is not None
    assert (difference.step, difference.what, full_name(difference)) == (20, *CAUSES_FIRST[first][2:])


def test_an_earlier_step_comes_before_an_earlier_cause(run: Run) -> None:
    def change(table: Any) -> None:
        table[2, 0, column("update_ratio")] += 1
        table[3, 0, column("weight_norm")] += 1

    difference = first_difference(run, changed(run, "layer_table", change))
    assert difference is not None
    assert (difference.step, difference.what) == (20, "update_ratio")


def test_what_does_not_depend_on_a_step_comes_before_the_first_step(run: Run) -> None:
    def change(table: Any) -> None:
        table[0, 0, column("mean")] += 1

    other = with_arrays(changed(run, "layer_table", change), {"unit_codes": run.unit_codes[:, :, :0]})
    difference = first_difference(run, other)
    assert difference is not None
    assert (difference.step, difference.what) == (None, "recorded units")


@pytest.mark.parametrize(
    ("name", "place", "what", "layer", "step"),
    [
        ("layer_table", (5, 0, column("update_ratio")), "update_ratio", "dense_0", 50),
        ("weight_table", (5, 2, WEIGHT_COLUMNS.index("weight_norm")), "weight_norm", "dense_2/kernel", 50),
        ("step_table", (5, STEP_COLUMNS.index("loss")), "loss", None, 50),
        ("unit_codes", (5, 0, 7), "activity of unit 3", "dense_1", 50),
        ("unit_codes", (5, 1, 13), "peak of unit 1", "dense_4", 50),
        ("histogram_table", (1, 2, 1, 4), "gradient histogram, bucket 2,", "dense_2", 100),
        ("outcomes", (5, 1, 2), "outcome of nonfinite", "dense_1", 50),
    ],
)
def test_every_kind_of_figure_is_compared(
    run: Run, name: str, place: tuple[int, ...], what: str, layer: str | None, step: int
) -> None:
    def change(array: Any) -> None:
        array[place] += 3

    difference = first_difference(run, changed(run, name, change))
    assert difference is not None
    assert (difference.what, full_name(difference), difference.step) == (what, layer, step)


@pytest.mark.parametrize(("relative", "matches"), [(0.9e-5, True), (1.1e-5, False)])
def test_the_relative_tolerance_is_the_limit(run: Run, relative: float, matches: bool) -> None:
    def change(table: Any) -> None:
        table[:, :, column("weight_norm")] *= np.float32(1 + relative)

    assert (first_difference(run, changed(run, "layer_table", change), atol=0) is None) == matches


def test_not_a_number_equals_only_not_a_number(run: Run) -> None:
    def change(table: Any) -> None:
        table[4, 0, column("mean")] = np.nan

    other = changed(run, "layer_table", change)
    assert first_difference(other, other) is None
    for expected, actual in ((run, other), (other, run)):
        difference = first_difference(expected, actual, rtol=10, atol=10)
        assert difference is not None
        assert difference.step == 40


def test_neighboring_levels_of_units_are_equal_unless_exactness_is_asked_for(run: Run) -> None:
    def change(codes: Any) -> None:
        codes[0, 0, 0] += 1

    other = changed(run, "unit_codes", change)
    assert first_difference(run, other) is None
    assert first_difference(run, other, rtol=0, atol=0) is not None


def test_a_unit_that_is_silent_on_one_side_only_differs(run: Run) -> None:
    def code(value: int) -> Callable[[Any], None]:
        def change(codes: Any) -> None:
            codes[0, 0, 0] = value

        return change

    difference = first_difference(changed(run, "unit_codes", code(0)), changed(run, "unit_codes", code(1)), rtol=1)
    assert difference is not None
    assert difference.what == "activity of unit 0"


def test_steps_on_one_side_only_differ(run: Run) -> None:
    along_steps = ("steps", "layer_table", "weight_table", "step_table", "unit_codes", "outcomes")
    shorter = with_arrays(run, {name: getattr(run, name)[:18] for name in along_steps})
    for expected, actual, presence in ((run, shorter, ("present", "absent")), (shorter, run, ("absent", "present"))):
        difference = first_difference(expected, actual)
        assert difference is not None
        assert (difference.what, difference.step) == ("observed step", 180)
        assert (difference.expected, difference.actual) == presence


def without_last_step(run: Run, update_freq: str | int) -> Run:
    along_steps = ("steps", "layer_table", "weight_table", "step_table", "unit_codes", "outcomes")
    spec = dataclasses.replace(run.spec, cadence={"update_freq": update_freq})
    return with_arrays(run, {name: getattr(run, name)[:-1] for name in along_steps}, spec=spec)


def test_the_clock_is_named_where_it_decides_which_steps_are_observed(run: Run) -> None:
    timed = first_difference(run, without_last_step(run, "auto"))
    assert str(timed).endswith(
        'absent; update_freq="auto" depends on the clock after the first minute; use a number to compare runs'
    )
    counted = first_difference(run, without_last_step(run, 10))
    assert str(counted).endswith("absent")


LOOKS = [
    ("layer_table", (2, 3, column("mode_difference"))),
    ("step_table", (2, STEP_COLUMNS.index("reconstruction_error"))),
]


@pytest.mark.parametrize(("name", "place"), LOOKS)
def test_a_look_is_compared_only_where_both_runs_have_it(run: Run, name: str, place: tuple[int, ...]) -> None:
    def looked(value: float) -> Run:
        def change(table: Any) -> None:
            table[place] = value

        return changed(run, name, change)

    assert np.isnan(getattr(run, name)[place])
    assert first_difference(run, looked(0.5)) is None
    assert first_difference(looked(0.5), run) is None
    difference = first_difference(looked(0.5), looked(0.6))
    assert difference is not None
    assert difference.step == 20


def test_within_a_look_not_a_number_differs_from_a_number(run: Run) -> None:
    def change(table: Any) -> None:
        table[2, 3, column("mode_difference")] = 0.5

    def change_more(table: Any) -> None:
        change(table)
        table[2, 4, column("mode_difference")] = 0.5

    difference = first_difference(changed(run, "layer_table", change), changed(run, "layer_table", change_more))
    assert difference is not None
    assert (difference.what, difference.layer) == ("mode_difference", "dense_4")


def test_layers_on_one_side_only_differ(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, layers=5)
    with pytest.raises(AssertionError, match="layer 'dense_4': layer expected present, got absent"):
        assert_runs_match(tmp_path / "a", tmp_path / "b")


def renamed(run: Run) -> Run:
    """As if Keras had counted its automatic names on."""

    def name(old: str) -> str:
        kind, number = old.rsplit("_", 1)
        return f"{kind}_{int(number) + 10}"

    spec = dataclasses.replace(
        run.spec,
        layers=tuple(dataclasses.replace(layer, name=name(layer.name)) for layer in run.spec.layers),
        weights=tuple(
            dataclasses.replace(weight, name=f"{name(weight.layer)}/kernel", layer=name(weight.layer))
            for weight in run.spec.weights
        ),
    )
    roots = {finding.id: dataclasses.replace(finding, layer=name(finding.layer)).id for finding in run.findings}
    findings = tuple(
        dataclasses.replace(finding, layer=name(finding.layer), root=finding.root and roots[finding.root])
        for finding in run.findings
    )
    return dataclasses.replace(run, spec=spec, findings=findings)


def test_automatic_names_that_counted_on_match_by_position(run: Run) -> None:
    assert first_difference(run, renamed(run)) is None
    assert first_difference(renamed(run), run) is None


def test_other_names_with_other_classes_do_not_match(run: Run) -> None:
    other = renamed(run)
    layers = (dataclasses.replace(other.spec.layers[0], class_name="Conv2D"), *other.spec.layers[1:])
    difference = first_difference(run, dataclasses.replace(other, spec=dataclasses.replace(other.spec, layers=layers)))
    assert difference is not None
    assert (difference.what, difference.layer) == ("layer", "dense_0")


def test_layers_in_another_order_match_by_name_and_the_order_is_reported(run: Run) -> None:
    order = np.arange(len(run.layers))[::-1]
    units = np.concatenate([np.arange(run.spec.unit_count)[run.spec.unit_slice(row)] for row in order])
    other = dataclasses.replace(
        run,
        spec=dataclasses.replace(run.spec, layers=tuple(run.spec.layers[row] for row in order)),
        layer_table=run.layer_table[:, order],
        unit_table=UnitTable.of(run.unit_codes[:, :, units]),
        histogram_table=run.histogram_table[:, order],
        outcomes=run.outcomes[:, order],
    )
    (difference,) = compare(run, other, include=ASPECTS).differences
    assert (difference.cause, difference.what) == (Cause.LAYER, "layer at place 0")
    assert (difference.expected, difference.actual) == ("dense_0", "head_5")


@pytest.mark.parametrize(("field", "value"), [("class_name", "Conv1D"), ("activation", "tanh"), ("units", 5)])
def test_what_describes_a_layer_is_compared(run: Run, field: str, value: object) -> None:
    layers = (dataclasses.replace(run.spec.layers[0], **{field: value}), *run.spec.layers[1:])  # type: ignore[arg-type]
    (difference,) = compare(
        run, dataclasses.replace(run, spec=dataclasses.replace(run.spec, layers=layers))
    ).differences
    assert (difference.what, difference.layer, difference.actual) == (field, "dense_0", value)


def test_findings_on_one_side_only_differ(run: Run) -> None:
    difference = first_difference(run, dataclasses.replace(run, findings=run.findings[1:]))
    assert difference is not None
    assert str(difference) == "step 60, layer 'dense_2': finding dead_units expected present, got absent"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"severity": Severity.NOTE}, "finding dead_units, severity,"),
        ({"value": 0.5}, "finding dead_units, value,"),
        ({"closed_step": 80}, "finding dead_units, closed_step,"),
        ({"units": (1,)}, "finding dead_units, units,"),
        ({"root": "nonfinite:dense_0:10"}, "finding dead_units, root,"),
    ],
)
def test_what_a_finding_says_is_compared(run: Run, change: dict[str, Any], what: str) -> None:
    findings = (dataclasses.replace(run.findings[0], **change), *run.findings[1:])
    difference = first_difference(run, dataclasses.replace(run, findings=findings))
    assert difference is not None
    assert difference.what == what


def test_the_wording_of_a_finding_does_not_count(run: Run) -> None:
    findings = tuple(dataclasses.replace(finding, message="other words") for finding in run.findings)
    assert first_difference(run, dataclasses.replace(run, findings=findings)) is None


def test_cost_versions_and_times_do_not_count(run: Run) -> None:
    spec = dataclasses.replace(run.spec, versions={"keras": "9"}, cadence={"update_freq": 3})
    other = dataclasses.replace(run, spec=spec, cost={}, wall_times=run.wall_times + 5, name="other")
    assert first_difference(run, other, rtol=0, atol=0) is None


def test_rules_that_differ_are_named(run: Run) -> None:
    difference = first_difference(run, dataclasses.replace(run, rules=("a", "b", "c")))
    assert difference is not None
    assert difference.what == "rules"


def test_several_runs_are_compared_by_name(tmp_path: Path) -> None:
    for side in ("a", "b"):
        write_run(tmp_path / side, name="one", plan=PLAN)
        write_run(tmp_path / side, name="two", plan=PLAN, seed=1)
    assert_runs_match(tmp_path / "a", tmp_path / "b")
    write_run(tmp_path / "b", name="three", plan=PLAN)
    with pytest.raises(AssertionError, match="run 'three' is only in the actual folder"):
        assert_runs_match(tmp_path / "a", tmp_path / "b")


def test_a_folder_without_a_run_is_an_error_not_a_difference(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        assert_runs_match(tmp_path / "a", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no Layer Health run"):
        assert_runs_match(tmp_path / "a", tmp_path / "empty")
    write_run(tmp_path / "several", name="one", plan=PLAN)
    write_run(tmp_path / "several", name="two", plan=PLAN)
    with pytest.raises(FileNotFoundError, match="no Layer Health run"):
        assert_runs_match(tmp_path / "several", tmp_path / "empty")
