"""One look after another at the same samples, drawn; never at the cost of the training."""

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

FREE_SECONDS = 1.0
"""So long all looks of an "auto" run may take together, whatever their share: a short training needs some."""
BUDGET_SHARE = 0.5
"""Of the overhead that the user allows, what looks may take; the rest is for observed steps."""
LARGEST_BYTES = 2**28
"""Of the layers' outputs that one look holds at a time; fewer samples are looked at where they would take more."""
MOST = 32
"""Samples that pictures and mode differences are made of."""

_SALIENCY = "Probe data, and below each sample how its parts matter to its class: orange for it, blue against it."
_MAXIMIZED = "Inputs that the first units of the layer answer to most (across); purple where none was found."
_RECONSTRUCTION = "Probe data (above) and what the model makes of it (below)."
_MAPS = "First samples of the probe data (down), channels (across), in inference mode."
_STEP_MAPS = "First samples of the last observed step (down), channels (across), in training mode."
_MEANS = "Mean of each feature map over the probe data (down) at the times of the pictures (across)."
_STEP_MEANS = (
    "Mean of each feature map over the first samples of the last observed step, in training mode (down), at the times "
    "of the pictures (across)."
)


@dataclasses.dataclass(frozen=True)
class Look:
    """What one look showed.

    Attributes:
        pictures: by tag, `<kind>/<layer>`.
        mode_difference: by row of the layer table.
        reconstruction_error: NaN where the model is no autoencoder.
        seconds: that it took.
    """

    pictures: Mapping[str, Picture]
    mode_difference: Mapping[str, float]
    reconstruction_error: float
    seconds: float = 0.0


