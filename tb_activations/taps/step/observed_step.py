"""The second compiled step of a `fit`: Keras' own step, traced while the taps are installed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice
from tb_activations.taps.numbers.layout import Layout
from tb_activations.taps.step.execution import FirstOfExecution, Handover
from tb_activations.taps.step.inlining import inlined
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.preparing import create_variables
from tb_activations.taps.step.step_data import StepData, on_compiled_loss
from tb_activations.taps.step.step_taps import StepTaps, batch_size, input_rms

_LOGGER = logging.getLogger("tb_activations")
_KEY = "layer_health/"

Vectors = dict[str, tf.Tensor]
StepFunction = Callable[[Any], dict[str, Any]]


class ObservedStep:
    """Runs `model`'s training step and returns its logs and the observed statistics.

    The taps are on the model's layers and on `compute_loss` only while the step is traced, or runs eagerly.
    """

    def __init__(self, model: keras.Model, layers: LayerChoice, options: Options) -> None:
        self._model = model
        self._taps = StepTaps({"": model}, layers, options, is_xla=bool(model.jit_compile) and not model.run_eagerly)
        self._train_step = taps.Tap(model, "train_step", self._observed_train_step(inlined(model.train_step)))
        self._made = _make_train_function(model, self._train_step)
        self._functions: list[tuple[Any, StepFunction]] = []
        self._handover: Handover | None = None
        self._first: FirstOfExecution | None = None

    @property
    def failure(self) -> str:
        """Why a step returned no vectors."""
        return self._taps.failure or "the model's train function does not call `train_step`"

    def __call__(self, batch: Any, spec: Any, with_histograms: bool) -> tuple[dict[str, Any], dict[str, tf.Tensor]]:
        """The step's logs as Keras would return them, and the packed vectors of `Packing.vectors`.

        If there are no vectors, `failure` is the reason.

        Args:
            batch: one item of Keras' iterator.
            spec: the type of that iterator's items, as an input signature for `tf.function`; None for a batch alone.
            with_histograms: whether to compute histograms in this step; they are NaN otherwise.
        """
        self._taps.want_histograms(with_histograms)
        if not self._functions:
            create_variables(self._model, spec or tf.nest.map_structure(tf.type_spec_from_value, batch))
        return _apart(self._step(spec)(batch))

    def can_execute(self, spec: Any) -> bool:
        """Whether `execute` can run several batches of this type in one call, as Keras' plain step does."""
        model = self._model
        # Statistics that are computed after an XLA step are those of one batch.
        if model.run_eagerly or model.jit_compile or spec is None or model.distribute_strategy.num_replicas_in_sync > 1:
            return False
        try:
            if self._handover is None or self._handover.spec != spec:
                self._handover = Handover(spec)
        except Exception as error:  # They run one by one.
            _LOGGER.debug("Cannot pass batches to Keras' loop (%s).", gist(error))
            return False
        return True

    def execute(self, batches: Sequence[Any], with_histograms: bool) -> tuple[dict[str, Any], Vectors, Vectors]:
        """Runs the batches of one execution in Keras' own loop: logs, vectors of its first step and of its last.

        The first step has "statistics" only.
        """
        assert self._handover is not None
        self._taps.want_histograms(with_histograms)
        if self._first is None:
            create_variables(self._model, self._handover.spec)
            self._first = FirstOfExecution()
        self._first.begin()
        with self._taps.on_layers(), taps.installed(self._on_model()):
            logs, packed = _apart(dict(self._made(self._handover.of(batches))))
        first = self._first.vector()
        return logs, {} if first is None else {"statistics": first}, self._taps.finished(packed)

    def _step(self, spec: Any) -> StepFunction:
        """The observed train step for batches of this type."""
        for known, step in self._functions:
            if known == spec:
                return step

        def on_batch(batch: Any) -> dict[str, Any]:
            # The iterator holds one batch only, however many steps an execution has.
            is_single = self._model.steps_per_execution == 1
            # A compiled step needs the taps only while this is traced.
            with self._taps.on_layers(), taps.installed(self._on_model()):
                logs, packed = _apart(dict(self._made(_Again(batch) if is_single else iter([batch]))))
            # Here, around a step that XLA compiles: it costs milliseconds to hand hundreds of tensors to Python.
            return logs | _marked(self._taps.finished(packed))

        if self._model.run_eagerly:
            step = on_batch
        elif spec is None:
            # As Keras' plain step takes batches of `train_on_batch`: one of another size is compiled for any size.
            step = tf.function(on_batch, autograph=False, reduce_retracing=True)
        else:
            # The dataset's own type, as for the plain step: otherwise a smaller last batch would cause a retrace.
            step = tf.function(on_batch, input_signature=[spec], autograph=False)
        self._functions.append((spec, step))
        return step

    def layout(self, number: int) -> Layout:
        """The layout with the number that a packed vector begins with."""
        return self._taps.layout(number)

    def _observed_train_step(self, train_step: StepFunction) -> StepFunction:
        @functools.wraps(train_step)
        def observed_train_step(data: Any) -> dict[str, Any]:
            with self._taps.observing() as observation:
                observation.samples = batch_size(data)
                observation.input_rms = input_rms(data)
                observation.data.see_batch(data)
                logs = dict(train_step(data))
            packed = self._taps.pack(observation)
            if self._first is not None and "statistics" in packed:
                self._first.see(packed["statistics"])
            return logs | _marked(packed)

        return observed_train_step

    def _on_model(self) -> Iterator[taps.Tap]:
        # A custom train function may look up `train_step` when it is traced rather than when it is made.
        yield self._train_step
        yield taps.after(self._model, "compute_loss", self._see_loss)
        yield from on_compiled_loss(self._model, self._data)

    def _data(self) -> StepData | None:
        observation = self._taps.current()
        return observation.data if observation is not None and observation.is_here() else None

    def _see_loss(self, loss: Any) -> Any:
        observation = self._taps.current()
        if observation is not None and observation.is_here() and tf.is_tensor(loss):
            observation.loss = loss
        return loss


def _marked(vectors: Vectors) -> dict[str, Any]:
    return {_KEY + name: vector for name, vector in vectors.items()}


def _apart(logs: dict[str, Any]) -> tuple[dict[str, Any], Vectors]:
    packed = {key.removeprefix(_KEY): logs.pop(key) for key in list(logs) if key.startswith(_KEY)}
    return logs, packed


class _Again(Iterator[Any]):
    """Yields one batch over and over: a function that is traced twice for one step asks for it twice."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __next__(self) -> Any:
        return self._batch


def _make_train_function(model: keras.Model, train_step: taps.Tap) -> Any:
    """The train function that `model.make_train_function` makes for another train step; the model keeps its own."""
    plain = model.train_function
    with taps.installed([train_step]):
        model.make_train_function(force=True)
    made, model.train_function = model.train_function, plain
    return made
