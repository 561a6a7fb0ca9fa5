"""The vectors of an observed step: what is in them, in which order, and where they are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers.later import Later, Results
from tb_activations.taps.step.replicas import from_all_replicas, from_first_replica


@dataclasses.dataclass(frozen=True, eq=False)
class Packing:
    """The results of a step. Each is known, or a `Later`.

    Attributes:
        head: vectors about the step as a whole.
        calls: an `Activation`, a `Gradient` and whether there are statistics per unit, for each call.
        inputs: a vector for each input.
        weights: a vector for each weight.
        maps: feature maps of some calls.
        sequences: `through_time.profile` of each cell.
        with_histograms: whether activations and gradients have histograms.
    """

    head: Sequence[Any]
    calls: Sequence[tuple[Any, Any, bool]]
    inputs: Sequence[Any]
    weights: Sequence[Any]
    maps: Sequence[Any]
    sequences: Sequence[Any]
    with_histograms: bool

    def needed(self) -> list[tf.Tensor]:
        """The tensors that have to leave the step, each once."""
        results = [result for part in self._parts() for result in part]
        flat = [value for result in results for value in (result.tensors if isinstance(result, Later) else [result])]
        known = [value for value in tf.nest.flatten(flat) if isinstance(value, tf.Tensor)]
        return list({tensor.ref(): tensor for tensor in known}.values())

    def outside(self, tensors: Sequence[tf.Tensor]) -> Packing:
        """The same after the step, computed from what left it for `needed`."""
        results = Results({one.ref(): other for one, other in zip(self.needed(), tensors, strict=True)})

        def known(result: Any) -> Any:
            return results.of(result) if isinstance(result, Later) else tf.nest.map_structure(results.of, result)

        return Packing(
            head=[known(one) for one in self.head],
            calls=[(known(one), known(two), has_units) for one, two, has_units in self.calls],
            inputs=[known(one) for one in self.inputs],
            weights=[known(one) for one in self.weights],
            maps=[known(one) for one in self.maps],
            sequences=[known(one) for one in self.sequences],
            with_histograms=self.with_histograms,
        )

    def vectors(self) -> dict[str, tf.Tensor]:
        """Each `[replicas, length]` float32 (feature maps: `[1, length]`); all results must be known."""
        pieces = list(self.head)
        for activation, gradient, has_units in self.calls:
            pieces += [activation.values, gradient.values]
            if has_units:
                pieces += [activation.active, activation.peak]
        pieces += [*self.inputs, *self.weights]
        packed = {"statistics": from_all_replicas(tf.concat(pieces, 0))}
        if self.with_histograms and self.calls:
            pairs = [part for one, two, _ in self.calls for part in (one.histogram, two.histogram)]
            packed["histograms"] = from_all_replicas(tf.concat(pairs, 0))
        if self.sequences:
            packed["sequences"] = from_all_replicas(tf.concat(self.sequences, 0))
        if self.maps:
            packed["maps"] = from_first_replica(tf.concat([tf.reshape(one, [-1]) for one in self.maps], 0))
        return packed

    def _parts(self) -> list[Sequence[Any]]:
        per_call = [result for one, two, _ in self.calls for result in (one, two)]
        return [self.head, per_call, self.inputs, self.weights, self.maps, self.sequences]
