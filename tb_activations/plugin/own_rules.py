"""The rules that judged a stored run."""

from __future__ import annotations

from collections.abc import Mapping

from tb_activations.events.run import Run
from tb_activations.health.rules import RULES, Rule, configure


def own_rules(run: Run) -> dict[str, Rule]:
    """The rules that judged the run, as far as this version knows them, with the thresholds of that time."""
    stored = {rule: RULES[rule] for rule in (*run.rules, *run.training_rules) if rule in RULES}
    chosen = {name: _allowed(rule, run.spec.thresholds.get(name, {})) for name, rule in stored.items()}
    return {rule.id: rule for rule in configure(chosen)}


def _allowed(rule: type[Rule], stored: Mapping[str, object]) -> dict[str, float]:
    """The thresholds that this version has and allows; a file may hold anything."""
    return {
        name: float(value)
        for name, value in stored.items()
        if name in rule.limits
        and isinstance(value, int | float)
        and rule.limits[name][0] <= value <= rule.limits[name][1]
    }
