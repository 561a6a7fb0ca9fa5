from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import activations, iter_activations
from tests.probe.models import KINDS, digits, is_same, make, state, trained


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_layers_called_one_by_one(kind: str) -> None:
    known = make(kind)
    model, (x, _) = trained(known), digits()
    seen = activations(model, x, batch_size=len(x))
    expected = known.one_by_one(tf.constant(x))
    assert set(seen) == set(expected)
    for name, value in expected.items():
        assert np.array_equal(seen[name], value.numpy()), name


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_joined_in_order(kind: str) -> None:
    known, (x, _) = make(kind), digits(50)
    seen = activations(known.model, x, batch_size=16)
    pieces = [known.one_by_one(tf.constant(x[start : start + 16])) for start in range(0, 50, 16)]
    for name, values in seen.items():
        assert np.array_equal(values, np.concatenate([piece[name].numpy() for piece in pieces])), name


def test_a_model_that_was_never_called_is_built() -> None:
    known = make("subclassed")
    assert not known.model.built
    assert "gate/strength" in activations(known.model, digits(4)[0])


def test_training_mode_differs_and_leaves_no_trace() -> None:
    model, (x, _) = trained(make("functional")), digits()
    before = state(model)
    plain, in_training = activations(model, x), activations(model, x, training=True)
    assert is_same(before, state(model))
    assert np.array_equal(plain["conv"], in_training["conv"])
    assert not np.allclose(plain["norm"], in_training["norm"])
    assert (in_training["drop"] == 0).mean() > (plain["drop"] == 0).mean() + 0.1


@pytest.mark.parametrize(
    "choice", [["inner/dense"], r"^inner/dense$", lambda layer: getattr(layer, "units", None) == 7]
)
def test_a_choice_of_layers(choice: Any) -> None:
    assert list(activations(make("nested").model, digits(4)[0], layers=choice)) == ["inner/dense"]


@pytest.mark.parametrize("with_labels", [False, True])
def test_a_dataset_gives_what_its_arrays_give(with_labels: bool) -> None:
    known, (x, y) = make("shared"), digits(20)
    dataset = tf.data.Dataset.from_tensor_slices((x, y) if with_labels else x).batch(8)
    expected = activations(known.model, x, batch_size=8)
    seen = activations(known.model, dataset)
    assert all(np.array_equal(seen[name], value) for name, value in expected.items())


@pytest.mark.parametrize("form", ["dict", "tuple"])
def test_structures_of_inputs(form: str) -> None:
    left, right = layers.Input((3,), name="left"), layers.Input((2,), name="right")
    joined = layers.Concatenate(name="joined")([left, right])
    model = keras.Model({"left": left, "right": right} if form == "dict" else (left, right), joined)
    a, b = np.ones((5, 3)), np.full((5, 2), 2.0)
    x = {"left": a, "right": b} if form == "dict" else (a, b)
    assert np.array_equal(activations(model, x, batch_size=2)["joined"], np.concatenate([a, b], axis=1))


def test_recurrent_layers_with_states() -> None:
    inputs = layers.Input((8, 8))
    sequence, state_h, state_c = layers.LSTM(5, return_sequences=True, return_state=True, name="lstm")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.Add(name="sum")([state_h, state_c])))
    seen = activations(model, digits(6)[0][..., 0])
    assert seen["lstm[0]"].shape == (6, 8, 5)
    assert np.array_equal(seen["lstm[0]"][:, -1], seen["lstm[1]"])
    assert not [name for name in seen if "cell" in name]
    assert sequence.shape == (None, 8, 5)


def test_masks_pass_the_taps() -> None:
    tokens = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    model = keras.Sequential([layers.Input((4,)), layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2, name="lstm")])
    expected = model(tokens).numpy()
    assert np.array_equal(activations(model, tokens)["lstm"], expected)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_left_as_it_is(policy: str) -> None:
    dense = layers.Dense(4, name="dense", dtype=policy)
    model, x = keras.Sequential([layers.Input((3,)), dense]), np.ones((2, 3), "float32")
    seen = activations(model, x)["dense"]
    assert seen.dtype.name == policy.removeprefix("mixed_")
    assert np.array_equal(seen, dense(tf.constant(x)).numpy())


