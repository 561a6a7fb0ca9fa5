"""The advice of a finding as changes that a script can make."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence

from benchmarks.advice.changes import (
    Activation,
    Change,
    ClassAxis,
    CleanData,
    ClipNorm,
    ConstantRate,
    Initialize,
    LabelsFromZero,
    NoPenalty,
    NotPossible,
    RateAtMost,
    SinglePrecision,
    StandardizeInputs,
    StandardizeTargets,
    TargetsBetween,
)
from benchmarks.advice.losses import FromLogits, SafeLoss
from tb_activations.records.finding import Finding


@dataclasses.dataclass(frozen=True)
class Advised:
    """Findings of one rule and sign, which share an advice.

    Attributes:
        first: the one that is followed.
        layers: of all of them.
        weighted: names of the run's layers with weights.
        activations: names of the run's layers with an activation.
        rate: the learning rate when the first one was found, NaN if unknown.
        peak_rate: the largest learning rate until then.
    """

    first: Finding
    layers: tuple[str, ...]
    weighted: tuple[str, ...]
    activations: tuple[str, ...]
    rate: float
    peak_rate: float

    @property
    def text(self) -> str:
        return self.first.advice


Remedy = Callable[[Advised], Sequence[Change]]


def remedy(advised: Advised) -> tuple[Change, ...]:
    """What the advice says first, as changes: alternatives that it names later are not tried.

    Raises:
        NotPossible: only a person can follow the advice.
    """
    # Data that are far from standardized come first in the advice of any rule.
    data = [*_inputs(advised.text), *_targets(advised.text)]
    own = REMEDIES[advised.first.rule, advised.first.sign]
    if data and own is not _dead_output:
        return (*data, SinglePrecision()) if _keeps_float32(advised) else tuple(data)
    return tuple(own(advised))


def _inputs(text: str) -> list[Change]:
    return [StandardizeInputs()] if re.match(r"Standardize (the inputs \(|the inputs of )", text) else []


def _targets(text: str) -> list[Change]:
    return [StandardizeTargets()] if re.match(r"Standardize [^:]*the targets \(", text) else []


def _slower(advised: Advised) -> Sequence[Change]:
    """The learning rate that the text names."""
    named = re.search(r"\(try ([0-9.e-]+)\)", advised.text)
    return [RateAtMost(float(named.group(1)) if named else _known(advised.rate) / 10)]


def _clipped(text: str) -> ClipNorm:
    """The norm that the text names, else 1."""
    named = re.search(r"clipnorm=([0-9.e+]*[0-9])", text)
    return ClipNorm(float(named.group(1)) if named else 1.0)


def _usual_step(advised: Advised) -> Sequence[Change]:
    """The learning rate that the text names, else the one at which Adam starts; weights in float32 if it names that."""
    named = re.search(r"(?:here about|a learning rate near) ([0-9.e-]+[0-9])", advised.text)
    raised = re.search(r"Raise the learning rate: ([0-9.e-]+[0-9]) makes", advised.text)
    found = named or raised
    if "too small for any usual learning rate" in advised.text:
        return [Initialize()]
    if lowered := re.search(r"Lower the learning rate: about ([0-9.e-]+[0-9])", advised.text):
        # Schedules and callbacks stay, but for their top.
        return [RateAtMost(float(lowered.group(1)))]
    if _keeps_float32(advised):
        return [SinglePrecision(), *([ConstantRate(float(found.group(1)))] if found else [])]
    return [ConstantRate(float(found.group(1)) if found else 1e-3)]


def _keeps_float32(advised: Advised) -> bool:
    return "in float32 (dtype policy" in advised.text


def _known(rate: float) -> float:
    if not math.isfinite(rate):
        raise NotPossible("the learning rate is unknown")
    return rate


def _initialize(advised: Advised) -> Sequence[Change]:
    return [Initialize(advised.layers)]


def _drive(advised: Advised) -> Sequence[Change]:
    if "of the layers before" in advised.text:
        return [Initialize(), StandardizeInputs()]
    return [StandardizeInputs()]


def _by_hand(reason: str) -> Remedy:
    def refuse(advised: Advised) -> Sequence[Change]:
        raise NotPossible(reason)

    return refuse


def _dead(advised: Advised) -> Sequence[Change]:
    if "Start the bias of" in advised.text:
        return [Initialize(advised.layers)]
    if "at the start, and died" in advised.text or "silent from the start" in advised.text:
        return [Initialize(advised.layers), StandardizeInputs()]
    return _slower(advised)


def _dead_output(advised: Advised) -> Sequence[Change]:
    """Also where the data come first: their scale does not revive an output."""
    (end,) = re.findall(r"End \S+ in (\w+) instead of", advised.text)
    return [*_inputs(advised.text), Activation(end, advised.layers)]


def _vanishing(advised: Advised) -> Sequence[Change]:
    if "bounded activations" in advised.text:
        return [Activation("relu"), Initialize()]
    return [Initialize()]


def _exploding(advised: Advised) -> Sequence[Change]:
    if advised.first.sign in ("signal", "elasticity"):
        return [Initialize(advised.layers), _clipped(advised.text)]
    if "far too large" in advised.text:
        return [Initialize(_listed_layers(advised.text)), *_slower(advised), _clipped(advised.text)]
    return [*_slower(advised), _clipped(advised.text)]


def _listed_layers(text: str) -> tuple[str, ...]:
    """The layers whose signal the text wants to keep; empty, for all, if it does not name each of them."""
    listed = text.partition("the size of the signal in ")[2].partition(" (")[0]
    return () if listed.endswith(" more") else tuple(listed.split(", "))


def _nonfinite(advised: Advised) -> Sequence[Change]:
    if advised.first.origin == "data":
        return [CleanData()]
    if advised.first.origin == "loss":
        return _of_loss(advised)
    if ended := _ended(advised.text):
        return [ended]
    if _keeps_float32(advised):
        return [SinglePrecision()]
    return [_clipped(advised.text), *_slower(advised)]


def _of_loss(advised: Advised) -> Sequence[Change]:
    ended = _ended(advised.text)
    return [ended, SafeLoss()] if ended else [SafeLoss()]


def _ended(text: str) -> Activation | None:
    """The activation that the text ends a layer in, None if it names none."""
    named = re.match(r"End (\S+) in (\w+), so that its outputs stay above zero", text)
    return Activation(named.group(2), (named.group(1),)) if named else None


def _saturated(advised: Advised) -> Sequence[Change]:
    return [Initialize(advised.layers)] if "glorot_uniform with zero bias" in advised.text else _slower(advised)


def _dormant(advised: Advised) -> Sequence[Change]:
    """The penalty removed, or the layer initialized that the text names."""
    if "faded during training" in advised.text:
        return [NoPenalty(_named_layers(advised, "the penalties on "))]
    return [Initialize(_named_layers(advised, "the bias of "))]


def _named_layers(advised: Advised, before: str) -> tuple[str, ...]:
    """The layer that the text names after these words; if it is the finding's own, all with the same finding."""
    named = advised.text.partition(before)[2].split(" ")[0].rstrip(".")
    return advised.layers if named == advised.first.layer else (named,)


