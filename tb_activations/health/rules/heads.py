"""What the rules for attention share: the rows of heads, and what is known of each head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import Answers
from tb_activations.records.finding import Outcome

CLASS = "AttentionHeads"
"""Class name of the rows whose units are heads."""

Case = tuple[NDArray[np.bool_], Outcome]


def is_heads(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the row holds the heads of an attention layer, of all its calls together."""
    return np.array([layer.class_name == CLASS and not layer.call_site for layer in history.spec.layers], bool)


def attention_of(is_judged: NDArray[np.bool_], counts: NDArray[np.int64], min_checks: float) -> tuple[Case, Case]:
    """The outcomes of rows that are not judged, and of those measured at too few observed steps."""
    return (~is_judged, Outcome.NOT_APPLICABLE), (counts < min_checks, Outcome.INSUFFICIENT_DATA)


def no_answers(history: History) -> Answers:
    """Those of a model without attention."""
    return Answers(np.full(len(history.spec.layers), Outcome.NOT_APPLICABLE, np.uint8), {})


def peaks_of(history: History, row: int) -> NDArray[np.float32]:
    """`[heads]` largest absolute logit of the last checks; NaN if not measured, empty without heads."""
    return history.recent_peaks[history.unit_slices[row]]
