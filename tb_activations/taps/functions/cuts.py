"""Why no gradient reaches a layer: the operation that ends it, and where the program has that, or a loss without it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tb_activations.records.specs import GradientCut
from tb_activations.taps.functions.places import place_of
from tb_activations.taps.functions.upstream import SIZES, graph_operations

KINDS: Mapping[str, str] = {
    "StopGradient": "stop_gradient",
    "PreventGradient": "stop_gradient",
    "ArgMax": "argmax",
    "ArgMin": "argmin",
    "OneHot": "one-hot encoding",
    "Round": "rounding",
    "Rint": "rounding",
    "Floor": "rounding",
    "Ceil": "rounding",
    "FloorDiv": "floor division",
    "Cast": "conversion to integers",
    "Bucketize": "assignment to bins",
    "HistogramFixedWidth": "histogram",
    "Multinomial": "random choice",
    "PyFunc": "function in numpy",
    "PyFuncStateless": "function in numpy",
    **dict.fromkeys(("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"), "comparison"),
}
"""By type of operation, what messages call it."""

MOST = 64
"""Layers in the description of a run."""
_MOST_VISITED = 50_000
"""Operations that are looked at altogether."""

_MOST_PLACES = 16
"""Operations of one layer whose place in the program is looked up."""

_NEVER = frozenset(kind for kind, words in KINDS.items() if words not in ("comparison", "conversion to integers"))
"""Those that have no gradient, whatever the type of their results."""
_NO_VALUES = SIZES | {"ZerosLike", "OnesLike"}


def gradient_cuts(
    losses: Iterable[Any], makers: Mapping[Any, str], unreached: Mapping[str, Sequence[Any]]
) -> tuple[GradientCut, ...]:
    """The cuts behind the layers in `unreached`, at most `MOST`, in call order.

    Args:
        losses: tensors of a graph; eager ones have no operations.
        makers: operation to the name of the layer that returned its result, in call order.
        unreached: the names of layers without a gradient, and their weights. Layers that nothing cuts, as far as is
            known, are left out.
    """
    made: dict[str, list[Any]] = {}
    for operation, name in makers.items():
        if name in unreached:
            made.setdefault(name, []).append(operation)
    ends = list(graph_operations(losses))
    if not made or not ends:
        return ()
    used, left = _before(ends), [_MOST_VISITED]
    found = []
    for name, outputs in list(made.items())[:MOST]:
        of_loss = [operation for operation in outputs if operation in used]
        cut = _behind(name, of_loss, used, left) if of_loss else GradientCut(name)
        # Nothing behind the layer: within it, between its weights and its outputs.
        cut = cut or _behind(name, list(_reads(unreached[name], ends[0].graph)), used, left)
        if cut is not None:
            found.append(cut)
    return tuple(found)


def _reads(weights: Sequence[Any], graph: Any) -> Iterator[Any]:
    """The operations that read these weights."""
    handles = {id(getattr(weight, "value", weight).handle) for weight in weights}
    for outside, inside in graph.captures:
        if id(outside) in handles:
            yield from inside.consumers()


def _behind(name: str, starts: Sequence[Any], used: Container[Any], left: list[int]) -> GradientCut | None:
    cutting = sorted(_cutting(starts, used, left), key=lambda one: one._id)
    if not cutting:
        return None
    place = place_of(cutting[0])
    # One call of keras.ops can be several operations on the same line.
    alike = (one for one in cutting[:_MOST_PLACES] if place_of(one) == place)
    return GradientCut(name, _words(min(alike, key=lambda one: one.type not in _NEVER)), place)


def _before(ends: Sequence[Any]) -> set[Any]:
    """These operations and all whose values, not only their sizes, enter their results."""
    waiting, seen = list(ends), set(ends)
    # Terminates: each operation is visited once.
    while waiting:
        operation = waiting.pop()
        if operation.type not in _NO_VALUES:
            new = {value.op for value in operation.inputs} - seen
            seen |= new
            waiting += new
    return seen


def _cutting(starts: Sequence[Any], used: Container[Any], left: list[int]) -> Iterator[Any]:
    """The first operations without a gradient behind `starts`, on the way to what is in `used`."""
    waiting, seen = list(starts), set(starts)
    # Terminates: each operation is visited once.
    while waiting and left[0] > 0:
        operation = waiting.pop()
        left[0] -= 1
        if _has_no_gradient(operation):
            yield operation
            continue
        readers = {reader for value in operation.outputs for reader in value.consumers()}
        new = {reader for reader in readers if reader in used and reader.type not in _NO_VALUES} - seen
        seen |= new
        waiting += new


def _has_no_gradient(operation: Any) -> bool:
    if operation.type in _NEVER:
        return True
    kinds = [value.dtype for value in operation.outputs]
    return bool(kinds) and not any(kind.is_floating or kind.is_complex or _is_handle(kind) for kind in kinds)


def _is_handle(kind: Any) -> bool:
    return kind.name in ("resource", "variant")


def _words(operation: Any) -> str:
    return KINDS.get(operation.type, f"operation {operation.type}")
