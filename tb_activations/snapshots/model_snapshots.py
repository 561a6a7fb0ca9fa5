"""Snapshots of one model: pictures and statistics of given samples. A failing part never stops the training."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from tb_activations.pictures import kinds
from tb_activations.pictures.growing import Growing
from tb_activations.pictures.kinds import Picture
from tb_activations.probe.inputs import rows, tensors
from tb_activations.probe.randomness import preserved_random
from tb_activations.probe.side_effects import side_effects
from tb_activations.probe.state import preserved
from tb_activations.records.specs import RunSpec
from tb_activations.snapshots import looks
from tb_activations.snapshots.settings import Samples, WatchSettings
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice

Array = NDArray[np.float32]
_NOTHING: tuple[float, dict[str, Picture]] = (math.nan, {})
_Found = TypeVar("_Found")
_LOGGER = logging.getLogger("tb_activations")

LARGEST_BYTES = 2**28
"""Limit for the layer outputs held at a time; a snapshot uses fewer samples where they would exceed it."""
MOST = 32
"""Samples used for pictures and mode differences."""

STEP_MAPS = "Feature maps in training mode: first samples of the last observed step (rows), channels (columns)."
"""Description of feature maps taken from an observed step."""
STEP_MEANS = (
    "Mean of each feature map (rows) over the first samples of the last observed step, in training mode, one column "
    "per picture."
)
_MAPS = "Feature maps in inference mode: first samples of the probe data (rows), channels (columns)."
_MEANS = "Mean of each feature map (rows) over the probe data, one column per picture."
_SALIENCY = "Probe data (above) and saliency for its class (below): orange raises the class score, blue lowers it."
_MAXIMIZED = "Inputs that maximize the first units of the layer (columns); purple where none was found."
_RECONSTRUCTION = "Probe data (above) and its reconstruction by the model (below)."


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The result of one snapshot.

    Attributes:
        pictures: by tag, `<kind>/<layer>`.
        mode_difference: by row of the layer table.
        reconstruction_error: NaN if no model is an autoencoder.
    """

    pictures: Mapping[str, Picture]
    mode_difference: Mapping[str, float]
    reconstruction_error: float


