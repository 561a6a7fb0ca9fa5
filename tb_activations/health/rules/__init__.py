"""The rules, one file each, and their selection and configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tb_activations.health.rules.attention_collapse import AttentionCollapse
from tb_activations.health.rules.attention_logits import AttentionLogits
from tb_activations.health.rules.base import Rule
from tb_activations.health.rules.collapsed_layer import CollapsedLayer
from tb_activations.health.rules.dead_units import DeadUnits
from tb_activations.health.rules.dormant_units import DormantUnits
from tb_activations.health.rules.exploding_gradient import ExplodingGradient
from tb_activations.health.rules.learning_rate import LearningRate
from tb_activations.health.rules.loss_spike import LossSpike
from tb_activations.health.rules.no_gradient import NoGradient
from tb_activations.health.rules.no_learning import NoLearning
from tb_activations.health.rules.nonfinite import NonFinite
from tb_activations.health.rules.nonfinite_data import NonFiniteData
from tb_activations.health.rules.nonfinite_loss import NonFiniteLoss
from tb_activations.health.rules.outliers import Outliers
from tb_activations.health.rules.poor_init import PoorInit
from tb_activations.health.rules.saturated_units import SaturatedUnits
from tb_activations.health.rules.stagnant_weights import StagnantWeights
from tb_activations.health.rules.stuck_gates import StuckGates
from tb_activations.health.rules.unfit_head import UnfitHead
from tb_activations.health.rules.vanishing_gradient import VanishingGradient
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding

__all__ = ["EXPLANATORY_ORDER", "RULES", "RULE_TITLES", "Rule", "RuleChoice", "configure", "title_of"]

RULES: dict[str, type[Rule]] = {
    rule.id: rule
    for rule in (
        DeadUnits,
        DormantUnits,
        VanishingGradient,
        ExplodingGradient,
        NonFinite,
        SaturatedUnits,
        StagnantWeights,
        NoGradient,
        CollapsedLayer,
        PoorInit,
        UnfitHead,
        StuckGates,
        AttentionLogits,
        AttentionCollapse,
        Outliers,
        NonFiniteData,
        NonFiniteLoss,
        LearningRate,
        NoLearning,
        LossSpike,
    )
}
"""Every rule by its id, in the order of tables. Rules for the training as a whole come last and see those before."""

EXPLANATORY_ORDER = (
    "nonfinite_data",
    "nonfinite",
    "nonfinite_loss",
    "unfit_head",
    "learning_rate",
    "poor_init",
    "exploding_gradient",
    "attention_logits",
    "dead_units",
    "saturated_units",
    "stuck_gates",
    "vanishing_gradient",
    "collapsed_layer",
    "attention_collapse",
    "dormant_units",
    "no_gradient",
    "stagnant_weights",
    "outliers",
    "loss_spike",
    "no_learning",
)
"""If two findings explain each other, the rule that comes first here is the cause."""

RULE_TITLES: dict[str, str] = {name: rule.title for name, rule in RULES.items()}

RuleChoice = Sequence[str] | Mapping[str, Mapping[str, float]] | None


_TITLES = {(rule.id, sign.id): sign.title for rule in RULES.values() for sign in rule.signs}


def title_of(finding: Finding) -> str:
    """The title of a finding's sign; the sign's id if this version does not know it."""
    return _TITLES.get((finding.rule, finding.sign), finding.sign)


def configure(rules: RuleChoice = None) -> tuple[Rule, ...]:
    """The rules to run, in the order of `RULES`.

    Args:
        rules: None for all rules, a sequence of ids, or a mapping from id to the thresholds that differ from the
            defaults. A sequence or mapping runs only the rules that it names.

    Raises:
        ValueError: an id or threshold does not exist, or a value is outside its limits; the text names `rules`.
    """
    if rules is None:
        return tuple(rule() for rule in RULES.values())
    if isinstance(rules, str) or not isinstance(rules, Sequence | Mapping):
        raise _invalid(rules, "None, a list of rule ids or a mapping from rule id to thresholds")
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        raise _invalid(unknown[0], f"the ids {', '.join(RULES)}")
    thresholds = rules if isinstance(rules, Mapping) else {name: {} for name in rules}
    return tuple(_configured(rule, thresholds[name]) for name, rule in RULES.items() if name in thresholds)


def _configured(rule: type[Rule], thresholds: Mapping[str, float]) -> Rule:
    if not isinstance(thresholds, Mapping):
        raise _invalid({rule.id: thresholds}, "a mapping from threshold to number")
    for name, value in thresholds.items():
        if name not in rule.limits:
            raise _invalid({rule.id: {name: value}}, f"for {rule.id} the thresholds {', '.join(rule.limits)}")
        low, high = rule.limits[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        if not is_number or not low <= value <= high:
            raise _invalid({rule.id: {name: value}}, f"for {name} a number from {low:g} to {high:g}")
    return rule(**thresholds)


def _invalid(received: object, allowed: str) -> ValueError:
    return invalid("rules", repr(received), allowed)
