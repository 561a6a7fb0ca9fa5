"""Records as `Summary` protos: what goes into an event file, without the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING, DT_UINT8

from tb_activations.events import schema
from tb_activations.events.json_codec import finding_to_json, run_to_json
from tb_activations.events.states import StoredState, state_to_json
from tb_activations.events.unit_coding import quantize_activity, quantize_peak
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord


class Encoder:
    """Turns the records of one event file into summaries, one summary an event.

    A tag's metadata is sent with its first value only, so every file needs an encoder of its own.
    """

    def __init__(self) -> None:
        self._described: set[str] = set()

    def run(self, spec: RunSpec) -> Summary:
        """The description of the run; goes first into the file, and again whenever a training starts in it."""
        return Summary(value=[self._value(schema.RUN, _text_tensor(run_to_json(spec)))])

    def record(
        self,
        record: StepRecord,
        *,
        outcomes: NDArray[np.uint8] | None = None,
        rules: Sequence[str] = (),
        findings: Sequence[Finding] | None = None,
        histograms: NDArray[np.float32] | None = None,
        cost: NDArray[np.float32] | None = None,
    ) -> Summary:
        """Everything one observed step left; what is None is not written.

        Args:
            record: of the step.
            outcomes: `[layers, rules]` uint8, values of `Outcome`.
            rules: the ids of the columns of `outcomes`.
            findings: all findings of the run so far, open and closed; an empty sequence says that there are none.
            histograms: `[layers, 2, 32]` float32, `schema.HISTOGRAMS`.
            cost: `[COST_COLUMNS]` float32.

        Raises:
            ValueError: an array has not the shape given here.
        """
        layers = len(record.layers)
        values = [
            self._numbers(schema.LAYERS, record.layers),
            self._numbers(schema.WEIGHTS, record.weights),
            self._numbers(schema.STEP, record.totals),
        ]
        if record.unit_activity.size:
            values.append(self._units(record))
        if outcomes is not None:
            _check_shape("outcomes", outcomes, (layers, len(rules)))
            values.append(self._value(schema.OUTCOMES, _bytes_tensor(outcomes), columns=rules))
        if histograms is not None:
            _check_shape("histograms", histograms, (layers, *schema.HISTOGRAM_SHAPE))
            values.append(self._numbers(schema.HISTOGRAMS, histograms))
        if cost is not None:
            _check_shape("cost", cost, (len(schema.COST_COLUMNS),))
            values.append(self._numbers(schema.COST, cost))
        if findings is not None:
            values.append(self._findings(findings))
        return Summary(value=values)

    def again(self, record: StepRecord) -> Summary:
        """The layers and totals of a step that was written already, with columns that were measured after it."""
        values = [self._numbers(schema.LAYERS, record.layers), self._numbers(schema.STEP, record.totals)]
        return Summary(value=values)

    def findings(self, findings: Sequence[Finding]) -> Summary:
        """All findings of the run so far, where no step was observed with them: at the end of a training."""
        return Summary(value=[self._findings(findings)])

    def state(self, state: StoredState) -> Summary:
        """Where the training stands, so that it can be continued."""
        return Summary(value=[self._value(schema.STATE, _text_tensor(state_to_json(state)))])

    def add(self, summary: Summary, values: Iterable[Summary.Value]) -> None:
        """Append values that carry their metadata, as those of `stock` do, to `summary`; a tag keeps its first."""
        for value in values:
            if value.tag in self._described:
                value.ClearField("metadata")
            self._described.add(value.tag)
            summary.value.append(value)

    def _findings(self, findings: Sequence[Finding]) -> Summary.Value:
        return self._value(schema.FINDINGS, _text_list_tensor([finding_to_json(finding) for finding in findings]))

    def _units(self, record: StepRecord) -> Summary.Value:
        codes = np.stack([quantize_activity(record.unit_activity), quantize_peak(record.unit_peak)])
        return self._value(schema.UNITS, _bytes_tensor(codes))

    def _numbers(self, tag: str, array: NDArray[np.float32]) -> Summary.Value:
        return self._value(tag, _float_tensor(array))

    def _value(self, tag: str, tensor: TensorProto, columns: Sequence[str] | None = None) -> Summary.Value:
        value = Summary.Value(tag=tag, tensor=tensor)
        if tag not in self._described:
            self._described.add(tag)
            value.metadata.CopyFrom(_metadata(schema.COLUMNS[tag] if columns is None else columns))
        return value


def _metadata(columns: Sequence[str]) -> SummaryMetadata:
    content = json.dumps({"schema": schema.SCHEMA_VERSION, "columns": list(columns)})
    return SummaryMetadata(
        data_class=DATA_CLASS_TENSOR,
        plugin_data=SummaryMetadata.PluginData(plugin_name=schema.PLUGIN_NAME, content=content.encode()),
    )


def _check_shape(name: str, array: NDArray[np.generic], allowed: tuple[int, ...]) -> None:
    if array.shape != allowed:
        raise ValueError(f"{name} must have the shape {list(allowed)}, got {list(array.shape)}")


def _shape(sizes: Sequence[int]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


def _float_tensor(array: NDArray[np.float32]) -> TensorProto:
    content = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return TensorProto(dtype=DT_FLOAT, tensor_shape=_shape(array.shape), tensor_content=content)


def _bytes_tensor(array: NDArray[np.uint8]) -> TensorProto:
    content = np.ascontiguousarray(array, dtype=np.uint8).tobytes()
    return TensorProto(dtype=DT_UINT8, tensor_shape=_shape(array.shape), tensor_content=content)


def _text_tensor(text: str) -> TensorProto:
    return TensorProto(dtype=DT_STRING, tensor_shape=_shape(()), string_val=[text.encode()])


def _text_list_tensor(texts: Sequence[str]) -> TensorProto:
    return TensorProto(
        dtype=DT_STRING, tensor_shape=_shape((len(texts),)), string_val=[text.encode() for text in texts]
    )