class Watch:
    """Looks at one model through one training, or several.

    Only given samples let it call the model, and only a model whose calls leave nothing behind.

    Args:
        settings: what to look at.
        layers: as for `capture`.
        overhead: the share of the training time that observing may take, None for no limit on looks.
        clock: seconds; only the limit reads it.
    """

    def __init__(
        self, settings: WatchSettings, layers: LayerChoice, overhead: float | None, clock: Callable[[], float]
    ) -> None:
        self._settings, self._layers = settings, layers
        self._overhead, self._clock = overhead, clock
        self._began = clock()
        self._model: keras.Model | None = None
        self._is_callable: bool | None = None
        self._means: dict[str, Growing] = {}
        self._step_means: dict[str, Growing] = {}
        self._failed: set[str] = set()
        self._last_cost = 0.0
        self._spent = 0.0

    @property
    def needs_maps(self) -> bool:
        """Whether observed steps are to hand out their first feature maps."""
        return self.draws("feature_maps") or self.draws("mean_activation")

    def draws(self, kind: str) -> bool:
        """Whether pictures of this kind are wanted."""
        return kind in self._settings.kinds

    def look(self, model: keras.Model, spec: RunSpec | None, step_maps: Mapping[str, Array]) -> Look | None:
        """Looks once; None before the first record, or if there is no time for it.

        `step_maps` are the maps `[samples, height, width, channels]` of the last observed step by layer; they are drawn
        of layers that the look itself shows no maps of. A part that fails is warned of once and left out from then on.
        """
        now = self._clock()
        if spec is None or not self._is_affordable(now):
            return None
        if self._model is not model:
            self._model, self._is_callable = model, None
            self._means, self._step_means = {}, {}
        look = self._with_step_maps(self._look_at_samples(model, spec), step_maps)
        self._last_cost = self._clock() - now
        self._spent += self._last_cost
        return dataclasses.replace(look, seconds=self._last_cost)

    def _is_affordable(self, now: float) -> bool:
        if self._overhead is None:
            return True
        allowed = max(FREE_SECONDS, BUDGET_SHARE * self._overhead * (now - self._began))
        return self._spent + self._last_cost <= allowed

    def _look_at_samples(self, model: keras.Model, spec: RunSpec) -> Look:
        """What calls of the model show; nothing without samples."""
        if self._settings.samples is None:
            return Look({}, {}, math.nan)
        with preserved_random(), preserved(model):
            return self._look(model, spec, self._settings.samples)

    def _with_step_maps(self, look: Look, step_maps: Mapping[str, Array]) -> Look:
        drawn: dict[str, Picture] = {}
        for layer, own in step_maps.items():
            if not own.size:
                # No sample has a map with numbers in it.
                continue
            means = self._step_means.setdefault(layer, Growing(own.shape[-1]))
            means.append(own.mean(axis=(0, 1, 2)))
            drawn |= self._drawn(layer, own, means, (_STEP_MAPS, _STEP_MEANS))
        return dataclasses.replace(look, pictures={**drawn, **look.pictures})

    def _look(self, model: keras.Model, spec: RunSpec, samples: Samples) -> Look:
        few = _affordable_samples(spec, samples)
        if not self._can_be_called(model, few):
            return Look({}, {}, math.nan)
        drawn: dict[str, Picture] = {}
        for drawn_kinds, what, draw in (
            ({"feature_maps", "mean_activation"}, "feature maps", lambda: self._draw_maps(model, few)),
            ({"saliency"}, "saliency maps", lambda: _draw_saliency(model, spec, few)),
            ({"maximized_input"}, "maximized inputs", lambda: self._draw_maximized(model, few)),
        ):
            if drawn_kinds & self._settings.kinds:
                drawn |= self._guarded(what, draw) or {}
        error, reconstructions = (
            self._guarded("reconstruction", lambda: self._reconstruction(model, samples)) or _NOTHING
        )
        differences = self._guarded("mode difference", lambda: looks.mode_differences(model, few.x, self._layers))
        return Look({**drawn, **reconstructions}, differences or {}, error)

    def _can_be_called(self, model: keras.Model, few: Samples) -> bool:
        """Whether the model can be called with the samples and that leaves nothing behind; what it cannot is warned of.

        A model trained by a step of its own need not be callable: then every part would fail, each with its warning.
        """
        if self._is_callable is None:
            safe = self._guarded("pictures and figures", lambda: self._leaves_nothing_behind(model, few.x))
            self._is_callable = safe or False
        return self._is_callable

    def _leaves_nothing_behind(self, model: keras.Model, x: Any) -> bool:
        takes_gradient = self.draws("saliency") or self.draws("maximized_input")
        found = side_effects(model, tensors(x), with_gradient=takes_gradient)
        if not found:
            return looks.was_called(model, x)
        _LOGGER.warning(
            "Layer health: no pictures and figures of the probe data: to call the model would change more than its "
            "variables (%s), and with it the training. Feature maps are those of observed steps.",
            ", ".join(map(str, found)),
        )
        return False

    def _draw_maps(self, model: keras.Model, few: Samples) -> dict[str, Picture]:
        drawn: dict[str, Picture] = {}
        for layer, found in looks.layer_maps(model, few.x, self._layers).items():
            means = self._means.setdefault(layer, Growing(len(found.means)))
            means.append(found.means)
            drawn |= self._drawn(layer, found.maps, means, (_MAPS, _MEANS))
        return drawn

    def _drawn(self, layer: str, maps: Array, means: Growing, about: tuple[str, str]) -> dict[str, Picture]:
        drawn: dict[str, Picture] = {}
        if self.draws("feature_maps"):
            common = self._settings.common_scale
            drawn[f"feature_maps/{layer}"] = kinds.feature_maps(maps, common_scale=common, about=about[0])
        if self.draws("mean_activation"):
            drawn[f"mean_activation/{layer}"] = kinds.mean_activations(means.table(), about=about[1])
        return drawn

    def _draw_maximized(self, model: keras.Model, few: Samples) -> dict[str, Picture]:
        found = looks.maximized_inputs(model, few.x, self._layers)
        return {f"maximized_input/{layer}": kinds.images(tiles, about=_MAXIMIZED) for layer, tiles in found.items()}

    def _reconstruction(self, model: keras.Model, samples: Samples) -> tuple[float, dict[str, Picture]]:
        found = looks.reconstruction(model, samples, self._settings.is_autoencoder)
        if found is None:
            return _NOTHING
        drawn = {
            f"reconstruction/{output}": kinds.images(pairs, about=_RECONSTRUCTION)
            for output, pairs in found.pairs.items()
            if self.draws("reconstruction")
        }
        return found.error, drawn

    def _guarded(self, what: str, action: Callable[[], _Found]) -> _Found | None:
        """What `action` finds; None if it fails, which is warned of once."""
        if what in self._failed:
            return None
        try:
            return action()
        except Exception as error:
            self._failed.add(what)
            _LOGGER.warning("Layer health: no %s of the probe data (%s). The training continues.", what, gist(error))
            return None


def _affordable_samples(spec: RunSpec, samples: Samples) -> Samples:
    """The first samples, as many as can be looked at without holding much more than `LARGEST_BYTES`."""
    a_sample = sum(math.prod(size or 1 for size in layer.output_shape[1:]) for layer in spec.layers)
    # The outputs in both modes and each layer's own, at four bytes a number.
    count = min(MOST, max(2, LARGEST_BYTES // max(1, 12 * a_sample)))
    return Samples(rows(samples.x, 0, count), None if samples.y is None else rows(samples.y, 0, count))


def _draw_saliency(model: keras.Model, spec: RunSpec, few: Samples) -> dict[str, Picture]:
    found = looks.saliency(model, few)
    observed = [layer.name for layer in spec.layers if layer.call_site == 0 and not layer.not_observed]
    if found is None or not observed:
        return {}
    return {f"saliency/{observed[-1]}": kinds.saliency(*found, about=_SALIENCY)}
