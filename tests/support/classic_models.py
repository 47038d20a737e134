"""Build small versions of the models in keras.io's classic examples, with made-up data to train them on.

CLASSICS maps a name to a function, which returns (model, x, y, loss); the model is not compiled. The function's
docstring names the example, if any, in brackets. Only `gan` has no y and no loss: its `train_step` needs none.
"""

import keras
import numpy as np
from keras import layers as L  # noqa: N812 - as in Keras' examples
from keras import ops

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 32)
# Made-up data: labels (32,), texts (32, 10) of word numbers, and images (32, 12, 12, 1). About half of the words of a
# text are its label.
TEXTS = np.where(RNG.random((32, 10)) < 0.5, RNG.integers(2, 20, (32, 10)), LABELS[:, None])
DIGITS = RNG.normal(size=(10, 12, 12, 1))[LABELS] + 0.3 * RNG.normal(size=(32, 12, 12, 1))


def convolutional():
    """Build two convolutions with pooling, dropout and softmax (mnist_convnet)."""
    model = keras.Sequential([keras.Input((12, 12, 1))])
    for filters in (4, 8):
        model.add(L.Conv2D(filters, 3, activation="relu"))
        model.add(L.MaxPooling2D(2))
    for layer in (L.Flatten(), L.Dropout(0.5), L.Dense(10, activation="softmax")):
        model.add(layer)
    return model, DIGITS, LABELS, "sparse_categorical_crossentropy"


def lstm():
    """Build a bidirectional LSTM, a second LSTM and a sigmoid; padding is masked (bidirectional_lstm_imdb)."""
    inputs = keras.Input((None,), dtype="int32")
    h = L.Embedding(20, 8, mask_zero=True)(inputs)
    h = L.Bidirectional(L.LSTM(4, return_sequences=True))(h)
    outputs = L.Dense(1, activation="sigmoid")(L.LSTM(4)(h))
    return keras.Model(inputs, outputs), TEXTS, LABELS[:, None], "binary_crossentropy"


class Block(L.Layer):
    """Compute a transformer's block: self-attention, then two dense layers, each part with a residual connection."""

    def __init__(self, width, heads):
        super().__init__()
        self.attention = L.MultiHeadAttention(heads, width)
        self.forward = keras.Sequential([L.Dense(16, activation="relu"), L.Dense(width)])
        self.first, self.second = L.LayerNormalization(epsilon=1e-6), L.LayerNormalization(epsilon=1e-6)
        self.dropouts = [L.Dropout(0.1), L.Dropout(0.1)]

    def call(self, x, training=False):
        h = self.first(x + self.dropouts[0](self.attention(x, x), training=training))
        return self.second(h + self.dropouts[1](self.forward(h), training=training))


class Places(L.Layer):
    """Embed the `words` words and the `length` positions of a text in `width` units, and add the two embeddings."""

    def __init__(self, length, words, width):
        super().__init__()
        self.words, self.places, self.length = L.Embedding(words, width), L.Embedding(length, width), length

    def call(self, x):
        return self.words(x) + self.places(ops.arange(self.length))


def transformer():
    """Build embeddings, a transformer's block and pooling (text_classification_with_transformer)."""
    inputs = keras.Input((10,), dtype="int32")
    h = L.GlobalAveragePooling1D()(Block(8, 2)(Places(10, 20, 8)(inputs)))
    outputs = L.Dense(2, activation="softmax")(L.Dropout(0.1)(L.Dense(8, activation="relu")(h)))
    return keras.Model(inputs, outputs), TEXTS, LABELS, "sparse_categorical_crossentropy"


def unet():
    """Build a U-Net, with a class for each pixel (oxford_pets_image_segmentation)."""
    inputs = keras.Input((12, 12, 1))
    h = across = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same")(inputs)))
    h = L.BatchNormalization()(L.SeparableConv2D(8, 3, padding="same")(L.Activation("relu")(h)))
    h = L.MaxPooling2D(3, strides=2, padding="same")(h)
    h = L.add([h, L.Conv2D(8, 1, strides=2, padding="same")(across)])
    h = L.UpSampling2D(2)(L.BatchNormalization()(L.Conv2DTranspose(8, 3, padding="same")(L.Activation("relu")(h))))
    h = L.UpSampling2D(2)(L.Concatenate()([h, across]))
    outputs = L.Conv2D(2, 3, activation="softmax", padding="same")(h)
    return keras.Model(inputs, outputs), DIGITS, (DIGITS > 0).astype(int), "sparse_categorical_crossentropy"


