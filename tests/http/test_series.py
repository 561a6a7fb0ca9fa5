"""What is drawn in addition to the recorded columns: elasticity, lines at thresholds, metrics of epochs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.health.history import History
from tb_activations.health.rules import RULES, Rule, configure
from tb_activations.health.rules.elasticity import elasticities
from tb_activations.plugin import answers
from tb_activations.plugin.series import LAYER_SERIES, drawn_values, lines
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.epoch_metrics import EpochMetrics
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("logs")
    write_run(folder, name="sick", layers=5, steps=40, units=4, stock=False, epoch=8)
    return load(folder, "sick")


def with_losses(run: Run, losses: np.ndarray) -> Run:
    table = run.step_table.copy()
    table[:, STEP_COLUMNS.index("loss")] = losses
    return dataclasses.replace(run, step_table=table)


@pytest.mark.parametrize("kind", ["positive", "through zero"])
def test_elasticity_is_what_the_rules_judge(run: Run, kind: str) -> None:
    if kind == "through zero":
        run = with_losses(run, np.sin(np.arange(40.0)).astype(np.float32))
    history = History(run.spec)
    for record, drawn in zip(run.records(), drawn_values(run, "elasticity"), strict=True):
        history.update(record)
        np.testing.assert_allclose(drawn, elasticities(history)[-1], rtol=1e-6)


def test_elasticity_is_infinite_where_a_gradient_is_not_finite(run: Run) -> None:
    table = run.layer_table.copy()
    table[3, 1, LAYER_COLUMNS.index("weight_gradient_nonfinite")] = 1
    drawn = drawn_values(dataclasses.replace(run, layer_table=table), "elasticity")
    assert np.isinf(drawn[3, 1])
    assert np.isfinite(drawn[2]).all()


def test_every_line_is_a_threshold_of_its_rule_over_a_statistic_that_is_drawn() -> None:
    drawn = {rule: rule.lines for rule in RULES.values() if rule.lines}
    assert len(drawn) == 5
    for rule, own in drawn.items():
        assert set(own) <= set(LAYER_SERIES)
        assert {name for names in own.values() for name in names} <= rule().thresholds.keys()


def found(run: Run, layer: int | None, stat: str, rules: tuple[Rule, ...]) -> dict[str, float]:
    return {line["words"]: line["value"] for line in lines(run, layer, [stat], rules)[stat]}


def test_lines_are_those_of_the_run(run: Run) -> None:
    rules = configure({"vanishing_gradient": {"warning_elasticity": 0.02}, "exploding_gradient": {}})
    assert found(run, 0, "elasticity", rules) == {
        "Exploding gradient: largest elasticity while the loss has not halved": 100,
        "Vanishing gradient: warning: elasticity below": 0.02,
        "Vanishing gradient: problem: elasticity below": 0.001,
    }
    assert found(run, 0, "std", rules) == {}
    query = dataclasses.replace(run.spec.layers[0], class_name="EinsumDense", name="attention/query")
    attention = dataclasses.replace(run, spec=dataclasses.replace(run.spec, layers=(query, *run.spec.layers[1:])))
    lower = found(attention, 0, "elasticity", rules)
    assert lower["Vanishing gradient: warning: elasticity below"] == pytest.approx(0.0004)
    assert lower["Exploding gradient: largest elasticity while the loss has not halved"] == 100


def test_a_loss_is_compared_with_its_start(run: Run) -> None:
    losses = np.array([np.nan, 1, 2, 3, *np.zeros(36)], np.float32)
    words = "Exploding gradient: largest loss, relative to its start"
    assert found(with_losses(run, losses), None, "loss", configure(["exploding_gradient"])) == {words: 200}
    assert found(run, None, "loss", configure(["dead_units"])) == {}
    assert found(with_losses(run, np.full(40, np.nan)), None, "loss", configure()) == {}


def test_the_metrics_of_epochs(run: Run) -> None:
    frame = answers.epochs(run, 1000)
    assert frame.header["stats"] == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert (frame.header["steps"], frame.header["recorded_steps"]) == ([70, 150, 230, 310, 390], 5)
    assert frame.header["wall_times"] == run.wall_times[7::8].tolist()
    np.testing.assert_allclose(frame.data[2], 1.2 * frame.data[0], rtol=1e-6)
    odd = (EpochMetrics(3, 0, {"loss": 1.0}), EpochMetrics(7, 1, {"loss": np.nan, "late": 2.0}))
    table = answers.epochs(dataclasses.replace(run, epoch_metrics=odd), 1000).data
    np.testing.assert_array_equal(table, [[1, np.inf], [np.nan, 2]])
    many = tuple(EpochMetrics(step, step, {f"m{step}_{n}": 0.0 for n in range(40)}) for step in range(30))
    assert answers.epochs(dataclasses.replace(run, epoch_metrics=many), 10).data.shape == (64, 10)
    assert answers.epochs(dataclasses.replace(run, epoch_metrics=()), 10).data.shape == (0, 0)
