"""The same values in TensorBoard's own formats, for its scalar, histogram and image tabs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata

from tb_activations.pictures.kinds import Picture
from tb_activations.records.columns import HISTOGRAM_BUCKETS, HISTOGRAM_KINDS
from tb_activations.records.formatting import number
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord

_GRADIENT_NORM = scalar_metadata.create_summary_metadata(
    display_name="", description="Norm of the gradient of the loss with respect to the layer's trainable weights."
)


def gradient_scalars(spec: RunSpec, record: StepRecord) -> list[Summary.Value]:
    """Scalars `gradient_norm/<layer>`: the norm of the gradient of the layer's trainable weights.

    Layers without such a gradient have NaN there and are left out, as are single calls of a layer.
    """
    norms = record.layer("weight_gradient_norm")
    return [
        Summary.Value(
            tag=f"gradient_norm/{layer.name}",
            tensor=TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[norm]),
            metadata=_GRADIENT_NORM,
        )
        for layer, norm in zip(spec.layers, norms.tolist(), strict=True)
        if layer.call_site == 0 and not math.isnan(norm)
    ]


def histograms(spec: RunSpec, values: NDArray[np.float32]) -> list[Summary.Value]:
    """Histograms `activation/<layer>` and `gradient/<layer>`, without single calls of a layer.

    Args:
        spec: of the run.
        values: `[layers, 2, 32]` float32: of each kind the lowest edge, the highest edge and 30 counts. A kind whose
            edges are not finite was not measured and is left out.
    """
    return [
        Summary.Value(tag=f"{kind}/{layer.name}", tensor=_buckets_tensor(row[position]), metadata=_histogram_metadata())
        for layer, row in zip(spec.layers, values, strict=True)
        for position, kind in enumerate(HISTOGRAM_KINDS)
        if layer.call_site == 0 and np.isfinite(row[position]).all()
    ]


def reconstruction_error(value: float) -> Summary.Value:
    """The scalar `reconstruction_error`."""
    return Summary.Value(
        tag="reconstruction_error",
        tensor=TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[value]),
        metadata=scalar_metadata.create_summary_metadata(
            display_name="", description="Mean squared error of what the model gives back of the probe data."
        ),
    )


def picture(tag: str, drawn: Picture) -> Summary.Value:
    """An image whose description tells what it shows and, since TensorBoard keeps the first one, its first range."""
    details = drawn.details
    about = f"{details.about} Values from {number(details.low)} to {number(details.high)} in the first picture".strip()
    about += ", each on its own scale." if details.scale == "each" else "; the legend of each picture tells its own."
    return image(tag, drawn.png, drawn.width, drawn.height, about)


def image(tag: str, png: bytes, width: int, height: int, description: str = "") -> Summary.Value:
    """One PNG picture of `width` x `height` pixels; `description` is shown as Markdown."""
    texts = [str(width).encode(), str(height).encode(), png]
    tensor = TensorProto(
        dtype=DT_STRING, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=3)]), string_val=texts
    )
    metadata = image_metadata.create_summary_metadata(display_name="", description=description)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def _histogram_metadata() -> SummaryMetadata:
    return histogram_metadata.create_summary_metadata(
        display_name="", description="Buckets over an evenly strided sample of the values, scaled to their full number."
    )


def _buckets_tensor(row: NDArray[np.float32]) -> TensorProto:
    edges = np.linspace(float(row[0]), float(row[1]), HISTOGRAM_BUCKETS + 1)
    buckets = np.stack([edges[:-1], edges[1:], row[2:].astype(np.float64)], axis=1)
    sizes = [TensorShapeProto.Dim(size=size) for size in buckets.shape]
    return TensorProto(
        dtype=DT_DOUBLE, tensor_shape=TensorShapeProto(dim=sizes), tensor_content=buckets.astype("<f8").tobytes()
    )
