"""The statistics of attention equal those computed eagerly from the layer's weights."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from tb_activations.taps.numbers.attention import MOST_QUERIES, heads, places, unmasked
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS
from tests.training.observe import Observe, value_of

BATCH, LENGTH, MEMORY, WIDTH = 8, 12, 9, 16
Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Attention, and how it is called."""

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
    "padded and causal": Kind(lambda: layers.MultiHeadAttention(4, 6), is_causal=True, is_padded=True),
    "padded, dropout": Kind(lambda: layers.MultiHeadAttention(4, 6, dropout=0.1), is_padded=True),
    "cross": Kind(lambda: layers.MultiHeadAttention(2, 6), is_crossed=True),
    "grouped": Kind(lambda: layers.GroupQueryAttention(6, 4, 2)),
    "grouped, dropout": Kind(lambda: layers.GroupQueryAttention(6, 4, 2, dropout=0.1), is_causal=True),
    "by hand": Kind(HandmadeAttention, is_padded=True),
}
XLA: dict[str, Any] = {"jit_compile": True}
EAGER: dict[str, Any] = {"run_eagerly": True}


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


def _train(kind: Kind, mode: dict[str, Any]) -> tuple[Any, dict[str, Any], int]:
    """The first observed step, the truth about it, and the number of logits that are not masked."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    length = MEMORY if kind.is_crossed else LENGTH
    query = random.normal(scale=2, size=(BATCH, LENGTH, WIDTH)).astype("float32")
    memory = random.normal(scale=2, size=(BATCH, length, WIDTH)).astype("float32") if kind.is_crossed else query
    mask = np.ones((BATCH, LENGTH, length), bool)
    if kind.is_padded:
        mask &= (np.arange(length) < random.integers(2, length + 1, BATCH)[:, None])[:, None]
    layer = kind.layer()
    inputs = [keras.Input((LENGTH, WIDTH)), keras.Input((length, WIDTH)), keras.Input(mask.shape[1:], dtype="bool")]
    options = {"attention_mask": inputs[2]} if kind.is_padded else {}
    options |= {"use_causal_mask": True} if kind.is_causal else {}
    outputs = layer(inputs[0], inputs[1] if kind.is_crossed else inputs[0], **options)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(outputs)))
    model.compile("sgd", "mse", **{"jit_compile": False} | mode)
    weights = {weight.path.split("/", 1)[1]: weight.numpy().astype(float) for weight in layer.weights}
    observe = Observe()
    data = [query, memory, mask]
    model.fit(data, np.zeros((BATCH, 3)), batch_size=BATCH, verbose=0, callbacks=[observe])
    queries = np.einsum("btd,dnh->btnh", query, weights["query/kernel"]) + weights["query/bias"]
    keys = np.einsum("btd,dnh->btnh", memory, weights["key/kernel"]) + weights["key/bias"]
    logits = np.einsum("btnh,bsnh->bnts", queries, np.repeat(keys, queries.shape[2] // keys.shape[2], 2)) / 6**0.5
    if kind.is_causal:
        mask = mask & np.tril(np.ones(mask.shape[1:], bool))
    whole = np.broadcast_to(mask[:, None], logits.shape)
    return observe.seen[0][1], _truth(logits, whole), int(whole.sum())


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *((kind, {}) for kind in KINDS),
        *((kind, XLA) for kind in ("padded and causal", "grouped, dropout")),
        *((kind, EAGER) for kind in ("padded, dropout", "cross")),
    ],
)
def test_heads_equal_the_truth(kind: str, mode: dict[str, Any]) -> None:
    seen, truth, logits = _train(KINDS[kind], mode)
    place = next(place for place, row in enumerate(seen.rows) if row.call.class_name == "AttentionHeads")
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
    seen, _, _ = _train(Kind(ByHand, is_padded=True), {})
    assert not any(row.call.class_name == "AttentionHeads" for row in seen.rows)


def test_other_columns_do_not_describe_heads() -> None:
    seen, _, _ = _train(KINDS["self"], {})
    others = [place for place, row in enumerate(seen.rows) if row.call.class_name != "AttentionHeads"]
    assert np.isnan(seen.layers["logit_max"][others]).all()


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 4096), (3, 50), (32, 128), (500, 7), (200, 1), (0, 5)])
def test_queries_are_spread_over_batch_and_sequence(batch: int, length: int) -> None:
    rows, queries = (index.numpy() for index in places(batch, length))
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
