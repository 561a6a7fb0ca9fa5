"""The statistics of attention equal those computed eagerly from the layer's weights."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from tb_activations.taps.numbers.attention import MOST_QUERIES, heads, places, unmasked
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS
from tb_activations.taps.numbers.values import StepValues
from tests.training.observe import Observe, value_of

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

BATCH, LENGTH, MEMORY, WIDTH = 8, 12, 9, 16
Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Attention by this name, and how it is called."""

    layer: Any
    is_causal: bool = False
    is_padded: bool = False
    is_crossed: bool = False


class ByHand(layers.Layer):
    """Attention of one head that adds its mask to the logits and calls the softmax itself."""

    def build(self, *_: Any) -> None:
        self.query = layers.EinsumDense("btd,dnh->btnh", (None, 1, 6), bias_axes="nh", name="query")
        self.key = layers.EinsumDense("btd,dnh->btnh", (None, 1, 6), bias_axes="nh", name="key")
        self.query.build((None, None, WIDTH))
        self.key.build((None, None, WIDTH))

    def call(self, query: Any, value: Any, attention_mask: Any) -> Any:
        logits = ops.einsum("btnh,bsnh->bnts", self.query(query), self.key(value)) / 6**0.5
        weights = ops.softmax(logits + (1 - ops.cast(attention_mask[:, None], "float32")) * -1e9)
        return ops.einsum("bnts,bsd->btd", weights, value)


class HandmadeAttention(ByHand):
    """The same under a name that says what it is."""


KINDS = {
    "self": Kind(lambda: layers.MultiHeadAttention(4, 6)),
    "dropout": Kind(lambda: layers.MultiHeadAttention(4, 6, dropout=0.2)),
    "causal": Kind(lambda: layers.MultiHeadAttention(4, 6), is_causal=True),
    "padded_and_causal": Kind(lambda: layers.MultiHeadAttention(4, 6), is_causal=True, is_padded=True),
    "padded_dropout": Kind(lambda: layers.MultiHeadAttention(4, 6, dropout=0.1), is_padded=True),
    "cross": Kind(lambda: layers.MultiHeadAttention(2, 6), is_crossed=True),
    "grouped": Kind(lambda: layers.GroupQueryAttention(6, 4, 2)),
    "grouped_dropout": Kind(lambda: layers.GroupQueryAttention(6, 4, 2, dropout=0.1), is_causal=True),
    "by_hand": Kind(HandmadeAttention, is_padded=True),
    "nameless": Kind(ByHand, is_padded=True),
}
NO_ATTENTION = "nameless"
MODES: dict[str, dict[str, Any]] = {"compiled": {}, "XLA": {"jit_compile": True}, "eager": {"run_eagerly": True}}
KINDS_IN = {
    "compiled": tuple(KINDS),
    "XLA": ("padded_and_causal", "grouped_dropout"),
    "eager": ("padded_dropout", "cross"),
}
CASES = [(mode, kind) for mode, kinds in KINDS_IN.items() for kind in kinds if kind != NO_ATTENTION]


def _truth(logits: Array, mask: Array) -> dict[str, Any]:
    """From float64 logits `[batch, heads, queries, keys]` and their mask, one query after the other."""
    entropy, heaviest, peak = [], [], []
    for head in range(logits.shape[1]):
        spreads, shares = [], []
        rows = (table[:, head].reshape(-1, table.shape[3]) for table in (logits, mask))
        for row, keys in zip(*rows, strict=True):
            if keys.sum() > 1:
                weights = np.exp(row[keys] - row[keys].max())
                weights /= weights.sum()
                spreads.append(-(weights * np.log(weights)).sum() / np.log(keys.sum()))
                shares.append(weights.max())
        entropy.append(np.mean(spreads))
        heaviest.append(np.mean(shares))
        peak.append(np.abs(logits[:, head][mask[:, head]]).max())
    mean = np.where(mask, logits, 0).sum(-1, keepdims=True) / np.maximum(mask.sum(-1, keepdims=True), 1)
    flat = np.where(mask, logits - mean, 0).transpose(1, 0, 2, 3).reshape(logits.shape[1], -1)
    pairs = {
        (one, other): 2 * flat[one] @ flat[other] / (flat[one] @ flat[one] + flat[other] @ flat[other])
        for one in range(len(flat))
        for other in range(one + 1, len(flat))
    }
    pair = max(pairs, key=lambda key: pairs[key]) if pairs else (np.nan, np.nan)
    return {
        "entropy": entropy,
        "heaviest": heaviest,
        "peak": peak,
        "pair": pair,
        "similarity": max(pairs.values(), default=np.nan),
    }


