"""Knowledge distillation: a trained teacher that is frozen, a student, and a custom `compute_loss`."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import labels, pictures


class Distiller(keras.Model):
    def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.teacher, self.student = teacher, student

    def compile(
        self, optimizer: Any, student_loss_fn: Any, distillation_loss_fn: Any, alpha: float, temperature: float
    ) -> None:
        super().compile(optimizer=optimizer, metrics=["accuracy"], jit_compile=False)
        self.student_loss_fn, self.distillation_loss_fn = student_loss_fn, distillation_loss_fn
        self.alpha, self.temperature = alpha, temperature

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> Any:
        teacher_pred = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        soft = ops.softmax(teacher_pred / self.temperature, axis=1)
        distillation_loss = self.distillation_loss_fn(soft, ops.softmax(y_pred / self.temperature, axis=1))
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss * self.temperature**2

    def call(self, x: Any) -> Any:
        return self.student(x)


def make_network(width: int, name: str) -> keras.Model:
    inner = [
        layers.Conv2D(width, 3, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.MaxPooling2D(pool_size=2, strides=1, padding="same"),
        layers.Conv2D(2 * width, 3, strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(10),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *inner], name=name)


def train(log_dir: str | None) -> dict[str, keras.Model]:
    teacher, student, x, y = make_network(16, "teacher"), make_network(4, "student"), pictures(), labels()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile("adam", loss, jit_compile=False)
    teacher.fit(x, y, batch_size=32, shuffle=False, verbose=0)
    distiller = Distiller(student=student, teacher=teacher)
    distiller.compile(keras.optimizers.Adam(), loss, keras.losses.KLDivergence(), alpha=0.1, temperature=10)
    callbacks = [LayerHealth(log_dir)] if log_dir else []
    distiller.fit(x, y, epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"distiller": distiller}
