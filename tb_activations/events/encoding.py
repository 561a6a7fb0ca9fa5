"""Encodes records as `Summary` protos, the content of an event file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING, DT_UINT8

from tb_activations.events import schema
from tb_activations.events.epoch_metrics import epoch_to_json
from tb_activations.events.findings import ChangedFindings
from tb_activations.events.json_codec import run_to_json
from tb_activations.events.packing import pack
from tb_activations.events.sequences import VALUES as SEQUENCE_VALUES
from tb_activations.events.sequences import stored as stored_sequences
from tb_activations.events.states import StoredState, state_to_json
from tb_activations.events.units import UnitPacker
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord


class Encoder:
    """Encodes the records of one event file, one summary per event.

    A tag's metadata is written with its first value only, so every file needs its own encoder.
    """

    def __init__(self) -> None:
        self._described: set[str] = set()
        self._units = UnitPacker()
        self._changed = ChangedFindings()

    def run(self, spec: RunSpec) -> Summary:
        """The description of the run; comes first in the file, and again whenever a training starts."""
        return Summary(value=[self._value(schema.RUN, _text_tensor(run_to_json(spec)))])

    def record(
        self,
        record: StepRecord,
        *,
        outcomes: NDArray[np.uint8] | None = None,
        rules: Sequence[str] = (),
        training: Mapping[str, int] | None = None,
        findings: Sequence[Finding] | None = None,
        are_findings_whole: bool = True,
        histograms: NDArray[np.float32] | None = None,
        sequences: NDArray[np.float32] | None = None,
        cost: NDArray[np.float32] | None = None,
        keeps_peaks: NDArray[np.bool_] | None = None,
        keeps_shares: NDArray[np.bool_] | None = None,
    ) -> Summary:
        """Everything measured at one observed step; arguments that are None are not written.

        Args:
            record: of the step.
            outcomes: `[layers, rules]` uint8, values of `Outcome`.
            rules: rule ids, one per column of `outcomes`.
            training: `Outcome` of the rules for the training as a whole by id; the same rules at every step.
            findings: all findings of the run so far, open and closed; empty if there are none.
            are_findings_whole: whether all of them are written, or those that opened, changed or closed.
            histograms: `[layers, 2, 32]` float32, see `schema.HISTOGRAMS`.
            sequences: `[layers, 1 + 2 * 64]` float32, see `SequenceTable`; NaN in rows that are no cells.
            cost: `[COST_COLUMNS]` float32.
            keeps_peaks: `[units]`, of which units the peak is written although the record has no full table of its
                units; None for a full table.
            keeps_shares: `[units]`, of which units the activity is written as well; None for none.

        Raises:
            ValueError: an array does not have this shape.
        """
        layers = len(record.layers)
        values = [
            self._packed(schema.LAYERS, record.layers),
            self._packed(schema.WEIGHTS, record.weights),
            self._numbers(schema.STEP, record.totals),
        ]
        if record.unit_activity.size:
            values.append(
                self._value(schema.UNITS, _packed_tensor(self._units.pack(record, keeps_peaks, keeps_shares)))
            )
        if outcomes is not None:
            _check_shape("outcomes", outcomes, (layers, len(rules)))
            values.append(self._value(schema.OUTCOMES, _packed_tensor(pack(outcomes)), columns=rules))
        if training:
            codes = np.array(list(training.values()), np.uint8)
            values.append(self._value(schema.TRAINING, _bytes_tensor(codes), columns=list(training)))
        if histograms is not None:
            _check_shape("histograms", histograms, (layers, *schema.HISTOGRAM_SHAPE))
            values.append(self._packed(schema.HISTOGRAMS, histograms))
        if sequences is not None:
            _check_shape("sequences", sequences, (layers, SEQUENCE_VALUES))
            if not np.isnan(sequences[:, 0]).all():
                values.append(self._packed(schema.SEQUENCES, stored_sequences(sequences)))
        if cost is not None:
            _check_shape("cost", cost, (len(schema.COST_COLUMNS),))
            values.append(self._numbers(schema.COST, cost))
        if findings is not None:
            values.append(self._findings(findings, are_whole=are_findings_whole))
        return Summary(value=values)

    def again(self, record: StepRecord) -> Summary:
        """The layers and totals of a step written before, now with the columns that were measured after it."""
        values = [self._packed(schema.LAYERS, record.layers), self._numbers(schema.STEP, record.totals)]
        return Summary(value=values)

    def findings(self, findings: Sequence[Finding]) -> Summary:
        """All findings of the run so far without a step, for the end of a training."""
        return Summary(value=[self._findings(findings, are_whole=True)])

    def state(self, state: StoredState) -> Summary:
        """The state of the training, so that another one can continue it."""
        return Summary(value=[self._value(schema.STATE, _text_tensor(state_to_json(state)))])

    def epoch(self, metrics: EpochMetrics) -> Summary:
        """The metrics at the end of an epoch."""
        return Summary(value=[self._value(schema.EPOCH, _text_tensor(epoch_to_json(metrics)))])

    def add(self, summary: Summary, values: Iterable[Summary.Value]) -> None:
        """Append values that carry their own metadata, as those of `stock` do; only a tag's first metadata is kept."""
        for value in values:
            if value.tag in self._described:
                value.ClearField("metadata")
            self._described.add(value.tag)
            summary.value.append(value)

    def _findings(self, findings: Sequence[Finding], *, are_whole: bool) -> Summary.Value:
        return self._value(schema.FINDINGS, _packed_tensor(self._changed.point(findings, are_whole=are_whole)))

    def _packed(self, tag: str, table: NDArray[np.float32]) -> Summary.Value:
        return self._value(tag, _packed_tensor(pack(table)))

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
        raise ValueError(f"{name} must have shape {list(allowed)}, got {list(array.shape)}")


def _shape(sizes: Sequence[int]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


def _float_tensor(array: NDArray[np.float32]) -> TensorProto:
    content = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return TensorProto(dtype=DT_FLOAT, tensor_shape=_shape(array.shape), tensor_content=content)


def _bytes_tensor(array: NDArray[np.uint8]) -> TensorProto:
    content = np.ascontiguousarray(array, dtype=np.uint8).tobytes()
    return TensorProto(dtype=DT_UINT8, tensor_shape=_shape(array.shape), tensor_content=content)


def _packed_tensor(packed: bytes) -> TensorProto:
    return TensorProto(dtype=DT_UINT8, tensor_shape=_shape((len(packed),)), tensor_content=packed)


def _text_tensor(text: str) -> TensorProto:
    return TensorProto(dtype=DT_STRING, tensor_shape=_shape(()), string_val=[text.encode()])
