"""The vectors of an observed step: what is in them, in which order, and where they are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers.later import Later, Results
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS
from tb_activations.taps.numbers.merging import CallSizes, merged_histograms, merged_sequences, merged_statistics
from tb_activations.taps.step.replicas import count, from_all_replicas, from_first_replica


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
        """Each `[1, length]` float32, over all replicas (feature maps: of the first one); all results must be known."""
        pieces = list(self.head)
        for activation, gradient, has_units in self.calls:
            pieces += [activation.values, gradient.values]
            if has_units:
                pieces += [activation.active, activation.peak]
        pieces += [*self.inputs, *self.weights]
        packed = {"statistics": self._merged_statistics(tf.concat(pieces, 0))}
        if self.with_histograms and self.calls:
            pairs = [part for one, two, _ in self.calls for part in (one.histogram, two.histogram)]
            packed["histograms"] = _merged(tf.concat(pairs, 0), merged_histograms)
        if self.sequences:
            packed["sequences"] = _merged(tf.concat(self.sequences, 0), merged_sequences)
        if self.maps:
            packed["maps"] = from_first_replica(tf.concat([tf.reshape(one, [-1]) for one in self.maps], 0))
        return packed

    def _merged_statistics(self, statistics: tf.Tensor) -> tf.Tensor:
        sizes = [
            CallSizes(
                activation.values.shape[0] - len(ACTIVATION_STATISTICS), activation.active.shape[0] if has_units else 0
            )
            for activation, _, has_units in self.calls
        ]
        return _merged(statistics, lambda values: merged_statistics(values, sizes, len(self.inputs)))

    def _parts(self) -> list[Sequence[Any]]:
        per_call = [result for one, two, _ in self.calls for result in (one, two)]
        return [self.head, per_call, self.inputs, self.weights, self.maps, self.sequences]


def _merged(vector: tf.Tensor, merge: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    return vector[None] if count() == 1 else merge(from_all_replicas(vector))
