"""The columns of a record: what each is called, what it measures, on which scale to draw it."""

from __future__ import annotations

import dataclasses
from typing import Literal

Scale = Literal["linear", "log", "symlog"]


@dataclasses.dataclass(frozen=True)
class Statistic:
    """One column of the layer table or of the step's totals.

    Attributes:
        id: name of the column.
        title: as a heading.
        about: one sentence.
        unit: of the value, "" for pure numbers.
        scale: that suits it.
    """

    id: str
    title: str
    about: str
    unit: str
    scale: Scale


def _extent(name: str, what: str) -> tuple[Statistic, ...]:
    """The range of the data of a step."""
    title = what[0].upper() + what[1:]
    return (
        Statistic(f"{name}_min", f"{title}, min", f"Smallest finite value among the {what} of the step.", "", "symlog"),
        Statistic(f"{name}_max", f"{title}, max", f"Largest finite value among the {what} of the step.", "", "symlog"),
        Statistic(
            f"{name}_nonfinite",
            f"{title}, non-finite",
            f"Number of {what} of the step that are NaN or infinite.",
            "values",
            "symlog",
        ),
    )


LAYER_STATISTICS = (
    Statistic("elements", "Output values", "Number of values that the layer output in the step.", "values", "log"),
    Statistic("mean", "Activation mean", "Mean of the layer's outputs.", "", "symlog"),
    Statistic("std", "Activation std", "Standard deviation of the layer's outputs.", "", "log"),
    Statistic("min", "Activation min", "Smallest output.", "", "symlog"),
    Statistic("max", "Activation max", "Largest output.", "", "symlog"),
    Statistic("zero_fraction", "Zero fraction", "Share of outputs that are exactly zero.", "", "linear"),
    Statistic("nonfinite", "Non-finite activations", "Number of outputs that are NaN or infinite.", "values", "symlog"),
    Statistic(
        "silent_fraction", "Silent units", "Share of units that were zero on every sample of the step.", "", "linear"
    ),
    Statistic(
        "gradient_norm",
        "Activation gradient norm",
        "Norm of the gradient of the loss with respect to the layer's outputs, loss scaling undone.",
        "",
        "log",
    ),
    Statistic(
        "gradient_mean_abs",
        "Activation gradient mean |g|",
        "Mean absolute gradient of the loss with respect to the layer's outputs.",
        "",
        "log",
    ),
    Statistic(
        "gradient_nonfinite",
        "Non-finite activation gradients",
        "Number of gradients with respect to the outputs that are NaN or infinite.",
        "values",
        "symlog",
    ),
    Statistic(
        "weight_gradient_norm",
        "Weight gradient norm",
        "Norm of the gradient of the loss with respect to the layer's trainable weights.",
        "",
        "log",
    ),
    Statistic(
        "weight_gradient_mean_abs",
        "Weight gradient mean |g|",
        "Mean absolute gradient of the loss with respect to the layer's trainable weights.",
        "",
        "log",
    ),
    Statistic(
        "weight_gradient_nonfinite",
        "Non-finite weight gradients",
        "Number of gradients of trainable weights that are NaN or infinite.",
        "values",
        "symlog",
    ),
    Statistic("weight_norm", "Weight norm", "Norm of the layer's trainable weights.", "", "log"),
    Statistic(
        "weight_nonfinite",
        "Non-finite weights",
        "Number of trainable weights that are NaN or infinite.",
        "values",
        "symlog",
    ),
    Statistic(
        "update_ratio",
        "Update-to-weight ratio",
        "Norm of the step's change of the weights over the norm of the weights before it.",
        "",
        "log",
    ),
    Statistic(
        "mode_difference",
        "Mode difference",
        "Distance between the layer's outputs in training and in inference mode, for the same inputs, over their norm "
        "in inference mode; measured where the model was probed.",
        "",
        "symlog",
    ),
    Statistic(
        "sample_std",
        "Spread over samples",
        "How far outputs spread around the mean of their unit, from sample to sample.",
        "",
        "log",
    ),
    Statistic("unit_std", "Spread over units", "How far the means of the units spread around each other.", "", "log"),
    Statistic(
        "saturated_fraction",
        "Saturated outputs",
        "Share of outputs of a bounded activation in the outer 5% of its range.",
        "",
        "linear",
    ),
    Statistic(
        "input_rms", "Input RMS", "Root mean square of the first floating-point tensor the layer was given.", "", "log"
    ),
    Statistic(
        "logit_max",
        "Largest attention logit",
        "Largest absolute logit of any head before the softmax, keys that are masked left out.",
        "",
        "log",
    ),
    Statistic(
        "attention_entropy",
        "Attention entropy",
        "Entropy of the attention weights as a share of the largest possible one, mean over queries and heads: 1 if a "
        "query attends to all keys alike, 0 if to a single one.",
        "",
        "linear",
    ),
    Statistic("heaviest_key", "Heaviest key", "Largest weight of a query, mean over queries and heads.", "", "linear"),
    Statistic(
        "head_similarity",
        "Head similarity",
        "How alike the logits of the two most similar heads are: 1 if they are equal, 0 if they are unrelated.",
        "",
        "linear",
    ),
    Statistic("similar_head", "Similar head", "Number of the first of the two most similar heads.", "", "linear"),
    Statistic("similar_other", "Similar other head", "Number of the second of them.", "", "linear"),
    Statistic(
        "kurtosis",
        "Kurtosis",
        "Mean fourth power of the outputs over their squared mean square: 3 for a normal distribution around 0, large "
        "if few outputs are far larger than the others.",
        "",
        "log",
    ),
)
"""Columns of the layer table. New ones are appended, never inserted: event files store them by place.

Where an activation function is applied outside of its layer, the layer's outputs are those of the function."""

