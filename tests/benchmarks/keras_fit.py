"""Train as the article's script: Keras' `model.fit` with its defaults, on all cores; nothing is printed or logged."""

import time

import numpy as np

from tests.benchmarks.task import BATCH, LEARNING_RATE, SIZES, Contender, Data, training_part, validation_part


def contenders(data: Data) -> dict[str, Contender]:
    """Return three contenders: as published, without validation, and so with 120 steps a call, as Keras advises."""
    import keras

    def model(**options: object) -> keras.Model:
        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(units, "relu") for units in SIZES[1:-1]]
        network = keras.Sequential([keras.Input((SIZES[0],)), *hidden, keras.layers.Dense(SIZES[-1], "softmax")])
        optimizer = keras.optimizers.Adam(LEARNING_RATE)
        network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
        return network

    x, y = _floats(*training_part(data))
    held_out = _floats(*validation_part(data))

    class Clock(keras.callbacks.Callback):  # from an epoch's begin to its end: what `fit` does once is not counted
        seconds = 0.0

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.seconds -= time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.seconds += time.perf_counter()

    def fit(network: keras.Model, **options: object) -> Contender:
        def train(epochs: range) -> float:
            clock = Clock()
            network.fit(x, y, batch_size=BATCH, epochs=len(epochs), verbose=0, callbacks=[clock], **options)
            return clock.seconds

        return train

    return {
        "keras_fit": fit(model(), validation_data=held_out),
        "keras_fit_training": fit(model()),
        "keras_steps": fit(model(steps_per_execution=120)),
    }


def _floats(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)
