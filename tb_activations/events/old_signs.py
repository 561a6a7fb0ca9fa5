"""The signs of findings that were written before signs had ids: up to version 0.4 a title told them apart."""

from __future__ import annotations

from tb_activations.records.finding import Unit

_ELASTICITY = "elasticity of the loss (gradient norm x weight norm / loss)"

_SIGNS: dict[tuple[str, str], tuple[str, Unit]] = {
    ("dead_units", "share of units dead"): ("dead_share", "share"),
    ("dormant_units", "share of units dormant"): ("dormant_share", "share"),
    ("saturated_units", "share of outputs saturated"): ("saturated_share", "share"),
    ("collapsed_layer", "spread of outputs over samples, relative to their size"): ("sample_spread", ""),
    ("vanishing_gradient", _ELASTICITY): ("elasticity", ""),
    ("vanishing_gradient", "elasticity of the loss"): ("elasticity", ""),
    ("exploding_gradient", "update-to-weight ratio of a kernel"): ("step", ""),
    ("exploding_gradient", "loss over its start"): ("loss", ""),
    ("exploding_gradient", _ELASTICITY): ("elasticity", ""),
    ("exploding_gradient", "size of the outputs before the first step, over that of the inputs"): ("signal", ""),
    ("exploding_gradient", "growth of the gradient norm over the last windows"): ("growth", ""),
    ("nonfinite", "outputs not finite"): ("outputs", "count"),
    ("nonfinite", "gradients not finite"): ("gradients", "count"),
    ("nonfinite", "weights not finite"): ("weights", "count"),
    ("stagnant_weights", "update-to-weight ratio, median of the window's last half"): ("restless", ""),
    ("stagnant_weights", "update-to-weight ratio, median of the window"): ("restless", ""),
    ("stagnant_weights", "update-to-weight ratio, largest of the window"): ("still", ""),
    ("no_gradient", "weights with a gradient"): ("cut", "count"),
    ("no_gradient", "largest gradient norm of the window"): ("zero", ""),
    ("poor_init", "gain of the initial kernel, at most"): ("gain_high", ""),
    ("poor_init", "gain of the initial kernel, at least"): ("gain_low", ""),
    ("poor_init", "gain of the initial kernel times the size of its inputs"): ("drive", ""),
    ("poor_init", "checks in which all units are alike"): ("equal", "count"),
}


def sign_of(rule: str, title: str) -> tuple[str, Unit]:
    """Id and unit of the sign with this title; a title that no version wrote is its own id."""
    return _SIGNS.get((rule, title), (title, ""))
