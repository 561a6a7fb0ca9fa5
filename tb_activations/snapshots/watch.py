"""Repeated snapshots of the models of a run, within a share of the training time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from tb_activations.pictures.growing import Growing
from tb_activations.pictures.kinds import Picture
from tb_activations.records.specs import RunSpec
from tb_activations.snapshots.model_snapshots import STEP_MAPS, STEP_MEANS, ModelSnapshots, Snapshot, drawn_maps
from tb_activations.snapshots.settings import WatchSettings
from tb_activations.taps.layers import LayerChoice, filter_layers, find_layers, find_layers_of

Array = NDArray[np.float32]

FREE_SECONDS = 1.0
"""All snapshots of an "auto" run together may take this long whatever their share, so that a short run has some."""
FIRST_SHARE = 0.1
"""Share of the training's time until then that the first snapshot may take; otherwise it waits."""
LIKE_PREPARING = 0.5
"""The first snapshot traces the model, too. It takes about this share of the time that preparing the first step took:
0.2 (a transformer) to 0.7 (an LSTM), in the middle 0.4, measured once each for eight networks."""
BUDGET_SHARE = 0.5
"""Share of the allowed overhead for snapshots; the rest is for observed steps."""


class Watch:
    """Takes snapshots of the models of one training, or of several trainings in turn.

    A model is called only with samples that the user gave for it, and only if its calls have no lasting side effects.

    Args:
        settings: what snapshots show.
        layers: as for `capture`; with several models, names begin with the model's.
        overhead: share of the training time that observing may take; None for no limit on snapshots.
        clock: in seconds; used only for that limit.
    """

    def __init__(
        self, settings: WatchSettings, layers: LayerChoice, overhead: float | None, clock: Callable[[], float]
    ) -> None:
        self._settings, self._layers = settings, layers
        self._overhead, self._clock = overhead, clock
        self._began = clock()
        self._models: dict[str, keras.Model] = {}
        self._snapshots = {name: ModelSnapshots(name, settings, own) for name, own in settings.samples.items()}
        self._step_means: dict[str, Growing] = {}
        self._last_cost = 0.0
        self._spent = 0.0
        self._is_first = True

    @property
    def is_waiting(self) -> bool:
        """Whether there is no snapshot of the samples yet because it would take too long."""
        return self._is_first and bool(self._snapshots) and self._overhead is not None

    @property
    def needs_maps(self) -> bool:
        """Whether observed steps have to return their first feature maps."""
        return self.draws("feature_maps") or self.draws("mean_activation")

    def draws(self, kind: str) -> bool:
        """Whether pictures of this kind are wanted."""
        return kind in self._settings.kinds

    def look(
        self,
        models: keras.Model | Mapping[str, keras.Model],
        spec: RunSpec | None,
        step_maps: Mapping[str, Array],
        write: Callable[[Snapshot], None],
        *,
        preparing: float = 0.0,
        is_end: bool = False,
    ) -> float | None:
        """Takes one snapshot and writes it, unless there is no record yet or it would take too long now.

        A part that fails is logged once and left out from then on.

        Args:
            models: a model, or several by name; the name comes before those of the layers.
            spec: the run's description, None before the first record.
            step_maps: `[samples, height, width, channels]` of the last observed step by layer. They are drawn for
                layers without maps of the samples.
            write: writes it; drawing takes about as long as the snapshot itself.
            preparing: seconds that it took to prepare the first observed step.
            is_end: whether the training has ended, so that nothing waits for the snapshot.

        Returns:
            seconds that it took; None if it was not taken.
        """
        now = self._clock()
        if spec is None or not (is_end or self._is_affordable(now, preparing)):
            return None
        named = dict(models) if isinstance(models, Mapping) else {"": models}
        if any(self._models.get(name) is not model for name, model in named.items()):
            self._models, self._step_means = named, {}
        write(self._with_step_maps(_merged(list(self._of_models(named, spec))), step_maps))
        self._last_cost = self._clock() - now
        self._spent += self._last_cost
        self._is_first = False
        return self._last_cost

    def _is_affordable(self, now: float, preparing: float) -> bool:
        if self._overhead is None:
            return True
        if self.is_waiting:
            return LIKE_PREPARING * preparing <= max(FREE_SECONDS, FIRST_SHARE * (now - self._began))
        allowed = max(FREE_SECONDS, BUDGET_SHARE * self._overhead * (now - self._began))
        return self._spent + self._last_cost <= allowed

    def _of_models(self, models: Mapping[str, keras.Model], spec: RunSpec) -> Iterator[Snapshot]:
        """A snapshot of each model that has samples; nothing without samples."""
        for name, snapshots in self._snapshots.items():
            layers = self._layers if not name else _layers_of(models, name, self._layers)
            if layers != []:
                yield snapshots.take(models[name], spec, layers)

    def _with_step_maps(self, snapshot: Snapshot, step_maps: Mapping[str, Array]) -> Snapshot:
        drawn: dict[str, Picture] = {}
        for layer, own in step_maps.items():
            if not own.size:
                # No sample has a map with finite values.
                continue
            means = self._step_means.setdefault(layer, Growing(own.shape[-1]))
            means.append(own.mean(axis=(0, 1, 2)))
            drawn |= drawn_maps(self._settings, layer, own, means, (STEP_MAPS, STEP_MEANS))
        return dataclasses.replace(snapshot, pictures={**drawn, **snapshot.pictures})


def _layers_of(models: Mapping[str, keras.Model], name: str, layers: LayerChoice) -> LayerChoice:
    """The layers of one of several models that `layers`, in names of the run, chooses; `[]` for none."""
    if layers is None:
        return None
    chosen = {id(entry.layer) for entry in filter_layers(find_layers_of(models), layers)}
    if not any(id(entry.layer) in chosen for entry in find_layers(models[name])):
        return []
    return lambda layer: id(layer) in chosen


def _merged(snapshots: list[Snapshot]) -> Snapshot:
    """One snapshot of all models; the reconstruction error is that of the first model that has one."""
    pictures: dict[str, Picture] = {}
    differences: dict[str, float] = {}
    for snapshot in snapshots:
        pictures |= snapshot.pictures
        differences |= snapshot.mode_difference
    errors = [one.reconstruction_error for one in snapshots if not math.isnan(one.reconstruction_error)]
    return Snapshot(pictures, differences, errors[0] if errors else math.nan)
