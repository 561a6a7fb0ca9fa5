"""What to look at while a model trains: the user's arguments, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tb_activations.pictures.kinds import KINDS
from tb_activations.probe.inputs import check_samples

ImageScale = Literal["common", "each"]
CHEAP_KINDS = tuple(kind for kind in KINDS if kind != "maximized_input")
"""A maximized input takes dozens of passes over the model, so it is drawn only when asked for."""
STEP_KINDS = ("feature_maps", "mean_activation", "units")
"""What observed steps show; all others call the model for them, and so need samples."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Inputs, and their targets if there are any: (structures of) arrays with samples on the first axis."""

    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True)
class WatchSettings:
    """What to look at.

    Attributes:
        kinds: the pictures that are drawn, of `KINDS`.
        common_scale: whether the maps of one picture share a scale.
        samples: what to call the model with; None to leave it alone and draw what observed steps show.
        is_autoencoder: whether the user said so by asking for reconstructions.
    """

    kinds: frozenset[str]
    common_scale: bool
    samples: Samples | None
    is_autoencoder: bool


def watch_settings(probe_data: Any, images: Sequence[str] | None, image_scale: str) -> WatchSettings:
    """The settings that these arguments of `LayerHealth` ask for.

    Raises:
        TypeError, ValueError: an argument is not allowed; the message names it.
    """
    if image_scale not in get_args(ImageScale):
        raise ValueError(f'Invalid value for argument `image_scale`: {image_scale!r}. Allowed are "common" and "each".')
    if isinstance(images, str) or not (images is None or isinstance(images, Sequence)):
        raise TypeError(f"Invalid value for argument `images`: {images!r}. Allowed are None or a list of {_KINDS}.")
    unknown = [kind for kind in images or () if kind not in KINDS]
    if unknown:
        raise ValueError(f"Invalid value for argument `images`: {', '.join(map(repr, unknown))}. Allowed are {_KINDS}.")
    without_samples = [kind for kind in images or () if kind not in STEP_KINDS and probe_data is None]
    if without_samples:
        raise ValueError(
            f"Invalid value for argument `images`: {', '.join(map(repr, without_samples))} without `probe_data`, the "
            f"samples to call the model with. Allowed without it are {', '.join(map(repr, STEP_KINDS))}."
        )
    return WatchSettings(
        kinds=frozenset(CHEAP_KINDS if images is None else images),
        common_scale=image_scale == "common",
        samples=None if probe_data is None else _samples(probe_data),
        is_autoencoder="reconstruction" in (images or ()),
    )


_KINDS = ", ".join(f'"{kind}"' for kind in KINDS)


def _samples(probe_data: Any) -> Samples:
    if isinstance(probe_data, tf.data.Dataset):
        batch = next(iter(probe_data), None)
        if batch is None:
            raise ValueError("Invalid value for argument `probe_data`: the dataset holds no batch.")
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    elif isinstance(probe_data, tuple) and len(probe_data) in (1, 2):
        x, y = (*probe_data, None)[:2]
    else:
        x, y = probe_data, None
    x, y = keras.tree.map_structure(np.asarray, x), None if y is None else keras.tree.map_structure(np.asarray, y)
    try:
        counts = {check_samples(part) for part in (x, y) if part is not None}
    except ValueError as error:
        raise ValueError(
            "Invalid value for argument `probe_data`: allowed is (x, y), or x alone, with at least one sample on the "
            f"first axis of every array. {error}"
        ) from error
    if len(counts) > 1:
        raise ValueError(
            f"Invalid value for argument `probe_data`: {sorted(counts)} samples in x and y. Allowed is equally many."
        )
    return Samples(x, y)
