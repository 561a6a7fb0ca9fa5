"""The metrics of an epoch as text, one value of `layer_health/epoch`."""

from __future__ import annotations

import json

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.json_codec import number_from_json, number_to_json
from tb_activations.records.epoch_metrics import EpochMetrics

MOST_METRICS = 64
"""Of one epoch; the first ones are kept."""
LONGEST_NAME = 200
"""Characters in the name of a metric; longer ones are left out."""
_LARGEST_TEXT = 65_536
_LARGEST_EPOCH = 2**53


def epoch_to_json(metrics: EpochMetrics) -> str:
    values = {name: number_to_json(value) for name, value in metrics.values.items()}
    return json.dumps({"epoch": metrics.epoch, "metrics": values}, allow_nan=False)


def epoch_from_json(text: bytes, step: int) -> EpochMetrics:
    """The metrics from `epoch_to_json`, written at `step`; unknown members are ignored.

    Raises:
        UnreadableRunError: the text is not what this package writes.
    """
    if len(text) > _LARGEST_TEXT:
        raise UnreadableRunError("the metrics of an epoch are too long")
    try:
        fields = json.loads(text)
        epoch = fields["epoch"]
        values = {name: number_from_json(value, name) for name, value in fields["metrics"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableRunError(f"the metrics of an epoch cannot be read: {error!r}") from error
    if type(epoch) is not int or not 0 <= epoch <= _LARGEST_EPOCH:
        raise UnreadableRunError("the metrics of an epoch have an invalid epoch")
    if len(values) > MOST_METRICS or any(len(name) > LONGEST_NAME for name in values):
        raise UnreadableRunError("the metrics of an epoch are too many, or their names too long")
    return EpochMetrics(step, epoch, values)
