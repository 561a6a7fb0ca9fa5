"""Parts of synthetic runs: a nested model with branches and a shared layer, and pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.pictures.kinds import feature_maps
from tb_activations.recording.stock import image


def nested_place(layers: int, index: int) -> tuple[str, int, tuple[str, ...]]:
    """Name, call site and inputs: an input layer, blocks of four with a connection past them, a layer called twice."""
    if index in (0, layers - 1):
        return ("stem" if index == 0 else "head"), 0, () if index == 0 else (_nested_name(index - 1),)
    inputs = [_nested_name(index - 1)]
    if index % 4 == 0:
        inputs.append(_nested_name(index - 4))
    return _nested_name(index), index - 4 if index in (5, 6) else 0, tuple(inputs)


def _nested_name(index: int) -> str:
    if index == 0:
        return "stem"
    call = f"@{index - 4}" if index in (5, 6) else ""
    return f"encoder/block_{(index - 1) // 4}/dense_{4 if call else index}{call}"


def model_pictures(layer: str, index: int) -> list[Summary.Value]:
    """Maps of the first layer that say what they are, and a picture of the model that does not."""
    ramp = np.linspace(-1, 1 + index, 2 * 6 * 6 * 4, dtype=np.float32).reshape(2, 6, 6, 4)
    maps = feature_maps(ramp, about="Two samples, four channels.")
    plain = feature_maps(ramp[:1, :, :, :1])
    without_text = io.BytesIO()
    Image.open(io.BytesIO(plain.png)).convert("RGB").save(without_text, "JPEG")
    return [
        image(f"feature_maps/{layer}", maps.png, maps.width, maps.height, "Maps of the same inputs."),
        image("confusion", without_text.getvalue(), plain.width, plain.height, "Rows are **classes**."),
    ]
