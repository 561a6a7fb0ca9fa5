"""What a training reports at the end of an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class EpochMetrics:
    """The logs of one epoch, such as `loss` and `val_loss`.

    Attributes:
        step: the last step of the epoch, as the run counts.
        epoch: counted from 0.
        values: by name of the metric, in the order of the logs; may be NaN or infinite.
    """

    step: int
    epoch: int
    values: Mapping[str, float]
