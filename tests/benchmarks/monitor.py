"""Measure the overhead of a GradientLogger at one probe every 100 steps: CPU seconds and memory, on three networks.

    python -m tests.benchmarks.monitor

The networks are the article's, a small convolutional and a small transformer network, each in a process of one thread,
on made data. The seconds are those within the logger's hooks, over the others of the same epochs. Both meet the same
load of the machine, which moves the seconds of an epoch by a fifth. The first epoch, which compiles, is left out.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

STEPS, EPOCHS = 100, 6  # updates an epoch, each with one probe at its end; epochs of a fit


def article(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return the article's network, the shape of an input, and the batch."""
    layers = [keras.layers.Dense(100, "relu") for _ in range(3)]
    return [*layers, keras.layers.Dense(10, "softmax")], (784,), 100


def convolutional(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return two convolutions, as in Keras' example for MNIST."""
    layers = keras.layers
    convolutions = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(32, 3)]
    rest = [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5)]
    return [*convolutions, *rest, layers.Dense(10, "softmax")], (28, 28, 1), 32


def transformer(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return a block of attention over 40 places."""
    layers = keras.layers
    inputs = keras.Input((40, 32))
    h = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(4, 8)(inputs, inputs))
    h = layers.LayerNormalization()(h + layers.Dense(32)(layers.Dense(64, "gelu")(h)))
    block = keras.Model(inputs, h)
    return [block, layers.GlobalAveragePooling1D(), layers.Dense(10, "softmax")], (40, 32), 32


NETWORKS: dict[str, Callable[[Any], tuple[Any, tuple[int, ...], int]]] = {
    "article": article, "convolutional": convolutional, "transformer": transformer,
}  # fmt: skip


def trained(name: str, is_logged: bool) -> tuple[float, float]:
    """Train the network; return the CPU seconds of the later epochs, and of them those within the logger's hooks."""
    import keras

    from study import GradientLogger

    layers, shape, batch = NETWORKS[name](keras)
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(STEPS * batch, *shape)).astype(np.float32), rng.integers(0, 10, STEPS * batch)
    within, moments = [0.0], []

    class Timed(GradientLogger):
        def on_train_batch_begin(self, *args: Any, **kwargs: Any) -> None:
            self._timed(super().on_train_batch_begin, *args, **kwargs)

        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            self._timed(super().on_train_batch_end, *args, **kwargs)

        def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
            moments.append((time.process_time(), within[0]))

        def _timed(self, hook: Callable[..., None], *args: Any, **kwargs: Any) -> None:
            started = time.process_time()
            hook(*args, **kwargs)
            within[0] += time.process_time() - started

    callbacks = [Timed(100, verbose=0)] if is_logged else []
    model.fit(x, y, batch_size=batch, epochs=EPOCHS if is_logged else 2, verbose=0, callbacks=callbacks)
    if not is_logged:
        return 0.0, 0.0
    seconds, hooks = np.subtract(moments[-1], moments[0])
    return float(seconds), float(hooks)


def main() -> None:
    """Print, for each network, the logger's share of CPU seconds, and the difference of memory."""
    if sys.argv[1:2] == ["--one"]:
        name, is_logged = sys.argv[2:]
        seconds, hooks = trained(name, is_logged == "True")
        print(json.dumps([seconds, hooks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
        return
    for name in NETWORKS:
        command = [sys.executable, "-m", "tests.benchmarks.monitor", "--one", name]
        plain, logged = (json.loads(subprocess.check_output([*command, str(of)])) for of in (False, True))
        seconds, hooks, most = logged
        print(
            f"{name}: {1e3 * (seconds - hooks) / STEPS / (EPOCHS - 1):.2f} ms a step, "
            f"{100 * hooks / (seconds - hooks):+.1f}% with a probe every {STEPS}; "
            f"{plain[2] / 1024:.0f} MB, {(most - plain[2]) / 1024:+.0f} MB with the logger"
        )


if __name__ == "__main__":
    from study.engine import environment

    environment.prepare()
    main()
