"""The result of an observed step as it leaves the graph, before it is unpacked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from tb_activations.taps.numbers import unpack_tensors
from tb_activations.taps.numbers.layout import Layout
from tb_activations.taps.numbers.unpack import layout_number, unpack
from tb_activations.taps.numbers.unpack_sequences import sequences
from tb_activations.taps.numbers.values import Array, StepValues


class Layouts(Protocol):
    """Holds the layouts of packed vectors."""

    def layout(self, number: int) -> Layout:
        """The layout of this number."""


@dataclasses.dataclass(frozen=True, eq=False)
class PackedStep:
    """The vectors of one observed step, still on the device.

    Attributes:
        step: optimizer iterations completed before it.
        vectors: "statistics", and "histograms", "sequences" and "maps" if the step was traced with them.
        layouts: holds the layout of the vectors.
        has_histograms: whether histograms were requested; they are NaN otherwise.
        loss: the loss that the step returned, used if the taps saw no loss; None if it returned none.
        batch: the data of the step, if somebody asks for ids of samples.
    """

    step: int
    vectors: Mapping[str, Any]
    layouts: Layouts
    has_histograms: bool
    loss: float | None = None
    batch: Any = None

    def unpack(self) -> StepValues:
        """Waits for the device and unpacks everything but feature maps."""
        statistics, layout = self._read()
        values = unpack(statistics, layout, self.loss)
        if not self.has_histograms or "histograms" not in self.vectors:
            return values
        packed = self.vectors["histograms"].numpy()
        filled = unpack_tensors.histograms(packed, layout.calls, values.rows)
        return dataclasses.replace(values, histograms=filled, sequences=self._sequences(layout, values))

    def _sequences(self, layout: Layout, values: StepValues) -> Array | None:
        if "sequences" not in self.vectors:
            return None
        packed, scale = self.vectors["sequences"].numpy(), values.totals["loss_scale"]
        return sequences(packed, layout.calls, values.rows, scale)

    def feature_maps(self) -> Mapping[str, Array]:
        """Layer name to `[samples, height, width, channels]`; empty in a step without maps."""
        if "maps" not in self.vectors:
            return {}
        return unpack_tensors.feature_maps(self.vectors["maps"].numpy(), self._read()[1].calls)

    def _read(self) -> tuple[Array, Layout]:
        statistics = self.vectors["statistics"].numpy()
        return statistics, self.layouts.layout(layout_number(statistics))
