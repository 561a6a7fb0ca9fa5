"""Random descriptions of a model and its training, one for each number.

A description is complete: the same model is made from it every time. Combinations that Keras itself rejects are not
drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

INPUTS = ("vector", "picture", "sequence", "tokens")
FIRST_PARTS = {
    "vector": ("dense", "einsum_dense", "own_dense", "normalized_dense", "gated_dense", "bottleneck"),
    "picture": ("conv", "separable_conv", "depthwise_conv", "conv_transpose", "strided_conv", "conv_batch_norm"),
    "sequence": ("lstm", "gru", "simple_rnn", "bidirectional", "conv1d", "attention", "time_distributed", "rnn_cells"),
}
"""The pieces of a body by the form of its inputs; embedded tokens are a sequence."""
LATER_PARTS = ("dense", "own_dense", "einsum_dense", "bottleneck", "normalized_dense")

ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid", "elu", "swish", "leaky_relu", "softplus", "selu", "none")
STYLES = {
    "layers": ("argument", "layer", "lambda_layer"),
    "functional": ("argument", "layer", "lambda_layer", "keras.ops", "keras.activations"),
    "code": ("argument", "layer", "lambda_layer", "keras.ops", "keras.activations", "tf.nn", "lambda", "operator"),
}
"""How an activation is written: as a layer, between layers, or in a `call`."""

STRUCTURES = {
    "layers": ("sequential", "sequential_without_input", "sequential_of_sequentials"),
    "functional": (
        "functional",
        "functional_residual",
        "functional_dense",
        "functional_inputs",
        "functional_outputs",
        "functional_shared",
        "functional_nested",
        "functional_subclass",
    ),
    "code": (
        "subclass_attributes",
        "subclass_list",
        "subclass_dict",
        "subclass_nested_list",
        "subclass_build",
        "subclass_first_call",
        "subclass_own_layers",
        "subclass_of_models",
        "subclass_built_by_shape",
        "subclass_outputs",
        "weights_only",
    ),
    "no_call": ("encoder_and_head", "two_networks"),
}
STATES = (
    "none",
    "attribute",
    "dict",
    "nested_list",
    "module",
    "global",
    "python",
    "spectral_norm",
    "weight",
)
NOISES = ("none", "dropout", "seeded_dropout", "gaussian_noise", "gaussian_dropout", "seed_generator", "keras_random")

OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "rmsprop", "lion", "adafactor", "nadam", "adagrad", "ftrl", "muon")
OPTIMIZER_EXTRAS = (
    "none",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "ema",
    "accumulation",
    "loss_scale",
    "schedule",
    "weight_decay",
)
LOSSES = ("name", "object", "function", "add_loss", "regularizers", "weighted_metrics")
OWN_STEPS = ("tape", "tape_twice", "own_optimizer", "two_optimizers", "by_hand", "super_and_more", "compute_loss")
NO_CALL_STEPS = ("tape", "own_optimizer", "two_optimizers", "by_hand")
WAYS = (
    "arrays",
    "tf_data",
    "generator",
    "py_dataset",
    "class_weight",
    "sample_weight",
    "validation",
    "validation_split",
    "fit_twice",
    "compile_between",
    "freeze_between",
    "eager",
    "steps_per_execution",
    "steps_per_epoch",
    "callbacks",
    "predict_between",
    "train_on_batch",
    "callback_list",
)
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
LOOPS = ("recorder_compiled", "recorder_eager")


@dataclasses.dataclass(frozen=True)
class Part:
    """A piece of a body: its kind, its width, and how its activation is written."""

    kind: str
    width: int
    activation: str
    style: str

    def __str__(self) -> str:
        return f"{self.kind}({self.width}, {self.activation} as {self.style})"


@dataclasses.dataclass(frozen=True)
class Description:
    """A model and a training; everything is drawn from `seed`, including weights and data.

    Attributes:
        family: how the structure is written: a key of `STRUCTURES`.
        step: "keras" for Keras' own step, else what the custom `train_step` does.
        batches: number of whole batches per epoch.
        has_rest: whether a shorter batch ends an epoch.
        is_shuffled: whether the order of samples changes in every epoch.
    """

    seed: int
    inputs: str
    family: str
    structure: str
    first: tuple[Part, ...]
    later: tuple[Part, ...]
    state: str
    noise: str
    is_regression: bool
    step: str
    loss: str
    optimizer: str
    extra: str
    way: str
    policy: str
    batch: int
    batches: int
    has_rest: bool
    is_shuffled: bool

    def __str__(self) -> str:
        parts = " > ".join(map(str, (*self.first, *self.later)))
        target = "numbers" if self.is_regression else "classes"
        return (
            f"{self.seed}: {self.structure} of {self.inputs} to {target} [{parts}], state {self.state}, noise "
            f"{self.noise}, step {self.step}, loss {self.loss}, {self.optimizer} with {self.extra}, {self.way}, "
            f"{self.policy}, {self.batches} x {self.batch}{' and a rest' if self.has_rest else ''}"
            f"{', shuffled' if self.is_shuffled else ''}"
        )


def describe(seed: int) -> Description:
    """The description with this number."""
    draw = _Draw(np.random.default_rng(seed))
    family = draw.of(("layers", "functional", "code", "no_call"), (2, 3, 5, 2))
    structure = draw.of(STRUCTURES[family])
    way = draw.of(LOOPS) if draw.happens(0.15) else draw.of(_ways(family, structure))
    step = draw.of(_steps(family, structure, way))
    inputs = "vector" if structure == "weights_only" else draw.of(INPUTS, (3, 3, 1, 1))
    styles = STYLES["functional" if family == "no_call" else family]
    has_own_losses = step in ("keras", "super_and_more") and way not in LOOPS
    return Description(
        seed=seed,
        inputs=inputs,
        family=family,
        structure=structure,
        first=draw.parts(FIRST_PARTS["sequence" if inputs == "tokens" else inputs], styles, 1, 2),
        later=draw.parts(LATER_PARTS, styles, 0, 2),
        state=draw.of(STATES, (4, *[1] * (len(STATES) - 1))),
        noise=draw.of(NOISES),
        is_regression=way != "class_weight" and draw.happens(0.4),
        step=step,
        loss=draw.of(LOSSES if has_own_losses else LOSSES[:3]),
        optimizer=draw.of(OPTIMIZERS),
        extra=draw.of(OPTIMIZER_EXTRAS),
        way=way,
        policy=draw.of(POLICIES, (8, 1, 1)) if step == "keras" else "float32",
        batch=draw.number(8, 20),
        batches=draw.number(4, 7),
        has_rest=way != "steps_per_execution" and draw.happens(0.4),
        is_shuffled=draw.happens(0.5),
    )


class _Draw:
    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance

    def of(self, among: Sequence[str], weights: Sequence[float] | None = None) -> str:
        shares = None if weights is None else np.array(weights) / sum(weights)
        return str(among[int(self._chance.choice(len(among), p=shares))])

    def happens(self, share: float) -> bool:
        return bool(self._chance.random() < share)

    def number(self, least: int, most: int) -> int:
        return int(self._chance.integers(least, most + 1))

    def parts(self, kinds: Sequence[str], styles: Sequence[str], least: int, most: int) -> tuple[Part, ...]:
        return tuple(
            Part(self.of(kinds), 4 * self.number(1, 3), self.of(ACTIVATIONS), self.of(styles))
            for _ in range(self.number(least, most))
        )


def _ways(family: str, structure: str) -> list[str]:
    """Whether Keras supports it: no sample weights with two outputs; no test or predict without `call`."""
    refused: set[str] = set()
    if structure.endswith("_outputs"):
        refused |= {"class_weight", "sample_weight"}
    if family == "no_call":
        refused |= {"validation", "validation_split", "predict_between"}
    return [way for way in WAYS if way not in refused]


def _steps(family: str, structure: str, way: str) -> tuple[str, ...]:
    if way in LOOPS:
        return ("keras",)
    if family == "no_call":
        return ("critic",) if structure == "two_networks" else NO_CALL_STEPS
    is_own_class = family == "code" or structure == "functional_subclass"
    return (*["keras"] * 5, *OWN_STEPS) if is_own_class else ("keras",)
