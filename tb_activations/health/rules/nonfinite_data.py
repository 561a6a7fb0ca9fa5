"""NaN and infinity in the data that a training is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import Evidence, Explanation, Judged, OpenFinding, Sign, Told, TrainingRule
from tb_activations.health.rules.batch_row import bad_replica, bad_row, bad_row_in_words
from tb_activations.health.rules.nan_origin import origin_at
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import count

INPUTS = Sign("inputs", "non-finite inputs", "count")
TARGETS = Sign("targets", "non-finite targets", "count")
SAMPLE_WEIGHTS = Sign("sample_weights", "non-finite sample weights", "count")

_COLUMNS = {INPUTS: "input_nonfinite", TARGETS: "target_nonfinite", SAMPLE_WEIGHTS: "sample_weight_nonfinite"}
_NAMES = {INPUTS.id: "inputs", TARGETS.id: "targets", SAMPLE_WEIGHTS.id: "sample weights"}


@dataclasses.dataclass(frozen=True)
class NonFiniteData(TrainingRule):
    """Judges inputs, targets and sample weights of every observed step."""

    id: ClassVar[str] = "nonfinite_data"
    title: ClassVar[str] = "NaN or infinity in the data"
    why: ClassVar[str] = "One such value spoils every weight that its batch updates."
    signs: ClassVar[tuple[Sign, ...]] = (INPUTS, TARGETS, SAMPLE_WEIGHTS)
    source: ClassVar[str] = "IEEE 754: NaN spreads through every later operation"
    hears_others: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        counts = {sign: history.total(column)[-1] for sign, column in _COLUMNS.items()}
        found = next((sign for sign, value in counts.items() if value > 0), None)
        if earlier is not None and (found is None or earlier.severity is Severity.PROBLEM):
            # The damage outlasts the batch that caused it.
            is_lasting = earlier.severity is Severity.PROBLEM and np.any(history.latest("weight_nonfinite") > 0)
            if is_lasting or found is not None:
                return earlier.evidence._replace(checks=earlier.checks + 1)
        if found is None:
            return Outcome.OK if any(np.isfinite(value) for value in counts.values()) else Outcome.NOT_APPLICABLE
        return self._evidence(history, found, float(counts[found]))

    @staticmethod
    def _evidence(history: History, sign: Sign, value: float) -> Evidence:
        is_harmful = _has_spread(history)
        name = _NAMES[sign.id]
        seen = origin_at(history, len(history.steps) - 1) if sign == INPUTS else None
        row = bad_row(history) if sign == INPUTS else None
        into = f", into {seen.given}" if seen is not None and seen.given else ""
        spoiled = ", and loss or layers with them" if is_harmful else ""
        words = Explanation(
            message=(
                f"{count(value)} of the {name} in a batch {'is' if value == 1 else 'are'} NaN or infinite (none "
                f"allowed){into}{spoiled}, first seen at step {history.step}."
                f"{bad_row_in_words(row, bad_replica(history, history.step))}"
            ),
            might_be_wrong=(
                "Values that the model masks out are harmless, as long as loss and gradients stay finite."
                if not is_harmful
                else "Loss or layers were not finite in the same step; another cause in that step is unlikely."
            ),
            advice=(
                f"Find the rows with numpy.isfinite and drop or fill them: here the {name}. Restart from weights saved "
                "before that step."
            ),
        )
        return Evidence(
            severity=Severity.PROBLEM if is_harmful else Severity.NOTE,
            sign=sign,
            value=value,
            threshold=0,
            samples=int(np.nan_to_num(history.total("samples")[-1])),
            checks=1,
            since_step=history.step,
            explain=Told(words),
            sample_row=row,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"NaN or infinity in the {_NAMES.get(finding.sign, 'data')}"


def _has_spread(history: History) -> bool:
    """Whether the loss, a gradient or a weight was not finite in the latest step."""
    columns = ("gradient_nonfinite", "weight_gradient_nonfinite", "weight_nonfinite")
    return bool(
        history.total("loss_nonfinite")[-1] == 1 or any(np.any(history.latest(column) > 0) for column in columns)
    )