STEP_STATISTICS = (
    Statistic("loss", "Loss", "Training loss of the step's batch.", "", "linear"),
    Statistic(
        "learning_rate",
        "Learning rate",
        "The optimizer's learning rate in the step; of several optimizers, that of the last one applied.",
        "",
        "log",
    ),
    Statistic("epoch", "Epoch", "Number of the epoch, counted from 0.", "", "linear"),
    Statistic("samples", "Batch size", "Rows in the step's batch, of all replicas.", "samples", "linear"),
    Statistic("loss_scale", "Loss scale", "Factor the loss was multiplied by against underflow in float16.", "", "log"),
    Statistic(
        "reconstruction_error",
        "Reconstruction error",
        "Mean squared error of an autoencoder on the probe data; measured where the model was probed.",
        "",
        "log",
    ),
    Statistic(
        "input_rms", "Input RMS", "Root mean square of the model's first floating-point input in the step.", "", "log"
    ),
    Statistic(
        "loss_nonfinite", "Non-finite loss", "1 if the step's loss is NaN or infinite, otherwise 0.", "", "linear"
    ),
    Statistic(
        "constant_loss",
        "Constant prediction",
        "Loss that the best constant prediction reaches on the step's targets, with the step's regularization.",
        "",
        "linear",
    ),
    *_extent("input", "inputs"),
    *_extent("target", "targets"),
    *_extent("output", "outputs of the model"),
    *_extent("sample_weight", "sample weights"),
    Statistic(
        "clipped",
        "Clipped gradients",
        "Share of weights whose gradient was clipped to a norm.",
        "",
        "linear",
    ),
    Statistic("input_row", "Bad input row", "First row of the batch with an input that is not finite.", "", "linear"),
    Statistic("output_row", "Bad output row", "First row whose output of the model is not finite.", "", "linear"),
    Statistic("gradient_row", "Largest gradient row", "Row with the largest gradient at the output.", "", "linear"),
    Statistic(
        "gradient_row_share",
        "Largest gradient share",
        "Share of that row in the squared norm of the gradient at the output.",
        "",
        "linear",
    ),
    Statistic(
        "first_learning_rate",
        "Learning rate, first optimizer",
        "Learning rate of the first optimizer applied in the step, where there are several, as in a GAN.",
        "",
        "log",
    ),
    Statistic(
        "log_z",
        "Log Z, mean",
        "Logarithm of the denominator of the head's softmax, mean over the samples of the step.",
        "",
        "symlog",
    ),
    Statistic("log_z_max", "Log Z, max", "Largest of these logarithms.", "", "symlog"),
    Statistic("logit_rms", "Logit RMS", "Root mean square of the logits of a softmax head.", "", "log"),
    Statistic(
        "nonfinite_replica",
        "Replica with NaN",
        "The only replica of the step with values that are not finite, counted from 0.",
        "",
        "linear",
    ),
    Statistic(
        "target_sum_min",
        "Target sum, min",
        "Smallest sum of the targets of a sample, under categorical cross entropy.",
        "",
        "linear",
    ),
    Statistic("target_sum_max", "Target sum, max", "Largest of these sums.", "", "linear"),
)
"""Columns of the totals of a step. New ones are appended: stored runs without them read as NaN."""

LAYER_COLUMNS = tuple(statistic.id for statistic in LAYER_STATISTICS)
STEP_COLUMNS = tuple(statistic.id for statistic in STEP_STATISTICS)
WEIGHT_COLUMNS = (
    "gradient_norm",
    "gradient_mean_abs",
    "gradient_nonfinite",
    "weight_norm",
    "weight_nonfinite",
    "update_ratio",
    "momentum_cosine",
    "surprise",
    "starved_fraction",
)
"""Columns of the weight table, one row a trainable weight."""

HISTOGRAM_KINDS = ("activation", "gradient")
HISTOGRAM_BUCKETS = 30

TIME_BINS = 64
"""Of sequences: time steps of longer ones share as many bins."""
