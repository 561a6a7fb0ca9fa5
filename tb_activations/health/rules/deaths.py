"""What a finding of dead units says: since when they are silent, of what they died, and what to do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import Explanation
from tb_activations.health.rules.shares import Shares
from tb_activations.health.rules.silence import LARGE_BIAS
from tb_activations.health.rules.usual_causes import OF_ANY_SIGN
from tb_activations.records.finding import Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

UNITS_LISTED = 1000
"""Units named in a finding; the rest are only counted."""

INSTEAD = " instead of "
"""Between the activation that advice ends a network in and the present one."""

HARDLY_FIRED = "hardly fired at the start"
"""Names units that died of their start, although it was not silent."""


class Death(NamedTuple):
    """What is known of the death of a layer's units.

    Attributes:
        since: the step at which the finding began.
        unborn: how many units were never active.
        starved: the share of units that no gradient has reached, NaN if unknown.
        lower_rate: a learning rate to try.
        to_standardize: advice on the scale of the data.
        end: the activation to end the network in, if the units are its outputs; "" for others.
        hardly_fired: whether nearly all outputs were zero before the first step.
        initial_bias: the root mean square of the bias before the first step, NaN if unknown.
    """

    since: int
    unborn: int
    starved: float
    lower_rate: float
    to_standardize: str
    end: str
    hardly_fired: bool
    initial_bias: float


def end_of(history: History) -> str:
    """What to end a network in whose outputs are dead.

    A softplus starts at 0.7 and is slow to reach small targets. Only losses that take logarithms need it.
    """
    is_positive = bool(history.total("target_min")[-1] >= 0)
    return "softplus" if is_positive and history.spec.loss not in OF_ANY_SIGN else "linear"


def explain(
    shares: Shares,
    severity: Severity,
    share: float,
    layer: LayerSpec,
    dead: NDArray[np.bool_],
    death: Death,
) -> Explanation:
    indices, unborn = np.flatnonzero(dead), death.unborn
    origin = f"; {unborn} {'was' if unborn == 1 else 'were'} never active" if unborn else ""
    return Explanation(
        message=(
            f"{percent(share)} of the units of {layer.name} ({indices.size} of {layer.units}) output zero "
            f"for every sample ({shares.in_words(severity, share)}), since step {death.since}{origin}."
        ),
        might_be_wrong=_witness(death.starved, layer)
        or (
            "A unit that responds to one sample in thousands looks the same. Wide or strongly sparse layers can "
            "spare many units; if so, the validation score does not suffer."
        ),
        advice=death.to_standardize + _advice(layer, death, is_born_dead=unborn > indices.size / 2),
        units=tuple(indices[:UNITS_LISTED].tolist()),
    )


def _witness(starved: float, layer: LayerSpec) -> str:
    """What the optimizer's memory says about units that never received a gradient; "" if it says nothing."""
    if not starved > 0:
        return ""
    return (
        f"Unlikely for the units that never worked: according to the optimizer's memory, no gradient has ever reached "
        f"{percent(starved)} of the units of {layer.name}."
    )


def _advice(layer: LayerSpec, death: Death, *, is_born_dead: bool) -> str:
    if death.end:
        return (
            f"End {layer.name} in {death.end}{INSTEAD}{layer.activation}: an output of zero has no gradient, so "
            "that nothing in the network can learn any more."
        )
    if is_born_dead or death.hardly_fired:
        when = "were silent from the start" if is_born_dead else f"{HARDLY_FIRED}, and died soon"
        return f"The units {when}. {_start(layer, death.initial_bias)}"
    return (
        f"The units died during training. Lower the learning rate (try {number(death.lower_rate)}) or warm it up, clip "
        f"gradients, normalize before {layer.name}, or use leaky_relu instead of {layer.activation}: its units can "
        "recover."
    )


def _start(layer: LayerSpec, bias: float) -> str:
    if bias > LARGE_BIAS:
        return (
            f"Start the bias of {layer.name} at zero: its values are about {number(bias)} in size (root mean square). "
            "For the kernel, he_normal is the usual start."
        )
    return (
        f"Check the bias and kernel initializers of {layer.name} and the scale and mean of its inputs; he_normal with "
        "zero bias and standardized inputs is the usual remedy."
    )
