"""Learning rates by update: Keras' cosine, and warm-ups by hand."""

import dataclasses
import itertools

import keras
import numpy as np

from study.engine.schedule import learning_rates
from study.settings import Settings

STEPS, EPOCHS, RATE = 4, 5, 0.1
CHOSEN = Settings(activation="relu", seed=0, epochs=EPOCHS, learning_rate=RATE)


def rates(**changes):
    """Return the rate of every update of a run; each epoch begins with the last rate of the epoch before."""
    chosen = dataclasses.replace(CHOSEN, **changes)
    epochs = [learning_rates(chosen, STEPS, epoch) for epoch in range(1, EPOCHS + 1)]
    for before, after in itertools.pairwise(epochs):
        assert before[-1] == after[0]
    return np.concatenate([epoch[1:] for epoch in epochs])


def test_the_cosine_is_keras():
    """After a warm-up of 1 epoch and without one; the last rate is above 0, the next would be 0."""
    for warm_up in (0, 1):
        warm = warm_up * STEPS
        schedule = keras.optimizers.schedules.CosineDecay(RATE, STEPS * EPOCHS - warm)
        expected = [float(schedule(step)) for step in range(STEPS * EPOCHS - warm)]
        np.testing.assert_allclose(rates(schedule="cosine", warm_up=warm_up)[warm:], expected, rtol=1e-5)
        after = learning_rates(dataclasses.replace(CHOSEN, schedule="cosine"), STEPS, EPOCHS + 1)
        assert after[0] > after[1] == 0


def test_a_constant_rate_and_a_warm_up_by_hand():
    """To the last digit the rate is constant, or rises by an eighth of it in each update of two epochs of 4 updates."""
    assert set(rates()) == {RATE}
    assert learning_rates(CHOSEN, STEPS, EPOCHS + 1)[1] == RATE
    np.testing.assert_allclose(rates(warm_up=2), RATE * np.minimum(np.arange(1, 21) / 8, 1), rtol=1e-15)
