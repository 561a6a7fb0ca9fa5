"""The observed version of a custom train step: compiled by `tf.function`, or run eagerly."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.finder import Models
from tb_activations.taps.layers import LayerChoice
from tb_activations.taps.numbers.layout import Layout
from tb_activations.taps.step.observation import Observation, Options
from tb_activations.taps.step.step_taps import StepTaps, batch_size, input_rms
from tb_activations.taps.strategies import is_distributed

_NO_RUN = "under a distribution strategy the step has to call `strategy.run`"

Vectors = dict[str, tf.Tensor]


class ObservedLoop:
    """Observes the models' layers, tapes and optimizers within steps that the user runs.

    Under a distribution strategy, only the step's first `strategy.run` is observed.
    """

    def __init__(
        self,
        models: Models,
        layers: LayerChoice,
        options: Options,
        strategy: tf.distribute.Strategy,
        *,
        is_xla: bool = False,
    ) -> None:
        """`is_xla` says that XLA compiles the step."""
        self._taps = StepTaps(models, layers, options, is_xla=is_xla)
        self._strategy = strategy
        self._is_distributed = is_distributed(strategy)
        self._runs: list[Vectors] = []

    @property
    def failure(self) -> str:
        """Why a step returned no vectors."""
        return self._taps.failure or (_NO_RUN if self._is_distributed else "")

    def layout(self, number: int) -> Layout:
        """The layout with the number that a packed vector begins with."""
        return self._taps.layout(number)

    def finished(self, packed: Vectors) -> Vectors:
        """The vectors of a step, from what left it."""
        return self._taps.finished(packed)

    @contextlib.contextmanager
    def tapped(self, with_histograms: bool) -> Iterator[None]:
        """Installs the taps for one step, the block; `with_histograms` requests histograms."""
        self._taps.want_histograms(with_histograms)
        on_run = [taps.Tap(self._strategy, "run", self._tapped_run())] if self._is_distributed else []
        with self._taps.on_layers(), taps.installed(on_run):
            yield

    @contextlib.contextmanager
    def observing(self, data: Any) -> Iterator[Vectors]:
        """Observes the step that runs in the block; the yielded dict then holds what `finished` takes.

        The batch size is taken from the first tensor in `data`, otherwise from the first layer's output.
        """
        packed: Vectors = {}
        if self._is_distributed:
            self._runs = []
            yield packed
            packed.update(self._runs[0] if self._runs else {})
            return
        with self._taps.observing() as observation:
            _see_data(observation, data)
            yield packed
        packed.update(self._taps.pack(observation))

    def _tapped_run(self) -> Callable[..., Any]:
        original = self._strategy.run

        @functools.wraps(original)
        def run(fn: Callable[..., Any], args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
            if self._runs:
                return original(fn, args, kwargs, options)
            converted = tf.__internal__.autograph.tf_convert(
                fn, tf.__internal__.autograph.control_status_ctx(), convert_by_default=False
            )

            def observed(*replica_args: Any, **replica_kwargs: Any) -> tuple[Any, Vectors]:
                with self._taps.observing() as observation:
                    _see_data(observation, (replica_args, replica_kwargs))
                    outputs = converted(*replica_args, **replica_kwargs)
                return outputs, self._taps.pack(observation)

            unconverted = tf.autograph.experimental.do_not_convert(observed)
            outputs, packed = original(unconverted, args, kwargs, options)
            local = self._strategy.experimental_local_results
            # The vectors are already gathered from all replicas, so those of any one will do.
            self._runs.append({name: local(vectors)[0] for name, vectors in packed.items()})
            return outputs

        return run


class ObservedFunction:
    """`tf.function(step, **arguments)`, observed."""

    def __init__(self, loop: ObservedLoop, step: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        self._loop = loop
        converted = _converted(step, arguments.get("autograph", True))

        @functools.wraps(step)
        def observed(*args: Any, **kwargs: Any) -> tuple[Any, Vectors]:
            with loop.observing((args, kwargs)) as packed:
                outputs = converted(*args, **kwargs)
            return outputs, packed

        self._function = tf.function(observed, **{**arguments, "autograph": False})

    def __call__(self, args: Any, kwargs: Any, with_histograms: bool) -> tuple[Any, Vectors]:
        """The step's result and the packed vectors; these are empty if packing failed."""
        with self._loop.tapped(with_histograms):
            outputs, packed = self._function(*args, **kwargs)
        return outputs, self._loop.finished(packed)


def _see_data(observation: Observation, data: Any) -> None:
    observation.samples = batch_size(data)
    observation.input_rms = input_rms((data,))
    observation.data.see("input", data)


def _converted(step: Callable[..., Any], with_autograph: bool) -> Callable[..., Any]:
    # Converted here rather than by the surrounding `tf.function`, which would convert the taps as well.
    if not with_autograph:
        return step
    converted: Callable[..., Any] = tf.__internal__.autograph.tf_convert(
        step, tf.__internal__.autograph.control_status_ctx(), user_requested=True
    )
    return converted
