"""Creates the variables that Keras would create while its train step is traced."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.gist import gist

_LOGGER = logging.getLogger("tb_activations")


def create_variables(model: keras.Model, data: Any) -> None:
    """Creates those of the model's optimizer, metrics and losses, in Keras' order and scopes.

    TensorFlow traces a function that creates variables twice, which for a deep network takes as long as everything else
    together. Does nothing for models with a train step of their own, whose variables are unknown, or in eager mode.

    Args:
        model: compiled.
        data: the types of a batch: `(x, y, sample_weight)` or less of it, as for `tf.function`.
    """
    has_own_step = getattr(model.train_step, "__func__", None) is not keras.Model.train_step
    if has_own_step or model.run_eagerly or tf.distribute.has_strategy():
        return
    if all(layer.built for layer in model._flatten_layers()):
        try:
            _build_metrics(model, data)
            _build_optimizer(model)
        except Exception as error:  # They are created in the trace instead.
            _LOGGER.debug("Cannot create variables before the observed step is traced (%s).", gist(error))


def _build_metrics(model: keras.Model, data: Any) -> None:
    loss, metrics = model._compile_loss, model._compile_metrics
    unbuilt = [part for part in (loss, metrics) if part is not None and not part.built]
    # Other models would have to run their `call` to state the shapes of their outputs.
    states_shapes = type(model).compute_output_spec is not keras.Layer.compute_output_spec
    if unbuilt and states_shapes:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(keras.tree.map_structure(_symbolic, data))
        outputs = model.compute_output_spec(x)
        for part in unbuilt:
            # A loss is called in a scope of its name, a metric is not.
            with keras.name_scope(part.name) if part is loss else contextlib.nullcontext():
                part.build(y, outputs)


def _symbolic(spec: tf.TensorSpec) -> keras.KerasTensor:
    return keras.KerasTensor(spec.shape, spec.dtype.name)


def _build_optimizer(model: keras.Model) -> None:
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(list(model.trainable_weights))
        optimizer.built = True
