"""Pictures of the samples that findings point at."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tb_activations.pictures import kinds
from tb_activations.records.finding import Finding

_LOGGER = logging.getLogger("tb_activations")
TAG = "bad_samples"
_CHANNELS = (1, 3, 4)


def pictures(findings: Iterable[Finding], step: int, batch: Any) -> Mapping[str, kinds.Picture]:
    """By tag: the image at the row that a finding which opened at this step points at.

    Nothing if the batch is not known or has no images, `[batch, height, width, channels]` with 1, 3 or 4 channels.
    """
    opened = [one for one in findings if one.opened_step == step and one.sample_row is not None]
    # Of findings that point at the same row, the one that the others follow from names the picture.
    wanted = {one.sample_row: one for one in sorted(opened, key=lambda one: one.root is None)}
    drawn = {}
    for row, finding in wanted.items():
        assert row is not None
        try:
            image = _image(batch, row)
            if image is not None:
                drawn[f"{TAG}/{finding.rule}"] = kinds.images(image[None, None], about=f"Step {step}, row {row}.")
        except Exception as error:  # A missing picture must not end the recording.
            _LOGGER.debug("Cannot draw row %d of step %d (%s).", row, step, error)
    return drawn


def _image(batch: Any, row: int) -> Any:
    for value in keras.tree.flatten(batch):
        shape = tuple(getattr(value, "shape", ()))
        if len(shape) == 4 and shape[-1] in _CHANNELS and row < (shape[0] or 0):
            return np.asarray(value[row], np.float32)
    return None
