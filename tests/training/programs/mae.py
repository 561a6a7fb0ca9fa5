"""A masked autoencoder: mostly hidden patches between two transformers, no `call`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

PATCHES, PATCH, WIDTH, HIDDEN = 16, 4, 12, 10


class Patches(layers.Layer):
    """Cuts 8 x 8 images into 16 patches of 2 x 2."""

    def call(self, images: Any) -> Any:
        patches = ops.reshape(images, (-1, 4, 2, 4, 2))
        return ops.reshape(ops.transpose(patches, (0, 1, 3, 2, 4)), (-1, PATCHES, PATCH))


class PatchEncoder(layers.Layer):
    """Embeds patches and hides most of them, different ones for each image."""

    def build(self, input_shape: Any) -> None:
        self.mask_token = self.add_weight(shape=(1, PATCH), initializer="random_normal", name="mask_token")
        self.projection = layers.Dense(WIDTH)
        self.position_embedding = layers.Embedding(PATCHES, WIDTH)
        self.projection.build((None, PATCHES, PATCH))
        self.position_embedding.build((None,))

    def call(self, patches: Any) -> Any:
        positions = self.position_embedding(ops.arange(PATCHES))
        embeddings = self.projection(patches) + positions
        order = ops.argsort(keras.random.uniform((ops.shape(patches)[0], PATCHES)), axis=-1)
        hidden, shown = order[:, :HIDDEN], order[:, HIDDEN:]
        tokens = self.projection(ops.repeat(self.mask_token, HIDDEN, axis=0))
        masked = tokens[None] + tf.gather(positions, hidden)
        return tf.gather(embeddings, shown, batch_dims=1), masked, hidden, shown


def transformer(name: str, length: int, outputs: int = WIDTH) -> keras.Model:
    inputs = layers.Input((length, WIDTH))
    x1 = layers.LayerNormalization(epsilon=1e-6)(inputs)
    x2 = layers.Add()([layers.MultiHeadAttention(2, 6, dropout=0.1)(x1, x1), inputs])
    x3 = layers.Dense(2 * WIDTH, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x2))
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(0.1)(x3)), name=name)


class MaskedAutoencoder(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.patch_layer, self.patch_encoder = Patches(), PatchEncoder()
        self.encoder = transformer("mae_encoder", PATCHES - HIDDEN)
        self.decoder = transformer("mae_decoder", PATCHES, PATCH)

    def calculate_loss(self, images: Any) -> Any:
        patches = self.patch_layer(images)
        unmasked, masked, hidden, shown = self.patch_encoder(patches)
        decoder_inputs = tf.concat([self.encoder(unmasked), masked], axis=1)
        restored = tf.gather(self.decoder(decoder_inputs), tf.argsort(tf.concat([shown, hidden], 1)), batch_dims=1)
        target, output = (tf.gather(values, hidden, batch_dims=1) for values in (patches, restored))
        return self.compute_loss(y=target, y_pred=output)

    def train_step(self, images: Any) -> Any:
        with tf.GradientTape() as tape:
            total_loss = self.calculate_loss(images)
        train_vars = [weight for part in self.layers for weight in part.trainable_variables]
        self.optimizer.apply_gradients(zip(tape.gradient(total_loss, train_vars), train_vars, strict=True))
        return {"loss": total_loss}


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model, callbacks = MaskedAutoencoder(), [LayerHealth(log_dir)] if log_dir else []
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=1e-4), keras.losses.MeanSquaredError(), jit_compile=False)
    model.fit(pictures(), epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"model": model}