class Gan(keras.Model):
    """Train a GAN with two optimizers and a train_step of its own (dcgan_overriding_train_step)."""

    def __init__(self, discriminator, generator, latent):
        super().__init__()
        self.discriminator, self.generator, self.latent = discriminator, generator, latent
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, optimizer, loss):
        """Give each of the two models an optimizer like `optimizer`; `loss` is not used."""
        super().compile()
        self.d_optimizer, self.g_optimizer = (type(optimizer).from_config(optimizer.get_config()) for _ in range(2))
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")

    @property
    def metrics(self):
        return [self.d_loss_metric]

    def train_step(self, real):
        """Train the discriminator on the images `real` and on generated ones, then the generator; return one loss."""
        import tensorflow as tf

        size = ops.shape(real)[0]
        images = ops.concatenate([self.generator(self._noise(size)), real], axis=0)
        labels = ops.concatenate([ops.ones((size, 1)), ops.zeros((size, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(images))
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights, strict=True))
        with tf.GradientTape() as tape:
            g_loss = self.loss_fn(ops.zeros((size, 1)), self.discriminator(self.generator(self._noise(size))))
        grads = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights, strict=True))
        self.d_loss_metric.update_state(d_loss)
        return {"d_loss": self.d_loss_metric.result()}

    def _noise(self, size):
        return keras.random.normal((size, self.latent), seed=self.seed_generator)


def gan():
    """Build a `Gan` with a convolutional discriminator and generator (dcgan_overriding_train_step)."""
    discriminator = keras.Sequential(
        [keras.Input((12, 12, 1)), L.Conv2D(4, 4, strides=2), L.LeakyReLU(0.2), L.Flatten(), L.Dense(1)],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input((4,)), L.Dense(36 * 4), L.Reshape((6, 6, 4)),
            L.Conv2DTranspose(4, 4, strides=2, padding="same"), L.LeakyReLU(0.2),
            L.Conv2D(1, 5, padding="same", activation="tanh"),
        ],
        name="generator",
    )  # fmt: skip
    return Gan(discriminator, generator, 4), DIGITS.astype("float32"), None, None


def siamese():
    """Build one embedding for two images, their distance, and a contrastive loss (siamese_contrastive)."""
    embedding = keras.Sequential(
        [keras.Input((12, 12, 1)), L.Conv2D(4, 3, activation="tanh"), L.AveragePooling2D(2), L.Flatten(),
         L.Dense(6, activation="tanh")], name="embedding",
    )  # fmt: skip
    one, other = keras.Input((12, 12, 1)), keras.Input((12, 12, 1))
    distance = L.Lambda(lambda e: ops.sqrt(ops.sum(ops.square(e[0] - e[1]), 1, keepdims=True) + 1e-7))
    h = L.BatchNormalization()(distance([embedding(one), embedding(other)]))
    model = keras.Model([one, other], L.Dense(1, activation="sigmoid")(h))

    def contrastive(y_true, y_pred):
        return ops.mean((1 - y_true) * ops.square(y_pred) + y_true * ops.square(ops.maximum(1 - y_pred, 0)))

    return model, [DIGITS, DIGITS[::-1]], (LABELS[::-1] != LABELS)[:, None].astype("float32"), contrastive


def two_heads():
    """Build a model with two named inputs and outputs, a nested model, and a layer that is called three times."""
    inner = keras.Sequential([keras.Input((6,)), L.Dense(6), L.PReLU(), L.LayerNormalization()], name="inner")
    shared, a, b = L.Dense(6, activation="elu", name="shared"), keras.Input((6,), name="a"), keras.Input((6,), name="b")
    h = inner(L.Add()([shared(a), shared(shared(b))]))
    outputs = {"kind": L.Dense(2, activation="softmax", name="kind")(h), "size": L.Dense(1, name="size")(h)}
    x = {name: DIGITS.reshape(32, -1)[:, start : start + 6] for name, start in (("a", 0), ("b", 70))}
    y = {"kind": LABELS, "size": DIGITS.mean((1, 2, 3))[:, None]}
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    return keras.Model({"a": a, "b": b}, outputs), x, y, losses


CLASSICS = {
    build.__name__: build for build in (convolutional, lstm, transformer, unet, gan, siamese, two_heads)
}  # fmt: skip
