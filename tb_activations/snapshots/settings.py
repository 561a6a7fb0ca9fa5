"""Settings of snapshots: the user's arguments, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tb_activations.pictures.kinds import KINDS
from tb_activations.probe.inputs import check_samples
from tb_activations.records.arguments import invalid

ImageScale = Literal["common", "each"]
CHEAP_KINDS = tuple(kind for kind in KINDS if kind != "maximized_input")
"""Drawn by default. A maximized input takes dozens of passes over the model, so it is drawn only on request."""
STEP_KINDS = ("feature_maps", "mean_activation", "units", "through_time")
"""Drawn from observed steps. All other kinds call the model and need samples."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Inputs, and their targets if there are any: (structures of) arrays with samples on the first axis."""

    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True)
class WatchSettings:
    """What snapshots show.

    Attributes:
        kinds: the pictures to draw, of `KINDS`.
        common_scale: whether the maps of one picture share a scale.
        samples: what to call each model with, by the model's name; a model without samples is never called, and its
            pictures come from observed steps.
        is_autoencoder: whether the user asked for reconstructions, so that targets may differ from inputs.
    """

    kinds: frozenset[str]
    common_scale: bool
    samples: Mapping[str, Samples]
    is_autoencoder: bool


def watch_settings(
    probe_data: Any, images: Sequence[str] | None, image_scale: str, models: Collection[str] = ("",)
) -> WatchSettings:
    """The settings for these arguments of `LayerHealth` and `Recorder`.

    Args:
        probe_data: `(x, y)`, x alone, or a dataset, whose first batch is used; None for none. For named models a
            mapping from some of their names to these.
        images: the pictures to draw; None for all that are not expensive.
        image_scale: "common" or "each".
        models: names of the models; "" is the name of a single one.

    Raises:
        TypeError, ValueError: an argument is not allowed; the message names it.
    """
    if image_scale not in get_args(ImageScale):
        raise invalid("image_scale", repr(image_scale), '"common" and "each"')
    if isinstance(images, str) or not (images is None or isinstance(images, Sequence)):
        raise invalid("images", repr(images), f"None or a list of {_KINDS}", kind=TypeError)
    unknown = [kind for kind in images or () if kind not in KINDS]
    if unknown:
        raise invalid("images", f"{', '.join(map(repr, unknown))}", _KINDS)
    without_samples = [kind for kind in images or () if kind not in STEP_KINDS and probe_data is None]
    if without_samples:
        raise invalid(
            "images",
            f"{', '.join(map(repr, without_samples))} without `probe_data`. Allowed without it are "
            f"{', '.join(map(repr, STEP_KINDS))}",
        )
    return WatchSettings(
        kinds=frozenset(CHEAP_KINDS if images is None else images),
        common_scale=image_scale == "common",
        samples=_samples_by_model(probe_data, models),
        is_autoencoder="reconstruction" in (images or ()),
    )


_KINDS = ", ".join(f'"{kind}"' for kind in KINDS)


def _samples_by_model(probe_data: Any, models: Collection[str]) -> dict[str, Samples]:
    if probe_data is None:
        return {}
    if list(models) == [""]:
        return {"": _samples(probe_data)}
    allowed = f"a mapping from names of models ({', '.join(map(repr, models))}) to (x, y) or x"
    if not isinstance(probe_data, Mapping):
        raise invalid("probe_data", f"{type(probe_data).__name__} for several models", allowed, kind=TypeError)
    unknown = [name for name in probe_data if name not in models]
    if unknown or not probe_data:
        given = ", ".join(map(repr, unknown)) or "an empty mapping"
        raise invalid("probe_data", given, allowed)
    return {name: _samples(own) for name, own in probe_data.items()}


def _samples(probe_data: Any) -> Samples:
    if isinstance(probe_data, tf.data.Dataset):
        batch = next(iter(probe_data), None)
        if batch is None:
            raise invalid("probe_data", "the dataset has no batch", "at least one")
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    elif isinstance(probe_data, tuple) and len(probe_data) in (1, 2):
        x, y = (*probe_data, None)[:2]
    else:
        x, y = probe_data, None
    x, y = keras.tree.map_structure(np.asarray, x), None if y is None else keras.tree.map_structure(np.asarray, y)
    counts = {check_samples(part, "probe_data") for part in (x, y) if part is not None}
    if len(counts) > 1:
        raise invalid("probe_data", f"{sorted(counts)} samples in x and y", "the same number in both")
    return Samples(x, y)