@functools.cache
def _data() -> tuple[Array, Array, Array]:
    """Queries, the memory of those that are crossed, and the keys that are no padding `[batch, queries, keys]`."""
    random = np.random.default_rng(0)
    query = random.normal(scale=2, size=(BATCH, LENGTH, WIDTH)).astype("float32")
    memory = random.normal(scale=2, size=(BATCH, MEMORY, WIDTH)).astype("float32")
    rows = np.arange(LENGTH) < random.integers(2, LENGTH + 1, BATCH)[:, None]
    return query, memory, np.repeat(rows[:, None], LENGTH, 1)


@functools.cache
def _observed(mode: str) -> tuple[StepValues, dict[str, tuple[dict[str, Any], int]]]:
    """The first observed step of all kinds of a mode in one model, and for each its truth and the number of logits.

    Every kind is a branch with a head of its own, so none depends on another; tracing all at once is much quicker.
    """
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    data = _data()
    query, memory, mask = inputs = [keras.Input(part.shape[1:], dtype=part.dtype) for part in data]
    made, outputs = {name: KINDS[name].layer() for name in KINDS_IN[mode]}, []
    for name, layer in made.items():
        kind = KINDS[name]
        layer.name = name
        options = {"attention_mask": mask} if kind.is_padded else {}
        options |= {"use_causal_mask": True} if kind.is_causal else {}
        outputs.append(layers.Dense(3)(layers.Flatten()(layer(query, memory if kind.is_crossed else query, **options))))
    model = keras.Model(inputs, layers.Concatenate()(outputs))
    model.compile("sgd", "mse", **{"jit_compile": False} | MODES[mode])
    truths = {name: _truth_of(KINDS[name], layer) for name, layer in made.items()}
    observe = Observe()
    targets = np.zeros((BATCH, 3 * len(outputs)))
    model.fit(list(data), targets, batch_size=BATCH, verbose=0, callbacks=[observe])
    return observe.seen[0][1], truths


def _truth_of(kind: Kind, layer: Any) -> tuple[dict[str, Any], int]:
    """From the weights of the layer before the step; also the number of logits that are not masked."""
    query, memory, mask = _data()
    memory = memory if kind.is_crossed else query
    weights = {weight.path.split("/", 1)[1]: weight.numpy().astype(float) for weight in layer.weights}
    queries = np.einsum("btd,dnh->btnh", query, weights["query/kernel"]) + weights["query/bias"]
    keys = np.einsum("btd,dnh->btnh", memory, weights["key/kernel"]) + weights["key/bias"]
    logits = np.einsum("btnh,bsnh->bnts", queries, np.repeat(keys, queries.shape[2] // keys.shape[2], 2)) / 6**0.5
    if not kind.is_padded:
        mask = np.ones((BATCH, LENGTH, memory.shape[1]), bool)
    if kind.is_causal:
        mask = mask & np.tril(np.ones(mask.shape[1:], bool))
    whole = np.broadcast_to(mask[:, None], logits.shape)
    return _truth(logits, whole), int(whole.sum())


def _is_heads(row: Any) -> bool:
    return bool(row.call.class_name == "AttentionHeads")


@pytest.mark.parametrize(("mode", "kind"), CASES)
def test_heads_equal_the_truth(mode: str, kind: str) -> None:
    seen, truths = _observed(mode)
    truth, logits = truths[kind]
    (place,) = [place for place, row in enumerate(seen.rows) if _is_heads(row) and row.call.name.startswith(f"{kind}/")]
    call = seen.rows[place].call
    assert call.name == f"{call.part_of}/heads"
    start = sum(row.units for row in seen.rows[:place])
    units = slice(start, start + seen.rows[place].units)
    np.testing.assert_allclose(seen.activity[units], truth["entropy"], rtol=1e-5)
    np.testing.assert_allclose(seen.peak[units], truth["peak"], rtol=1e-5)
    expected = {
        "elements": logits,
        "logit_max": max(truth["peak"]),
        "attention_entropy": np.mean(truth["entropy"]),
        "heaviest_key": np.mean(truth["heaviest"]),
        "head_similarity": truth["similarity"],
        "similar_head": truth["pair"][0],
        "similar_other": truth["pair"][1],
    }
    found = {name: value_of(seen, call.name, name) for name in expected}
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-5, err_msg=str(found))


def test_a_softmax_of_a_layer_that_is_no_attention_is_left_alone() -> None:
    seen, _ = _observed("compiled")
    names = {row.call.name.split("/")[0]: _is_heads(row) for row in sorted(seen.rows, key=_is_heads)}
    assert {name for name in KINDS if not names[name]} == {NO_ATTENTION}


def test_other_columns_do_not_describe_heads() -> None:
    seen, _ = _observed("compiled")
    others = [place for place, row in enumerate(seen.rows) if not _is_heads(row)]
    assert np.isnan(seen.layers["logit_max"][others]).all()


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 4096), (3, 50), (32, 128), (500, 7), (200, 1), (0, 5)])
def test_queries_are_spread_over_batch_and_sequence(batch: int, length: int) -> None:
    rows, queries = places(batch, length)
    assert len(rows) * len(queries) <= MOST_QUERIES
    assert len(rows) * len(queries) >= min(batch * length, MOST_QUERIES // 2)
    for index, size in ((rows, batch), (queries, length)):
        assert len(set(index.tolist())) == len(index)
        assert all(0 <= place < size for place in index.tolist())
        gaps = np.diff([-1, *index, size])
        assert not len(index) or gaps.max() <= 2 * size / len(index) + 1


def _values(logits: Any, mask: Any = None) -> tuple[dict[str, float], Array, Array]:
    result = heads(tf.constant(logits, tf.float32), None if mask is None else tf.constant(mask), None)
    names = ("logit_max", "entropy", "heaviest", "similarity", "one", "other")
    return (
        dict(zip(names, result.values.numpy()[len(ACTIVATION_STATISTICS) :].tolist(), strict=True)),
        result.active.numpy(),
        result.peak.numpy(),
    )


def test_attention_to_all_keys_alike_has_entropy_one_and_no_likeness() -> None:
    values, entropy, peak = _values(np.full((2, 3, 4, 5), 7.0))
    np.testing.assert_allclose(entropy, 1.0, rtol=1e-6)
    np.testing.assert_allclose(peak, 7.0)
    assert values["heaviest"] == pytest.approx(0.2)
    # Equal logits say nothing about likeness.
    assert np.isnan(values["similarity"])


def test_attention_to_one_key_has_entropy_zero() -> None:
    logits = np.zeros((1, 2, 4, 5))
    logits[..., 3] = 500.0
    values, entropy, _ = _values(logits)
    np.testing.assert_array_equal(entropy, 0.0)
    assert values["heaviest"] == pytest.approx(1.0)
    assert values["similarity"] == pytest.approx(1.0)


def test_equal_heads_are_named_and_scaled_ones_are_not_equal() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 4, 6, 5))
    logits[:, 3] = logits[:, 1] + 5.0
    values, _, _ = _values(logits)
    assert (values["one"], values["other"]) == (1, 3)
    assert values["similarity"] == pytest.approx(1.0, abs=1e-5)
    logits[:, 3] = logits[:, 1] * 2
    values, _, _ = _values(logits)
    assert values["similarity"] == pytest.approx(0.8, abs=1e-5)


