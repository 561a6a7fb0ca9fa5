"""What is drawn in addition to the recorded columns: elasticity, the metrics of epochs, lines at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.epoch_metrics import MOST_METRICS
from tb_activations.events.run import Run
from tb_activations.health.history import INITIAL_LOSSES
from tb_activations.health.rules import Rule
from tb_activations.health.rules.elasticity import elasticity_over_time
from tb_activations.health.rules.exploding_gradient import ExplodingGradient
from tb_activations.plugin.not_finite import layer_values
from tb_activations.records.columns import LAYER_COLUMNS, LAYER_STATISTICS, Statistic
from tb_activations.records.epoch_metrics import EpochMetrics

ELASTICITY = Statistic(
    "elasticity",
    "Elasticity of the loss",
    "Percent by which the loss changes when the weights change by 1%: weight gradient norm x weight norm / loss. Rules "
    "judge its median over 32 records.",
    "",
    "log",
)
STATISTICS = (*LAYER_STATISTICS, ELASTICITY)
LAYER_SERIES = (*LAYER_COLUMNS, ELASTICITY.id)
"""Ids of the statistics of layers that can be drawn."""


def drawn_values(run: Run, stat: str) -> NDArray[np.float32]:
    """`[S, L]`: a statistic of `LAYER_SERIES`, +infinity where its values were not finite, NaN where not measured."""
    if stat != ELASTICITY.id:
        return layer_values(run, stat)
    gradient, weights = layer_values(run, "weight_gradient_norm"), layer_values(run, "weight_norm")
    values = elasticity_over_time(gradient, weights, run.step_stat("loss")).astype(np.float32)
    return np.where(np.isinf(gradient) | np.isinf(weights), np.float32(np.inf), values)


def lines(run: Run, layer: int | None, stats: Sequence[str], rules: Sequence[Rule]) -> dict[str, list[dict[str, Any]]]:
    """The thresholds that the values of these statistics are compared with: each a value and what it is, in words.

    Args:
        layer: place of the layer, None for the training itself.
        rules: that judged the run, with its thresholds.
    """
    if layer is None:
        return {stat: _loss_lines(run, rules) if stat == "loss" else [] for stat in stats}
    spec = run.spec.layers[layer]
    return {
        stat: [
            _line(rule, name, rule.line_factor(spec) * rule.thresholds[name])
            for rule in rules
            for name in rule.lines.get(stat, ())
        ]
        for stat in stats
    }


def epoch_table(epochs: Sequence[EpochMetrics]) -> tuple[list[str], NDArray[np.float32]]:
    """Names and `[metrics, epochs]` of the first 64 metrics: NaN where not reported, +infinity where not finite."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch.values))[:MOST_METRICS]
    rows = {name: row for row, name in enumerate(names)}
    table = np.full((len(names), len(epochs)), np.nan, np.float32)
    for column, epoch in enumerate(epochs):
        for name in rows.keys() & epoch.values.keys():
            value = epoch.values[name]
            table[rows[name], column] = value if np.isfinite(value) else np.inf
    return names, table


def _loss_lines(run: Run, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """A loss explodes relative to its start."""
    losses = run.step_stat("loss")
    first = np.abs(losses[np.isfinite(losses)][:INITIAL_LOSSES])
    if not first.size:
        return []
    start = float(first.mean())
    return [_line(rule, "loss", start * rule.loss) for rule in rules if isinstance(rule, ExplodingGradient)]


def _line(rule: Rule, name: str, value: float) -> dict[str, Any]:
    title = rule.labels[name].title
    return {"value": value, "words": f"{rule.title}: {title[0].lower()}{title[1:]}"}
