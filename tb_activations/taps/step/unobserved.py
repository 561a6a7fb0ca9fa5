"""Why layers have no statistics in a step."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from tb_activations.records.specs import Config
from tb_activations.taps.layers import NamedLayer
from tb_activations.taps.numbers.layout import Unobserved
from tb_activations.taps.owners import innermost, parameters_of

_NOT_CALLED = "no training step called it, or only inside a function that was compiled earlier"
_CONTAINER = "only its own weights are observed; the layers inside it have their own rows"
_IN_ONE_KERNEL = "cuDNN runs the whole loop at once; use_cudnn=False in the recurrent layer makes its cell observable"


def unobserved(
    entry: NamedLayer,
    reasons: Mapping[str, str],
    config: Config,
    observed: AbstractSet[str] = frozenset(),
    *,
    borrows: bool = False,
) -> Unobserved:
    """The description of a layer without statistics.

    Args:
        entry: the layer.
        reasons: those that are known, by layer name.
        config: what the layer was made with.
        observed: names of the layers with statistics.
        borrows: whether all its weights are those of other layers, in whose rows they count.
    """
    default = _CONTAINER if entry.is_container else _IN_ONE_KERNEL if entry.is_cell else _NOT_CALLED
    around = innermost(entry.name, observed)
    if default is _NOT_CALLED and around != entry.name:
        default = f"{around} ran without calling it, or calls it only inside a function that was compiled earlier"
    return Unobserved(
        entry.name,
        type(entry.layer).__name__,
        parameters_of(entry),
        not borrows and bool(entry.layer._trainable_variables if entry.is_container else entry.layer.trainable_weights),
        reasons.get(entry.name, default),
        config,
    )
