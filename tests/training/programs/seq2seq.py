"""Sequence to sequence with teacher forcing: an LSTM encodes, another decodes from the targets shifted by one."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

TOKENS, LATENT, LENGTH = 6, 12, 6
START = 1


def sequences() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels as tokens 2 to TOKENS - 1; the target is the reversed sequence, padded with 0."""
    read = 2 + (pictures()[:, 3, :LENGTH, 0] * 3.9).astype("int32")
    read[::3, LENGTH - 2 :] = 0
    answer = read[:, ::-1].copy()
    answer[::3] = np.roll(answer[::3], -2, axis=1)
    heard = np.concatenate([np.full((len(read), 1), START, "int32"), answer[:, :-1]], axis=1)
    return read, heard, answer


def make_model() -> keras.Model:
    encoder_inputs = keras.Input(shape=(None,), dtype="int32", name="encoder_inputs")
    embedded = layers.Embedding(TOKENS, LATENT, mask_zero=True)(encoder_inputs)
    # The outputs are discarded, only the states are kept.
    _, state_h, state_c = layers.LSTM(LATENT, return_state=True)(embedded)
    decoder_inputs = keras.Input(shape=(None,), dtype="int32", name="decoder_inputs")
    embedded = layers.Embedding(TOKENS, LATENT, mask_zero=True)(decoder_inputs)
    decoder_lstm = layers.LSTM(LATENT, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(embedded, initial_state=[state_h, state_c])
    decoder_outputs = layers.Dense(TOKENS, activation="softmax")(decoder_outputs)
    return keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model = make_model()
    encoder_input_data, decoder_input_data, decoder_target_data = sequences()
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.fit(
        [encoder_input_data, decoder_input_data],
        decoder_target_data,
        batch_size=24,
        epochs=2,
        validation_split=0.2,
        shuffle=False,
        verbose=0,
        callbacks=[LayerHealth(log_dir)] if log_dir else [],
    )
    return {"model": model}