def _whole(advised: Advised) -> Sequence[Change]:
    """For parts of layers: the layers themselves."""
    return [Initialize(tuple(dict.fromkeys(name.rpartition("/")[0] for name in advised.layers)))]


def _collapsed(advised: Advised) -> Sequence[Change]:
    if "the model is given the same" in advised.text:
        raise NotPossible("the inputs are made by code")
    return [Initialize(), StandardizeInputs()]


def _reach(advised: Advised) -> Sequence[Change]:
    if advised.text.startswith("Scale the targets"):
        return [TargetsBetween(-1.0 if "range of tanh" in advised.text or "softsign" in advised.text else 0.0, 1.0)]
    return [Activation("linear", advised.layers)]


def _calmer(advised: Advised) -> Sequence[Change]:
    return [_clipped(advised.text), *_slower(advised)]


REMEDIES: Mapping[tuple[str, str], Remedy] = {
    ("dead_units", "dead_share"): _dead,
    ("dead_units", "dead_output"): _dead_output,
    ("dormant_units", "dormant_share"): _dormant,
    ("vanishing_gradient", "elasticity"): _vanishing,
    ("exploding_gradient", "step"): _exploding,
    ("exploding_gradient", "weights"): _exploding,
    ("exploding_gradient", "loss"): _exploding,
    ("exploding_gradient", "elasticity"): _exploding,
    ("exploding_gradient", "signal"): _exploding,
    ("exploding_gradient", "growth"): _exploding,
    ("nonfinite", "outputs"): _nonfinite,
    ("nonfinite", "gradients"): _nonfinite,
    ("nonfinite", "weights"): _nonfinite,
    ("saturated_units", "saturated_share"): _saturated,
    ("stuck_gates", "closed"): _whole,
    ("stuck_gates", "open"): _whole,
    ("stuck_gates", "constant"): _whole,
    ("stagnant_weights", "still"): _usual_step,
    ("stagnant_weights", "restless"): _usual_step,
    ("stagnant_weights", "left_out"): _by_hand("the training step is code"),
    ("no_gradient", "cut"): _by_hand("the path of the gradient is code"),
    ("no_gradient", "zero"): _by_hand("the path of the gradient is code"),
    ("no_gradient", "idle"): _by_hand("the condition is code"),
    ("collapsed_layer", "sample_spread"): _collapsed,
    ("poor_init", "gain_high"): _initialize,
    ("poor_init", "gain_low"): _initialize,
    ("poor_init", "drive"): _drive,
    ("poor_init", "equal"): _initialize,
    ("unfit_head", "one_unit"): lambda advised: [Activation("sigmoid", advised.layers)],
    ("unfit_head", "reach"): _reach,
    ("unfit_head", "classes"): lambda advised: [LabelsFromZero()],
    ("unfit_head", "target_probability"): lambda advised: [TargetsBetween(0.0, 1.0)],
    ("unfit_head", "output_probability"): lambda advised: [FromLogits()],
    ("unfit_head", "target_sum"): _by_hand("the targets are made by code"),
    ("unfit_head", "batch_axis"): lambda advised: [ClassAxis(advised.layers)],
    ("attention_logits", "logit"): _slower,
    ("attention_collapse", "entropy"): _slower,
    ("attention_collapse", "similarity"): _whole,
    ("outliers", "range"): _by_hand("the training is not at fault"),
    ("nonfinite_data", "inputs"): lambda advised: [CleanData()],
    ("nonfinite_data", "targets"): lambda advised: [CleanData()],
    ("nonfinite_data", "sample_weights"): lambda advised: [CleanData()],
    ("nonfinite_loss", "loss"): _of_loss,
    ("no_learning", "all_pairs"): _by_hand("the fault is a formula in the loss"),
    ("learning_rate", "zero"): lambda advised: [ConstantRate(1e-3)],
    ("learning_rate", "too_low"): _usual_step,
    ("learning_rate", "decayed"): lambda advised: [ConstantRate(advised.peak_rate)],
    ("learning_rate", "too_high"): _usual_step,
    ("learning_rate", "leap"): _usual_step,
    ("learning_rate", "overshoot"): _slower,
    ("learning_rate", "waiting"): _by_hand("how many batches an update may take is for the user to say"),
    ("no_learning", "loss"): _by_hand("no cause is visible"),
    ("loss_spike", "loss"): _calmer,
    ("loss_spike", "gradient"): _calmer,
}
"""By rule and sign."""