class ModelSnapshots:
    """Takes snapshots of one model of a run.

    Args:
        name: of the model in the run, "" if the run has only one. It comes before the names of the layers.
        settings: what snapshots show.
        samples: what to call the model with.
    """

    def __init__(self, name: str, settings: WatchSettings, samples: Samples) -> None:
        self._prefix = f"{name}/" if name else ""
        self._settings, self._samples = settings, samples
        self._model: keras.Model | None = None
        self._is_callable: bool | None = None
        self._means: dict[str, Growing] = {}
        self._failed: set[str] = set()

    def take(self, model: keras.Model, spec: RunSpec, layers: LayerChoice) -> Snapshot:
        """Takes one snapshot; the model and all random numbers are as before afterwards.

        `layers` is as for `capture`. A part that fails is logged once and left out from then on.
        """
        if self._model is not model:
            self._model, self._is_callable, self._means = model, None, {}
        with preserved_random(), preserved(model):
            return self._taken(model, spec, layers)

    def _taken(self, model: keras.Model, spec: RunSpec, layers: LayerChoice) -> Snapshot:
        few = self._affordable_samples(spec)
        if not self._can_be_called(model, few):
            return Snapshot({}, {}, math.nan)
        drawn: dict[str, Picture] = {}
        for drawn_kinds, what, draw in (
            ({"feature_maps", "mean_activation"}, "feature maps", lambda: self._draw_maps(model, few, layers)),
            ({"saliency"}, "saliency maps", lambda: self._draw_saliency(model, spec, few)),
            ({"maximized_input"}, "maximized inputs", lambda: self._draw_maximized(model, few, layers)),
        ):
            if drawn_kinds & self._settings.kinds:
                drawn |= self._guarded(what, draw) or {}
        error, reconstructions = self._guarded("reconstruction", lambda: self._reconstruction(model)) or _NOTHING
        differences = self._guarded("mode difference", lambda: looks.mode_differences(model, few.x, layers)) or {}
        named = {self._prefix + row: difference for row, difference in differences.items()}
        return Snapshot({**drawn, **reconstructions}, named, error)

    def _affordable_samples(self, spec: RunSpec) -> Samples:
        """The first samples, as many as fit into about `LARGEST_BYTES` of layer outputs."""
        shapes = [layer.output_shape for layer in spec.layers if layer.name.startswith(self._prefix)]
        per_sample = sum(math.prod(size or 1 for size in shape[1:]) for shape in shapes)
        # Outputs in both modes and each layer's own, at four bytes per number.
        count = min(MOST, max(2, LARGEST_BYTES // max(1, 12 * per_sample)))
        x, y = self._samples.x, self._samples.y
        return Samples(rows(x, 0, count), None if y is None else rows(y, 0, count))

    def _can_be_called(self, model: keras.Model, few: Samples) -> bool:
        """Whether the model accepts the samples and its calls have no lasting side effects; logs why not.

        Checked once: a model trained by a custom step need not be callable, and then every part would fail and warn.
        """
        if self._is_callable is None:
            safe = self._guarded("pictures and statistics", lambda: self._has_no_side_effects(model, few.x))
            self._is_callable = safe or False
        return self._is_callable

    def _has_no_side_effects(self, model: keras.Model, x: Any) -> bool:
        takes_gradient = bool({"saliency", "maximized_input"} & self._settings.kinds)
        found = side_effects(model, tensors(x), with_gradient=takes_gradient)
        if not found:
            return looks.was_called(model, x)
        _LOGGER.warning(
            "Layer health: no pictures or statistics of the probe data: calling the model would have side effects on "
            "the training (%s). Feature maps are taken from observed steps instead.",
            ", ".join(map(str, found)),
        )
        return False

    def _draw_maps(self, model: keras.Model, few: Samples, layers: LayerChoice) -> dict[str, Picture]:
        drawn: dict[str, Picture] = {}
        for layer, found in looks.layer_maps(model, few.x, layers).items():
            means = self._means.setdefault(layer, Growing(len(found.means)))
            means.append(found.means)
            drawn |= drawn_maps(self._settings, self._prefix + layer, found.maps, means, (_MAPS, _MEANS))
        return drawn

    def _draw_saliency(self, model: keras.Model, spec: RunSpec, few: Samples) -> dict[str, Picture]:
        found = looks.saliency(model, few)
        own = [layer for layer in spec.layers if layer.name.startswith(self._prefix)]
        observed = [layer.name for layer in own if layer.call_site == 0 and not layer.not_observed]
        if found is None or not observed:
            return {}
        return {f"saliency/{observed[-1]}": kinds.saliency(*found, about=_SALIENCY)}

    def _draw_maximized(self, model: keras.Model, few: Samples, layers: LayerChoice) -> dict[str, Picture]:
        found = looks.maximized_inputs(model, few.x, layers)
        return {
            f"maximized_input/{self._prefix}{layer}": kinds.images(tiles, about=_MAXIMIZED)
            for layer, tiles in found.items()
        }

    def _reconstruction(self, model: keras.Model) -> tuple[float, dict[str, Picture]]:
        found = looks.reconstruction(model, self._samples, self._settings.is_autoencoder)
        if found is None:
            return _NOTHING
        drawn = {
            f"reconstruction/{self._prefix}{output}": kinds.images(pairs, about=_RECONSTRUCTION)
            for output, pairs in found.pairs.items()
            if "reconstruction" in self._settings.kinds
        }
        return found.error, drawn

    def _guarded(self, what: str, action: Callable[[], _Found]) -> _Found | None:
        """The result of `action`; None if it fails, which is logged once."""
        if what in self._failed:
            return None
        try:
            return action()
        except Exception as error:
            self._failed.add(what)
            _LOGGER.warning("Layer health: no %s of the probe data (%s). Training continues.", what, gist(error))
            return None


def drawn_maps(
    settings: WatchSettings, layer: str, maps: Array, means: Growing, about: tuple[str, str]
) -> dict[str, Picture]:
    """The pictures of one layer's feature maps and of their means so far; `about` describes the two."""
    drawn: dict[str, Picture] = {}
    if "feature_maps" in settings.kinds:
        drawn[f"feature_maps/{layer}"] = kinds.feature_maps(maps, common_scale=settings.common_scale, about=about[0])
    if "mean_activation" in settings.kinds:
        drawn[f"mean_activation/{layer}"] = kinds.mean_activations(means.table(), about=about[1])
    return drawn