def test_one_head_is_like_no_other() -> None:
    values, _, _ = _values(np.random.default_rng(0).normal(size=(2, 1, 6, 5)))
    assert np.isnan([values["similarity"], values["one"], values["other"]]).all()


def test_queries_without_a_choice_do_not_count() -> None:
    logits = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    mask = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]], bool)[None, None]
    _, entropy, peak = _values(logits, mask)
    weights = np.exp(logits[0, :, 2, :2])
    weights /= weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(entropy, -(weights * np.log(weights)).sum(-1) / np.log(2), rtol=1e-5)
    largest = np.abs(np.concatenate([logits[0, :, 0, :1], logits[0, :, 2, :2]], -1)).max(-1)
    np.testing.assert_allclose(peak, largest, rtol=1e-6)


def test_without_any_key_nothing_is_known() -> None:
    values, entropy, peak = _values(np.ones((1, 2, 3, 4)), np.zeros((1, 1, 3, 4), bool))
    assert np.isnan(entropy).all()
    assert np.isnan(peak).all()
    assert np.isnan(values["entropy"])


def test_nan_and_infinity_stay_visible_in_their_head() -> None:
    logits = np.random.default_rng(0).normal(size=(1, 3, 3, 4))
    logits[0, 1, 0, 0], logits[0, 2, 0, 0] = np.nan, np.inf
    _, entropy, peak = _values(logits)
    assert np.isfinite(entropy[0])
    assert np.isfinite(peak[0])
    assert np.isnan(peak[1])
    assert np.isinf(peak[2])


def test_a_mask_that_was_added_to_the_logits_is_recognized() -> None:
    logits = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    added = logits + np.array([0, 0, -1e9, -np.inf])
    (values, entropy, peak), (masked, again, largest) = _values(added, unmasked(added)), _values(logits[..., :2])
    np.testing.assert_allclose(entropy, again, rtol=1e-6)
    np.testing.assert_allclose(peak, largest)
    assert values["similarity"] == pytest.approx(masked["similarity"], rel=1e-5)