def test_batches_are_made_on_demand() -> None:
    asked: list[int] = []

    def numbers() -> Any:
        for number in range(1000):
            asked.append(number)
            yield np.full((2, 8, 8, 1), number, "float32")

    dataset = tf.data.Dataset.from_generator(numbers, output_signature=tf.TensorSpec((2, 8, 8, 1)))
    batches = iter_activations(make("shared").model, dataset)
    assert np.all(next(batches)["flatten"] == 0)
    assert np.all(next(batches)["flatten"] == 1)
    assert len(asked) < 1000


class WithoutBatchAxis(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.reduce_mean(x)


def test_outputs_without_samples_are_not_joined() -> None:
    inputs = layers.Input((3,))
    model = keras.Model(inputs, WithoutBatchAxis(name="mean")(inputs))
    x = np.ones((4, 3))
    assert activations(model, x)["mean"] == 1
    with pytest.raises(ValueError, match=r"'mean'.*batch_size"):
        activations(model, x, batch_size=2)


class OwnGraph(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = layers.Dense(4, name="hidden"), layers.Dense(2, name="head")
        self.in_graph = tf.function(lambda x: self.hidden(x))

    def call(self, x: Any) -> Any:
        return self.head(self.in_graph(x))


def test_a_layer_in_another_graph_is_left_out_or_an_error() -> None:
    model, x = OwnGraph(), np.ones((4, 3), "float32")
    assert list(activations(model, x)) == ["head"]
    with pytest.raises(ValueError, match=r"`layers`: 'hidden' cannot be observed"):
        activations(model, x, layers=["hidden"])
    with pytest.raises(ValueError, match="'hidden' cannot be observed"):
        activations(model, x, layers="^hidden$")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((0, 8, 8, 1)), "has no sample"),
        (np.float32(1), r"shapes \[\(\)\]"),
        ({"a": np.ones((3, 2)), "b": np.ones((2, 2))}, r"shapes \[\(3, 2\), \(2, 2\)\]"),
        ([[1.0, 2.0], [3.0, 4.0]], "`x`"),
    ],
)
def test_inputs_that_are_not_samples(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        activations(make("shared").model, x)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_batch_sizes_that_are_not_allowed(batch_size: Any) -> None:
    with pytest.raises(ValueError, match=r"`batch_size`.*at least 1"):
        activations(make("shared").model, digits(2)[0], batch_size=batch_size)


def test_the_model_is_unchanged_after_an_error() -> None:
    model = make("functional").model
    before = state(model)
    with pytest.raises(ValueError, match=r"incompatible|expected"):
        activations(model, np.ones((2, 5)), training=True)
    assert is_same(before, state(model))
    assert not [layer for layer in model.layers if "call" in vars(layer)]


class Pairs(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> Any:
        x, y = digits(60)
        return x[20 * place : 20 * place + 20], y[20 * place : 20 * place + 20]


@pytest.mark.parametrize("form", ["generator", "generator of pairs", "PyDataset"])
def test_other_sources_of_batches_give_what_their_arrays_give(form: str) -> None:
    pairs = Pairs()
    forms: dict[str, Any] = {
        "generator": (pairs[place][0] for place in range(3)),
        "generator of pairs": (pairs[place] for place in range(3)),
        "PyDataset": pairs,
    }
    model = make("functional").model
    found = activations(model, forms[form])
    expected = activations(model, digits(60)[0], batch_size=20)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("is_generator", [False, True])
def test_progress_is_shown_on_request(is_generator: bool, capsys: pytest.CaptureFixture[str]) -> None:
    x, _ = digits(60)
    model = make("functional").model
    activations(model, x, layers=["head"])
    assert capsys.readouterr().out == ""
    activations(model, iter([x[:30], x[30:]]) if is_generator else x, layers=["head"], batch_size=30, progress=True)
    shown = capsys.readouterr().out
    assert "2/Unknown" in shown if is_generator else "2/2" in shown
    assert shown.endswith("\n")
