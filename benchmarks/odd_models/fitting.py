"""The ways to train with the methods of a Keras model."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.odd_models.compiling import compile_model
from benchmarks.odd_models.description import Description
from benchmarks.odd_models.samples import Samples

EPOCHS = 2


@dataclasses.dataclass(frozen=True)
class Fitting:
    """A compiled model, its data, and the callbacks for `fit`."""

    model: Any
    samples: Samples
    described: Description
    callbacks: list[Any]
    folder: str

    def train(self) -> list[float]:
        """Trains as described; returns the losses of all epochs or steps."""
        way = self.described.way
        if way in ("arrays", "eager", "steps_per_execution"):
            return self._fit(self.samples.x, self.samples.y)
        losses: list[float] = getattr(self, f"_{way}")()
        return losses

    def _fit(self, x: Any, y: Any = None, epochs: int = EPOCHS, **arguments: Any) -> list[float]:
        if y is not None:
            arguments |= {"batch_size": self.described.batch}
        # Data sets have their own order.
        arguments["shuffle"] = self.described.is_shuffled and y is not None
        history = self.model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(self.callbacks), **arguments)
        return [value for name in sorted(history.history) for value in history.history[name]]

    def _arrays(self, **arguments: Any) -> list[float]:
        return self._fit(self.samples.x, self.samples.y, **arguments)

    def _dataset(self) -> Any:
        data = tf.data.Dataset.from_tensor_slices((self.samples.x, self.samples.y))
        if self.described.is_shuffled:
            data = data.shuffle(50, seed=1)
        return data.batch(self.described.batch)

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        size, count = self.described.batch, len(tf.nest.flatten(self.samples.y)[0])
        for begin in range(0, count, size):
            yield self.samples.part(slice(begin, begin + size))

    def _tf_data(self) -> list[float]:
        return self._fit(self._dataset().prefetch(2))

    def _steps_per_epoch(self) -> list[float]:
        return self._fit(self._dataset().repeat(), steps_per_epoch=5)

    def _generator(self) -> list[float]:
        def forever() -> Iterator[tuple[Any, Any]]:
            while True:
                yield from self._batches()

        return self._fit(forever(), steps_per_epoch=len(list(self._batches())))

    def _py_dataset(self) -> list[float]:
        return self._fit(_Batches(list(self._batches())))

    def _class_weight(self) -> list[float]:
        return self._arrays(class_weight={0: 1.0, 1: 2.0, 2: 0.5, 3: 1.5})

    def _sample_weight(self) -> list[float]:
        return self._arrays(sample_weight=np.linspace(0.5, 1.5, len(self.samples.y)).astype("float32"))

    def _validation(self) -> list[float]:
        return self._arrays(validation_data=self.samples.part(slice(0, 2 * self.described.batch)))

    def _validation_split(self) -> list[float]:
        return self._arrays(validation_split=0.25)

    def _fit_twice(self) -> list[float]:
        return self._arrays(epochs=1) + self._arrays(epochs=2, initial_epoch=1)

    def _compile_between(self) -> list[float]:
        losses = self._arrays(epochs=1)
        compile_model(self.model, self.described)
        return losses + self._arrays(epochs=1)

    def _freeze_between(self) -> list[float]:
        losses = self._arrays(epochs=1)
        held = [layer for layer in self.model.layers if layer.trainable_weights]
        if len(held) > 1:
            held[0].trainable = False
            compile_model(self.model, self.described)
        return losses + self._arrays(epochs=1)

    def _predict_between(self) -> list[float]:
        losses = self._arrays(epochs=1)
        self.model.predict(self.samples.x, batch_size=16, verbose=0)
        self.model.evaluate(self.samples.x, self.samples.y, batch_size=16, verbose=0)
        return losses + self._arrays(epochs=1)

    def _callbacks(self) -> list[float]:
        file = os.path.join(self.folder, "best.weights.h5")
        self.callbacks[:0] = [keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)]
        if self.described.family != "no_call":  # Keras cannot save a model that was never called.
            best = keras.callbacks.ModelCheckpoint(file, "loss", save_best_only=True, save_weights_only=True)
            self.callbacks.append(best)
        return self._arrays(epochs=3)

    def _train_on_batch(self) -> list[float]:
        """A loop that calls the callbacks itself, as is common for Keras' TensorBoard callback."""
        losses = []
        for callback in self.callbacks:
            callback.set_model(self.model)
            callback.on_train_begin()
        for epoch in range(EPOCHS):
            for callback in self.callbacks:
                callback.on_epoch_begin(epoch)
            losses += [float(np.mean(self.model.train_on_batch(x, y))) for x, y in self._batches()]
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, {"loss": losses[-1]})
        for callback in self.callbacks:
            callback.on_train_end()
        return losses

    def _callback_list(self) -> list[float]:
        batches = list(self._batches())
        every = keras.callbacks.CallbackList(
            self.callbacks, add_history=True, model=self.model, epochs=EPOCHS, steps=len(batches)
        )
        losses = []
        every.on_train_begin()
        for epoch in range(EPOCHS):
            every.on_epoch_begin(epoch)
            for index, (x, y) in enumerate(batches):
                every.on_train_batch_begin(index)
                logs = self.model.train_on_batch(x, y, return_dict=True)
                every.on_train_batch_end(index, logs)
                losses.append(float(logs["loss"]))
            every.on_epoch_end(epoch, {"loss": losses[-1]})
        every.on_train_end()
        return losses


class _Batches(keras.utils.PyDataset):
    def __init__(self, batches: list[tuple[Any, Any]]) -> None:
        super().__init__(workers=1)
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._batches[index]
