from __future__ import annotations

import numpy as np

from tb_activations.health.graph import LayerGraph, layer_graph
from tb_activations.records.specs import LayerSpec


def spec(name: str, *inputs: str, kind: str = "Dense", parameters: int = 10, call_site: int = 0) -> LayerSpec:
    return LayerSpec(name, kind, call_site=call_site, parameters=parameters, inputs=inputs)


def reached(graph: LayerGraph, layers: list[LayerSpec], name: str) -> set[str]:
    row = [layer.name for layer in layers].index(name)
    return {layers[other].name for other in np.flatnonzero(graph.reaches[row])}


def heads(graph: LayerGraph, layers: list[LayerSpec]) -> set[str]:
    return {layers[row].name for row in np.flatnonzero(graph.is_head)}


BRANCHED = [
    spec("stem"),
    spec("left", "stem"),
    spec("right", "stem"),
    spec("norm", "right", kind="BatchNormalization"),
    spec("sum", "left", "norm", kind="Add", parameters=0),
    spec("head_a", "sum"),
    spec("head_b", "sum"),
    spec("softmax", "head_b", kind="Softmax", parameters=0),
]


def test_branches_reach_only_the_layers_they_feed() -> None:
    graph = layer_graph(BRANCHED)
    assert reached(graph, BRANCHED, "left") == {"sum", "head_a", "head_b", "softmax"}
    assert reached(graph, BRANCHED, "stem") == {layer.name for layer in BRANCHED} - {"stem"}
    assert graph.sources(4).tolist() == [1, 3]


def test_no_layer_with_weights_follows_a_head() -> None:
    assert heads(layer_graph(BRANCHED), BRANCHED) == {"head_a", "head_b", "softmax"}


def test_layers_that_feed_a_normalization_are_marked() -> None:
    graph = layer_graph(BRANCHED)
    assert [layer.name for layer, flag in zip(BRANCHED, graph.is_normalized, strict=True) if flag] == ["right"]


def test_without_known_connections_every_layer_feeds_the_later_ones() -> None:
    layers = [spec("a"), spec("b"), spec("b@1", call_site=1), spec("c")]
    graph = layer_graph(layers)
    assert reached(graph, layers, "a") == {"b", "c"}
    assert reached(graph, layers, "b@1") == set()
    assert "c" in heads(graph, layers)
    assert "a" not in heads(graph, layers)


def test_the_parts_of_a_head_are_heads() -> None:
    layers = [spec("body"), spec("top/dense", "body"), spec("top", "top/dense")]
    assert heads(layer_graph(layers), layers) == {"top", "top/dense"}


def test_a_shared_layer_fed_by_its_own_output_makes_no_cycle() -> None:
    layers = [spec("shared", "shared", "later"), spec("later", "shared")]
    graph = layer_graph(layers)
    assert reached(graph, layers, "shared") == {"later"}
    assert reached(graph, layers, "later") == set()


def test_an_empty_graph() -> None:
    assert layer_graph([]).reaches.shape == (0, 0)
