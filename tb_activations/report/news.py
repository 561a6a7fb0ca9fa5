"""What happened to findings since a step, for programs that ask again and again."""

from __future__ import annotations

import numpy as np

from tb_activations.events.run import Run
from tb_activations.records.finding import WHOLE, Finding, Outcome


def has_news(run: Run, finding: Finding, since: int) -> bool:
    """Whether a finding opened, closed, opened again or changed its severity at or after the step `since`."""
    steps = (finding.opened_step, finding.closed_step, finding.reopened_step)
    if any(step is not None and step >= since for step in steps):
        return True
    return finding.closed_step is None and _outcome_before(run, finding, since) is not finding.severity.outcome


def _outcome_before(run: Run, finding: Finding, step: int) -> Outcome | None:
    """The outcome of the rule and the layer of a finding at the last observed step before `step`."""
    index = int(np.searchsorted(run.steps, step)) - 1
    if finding.layer == WHOLE:
        rules, outcomes = run.training_rules, run.training
    elif finding.layer in run.layers:
        rules, outcomes = run.rules, run.outcomes[:, run.spec.layer_index(finding.layer)]
    else:
        return None
    if index < 0 or finding.rule not in rules:
        return None
    return Outcome(int(outcomes[index, rules.index(finding.rule)]))
