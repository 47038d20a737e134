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


def test_without_schedule_the_rate_is_constant():
    """To the last digit, so that nothing changes for the article's network."""
    assert set(rates()) == {RATE}
    assert learning_rates(CHOSEN, STEPS, EPOCHS + 1)[1] == RATE


def test_the_cosine_is_keras():
    """After a warm-up of 1 epoch and without one; the last rate is above 0, the next would be 0."""
    for warm_up in (0, 1):
        warm = warm_up * STEPS
        schedule = keras.optimizers.schedules.CosineDecay(RATE, STEPS * EPOCHS - warm)
        expected = [float(schedule(step)) for step in range(STEPS * EPOCHS - warm)]
        np.testing.assert_allclose(rates(schedule="cosine", warm_up=warm_up)[warm:], expected, rtol=1e-5)
        after = learning_rates(dataclasses.replace(CHOSEN, schedule="cosine"), STEPS, EPOCHS + 1)
        assert after[0] > after[1] == 0


def test_a_warm_up_by_hand():
    """Two epochs of 4 updates: the rate rises by an eighth of it each time, and then is whole."""
    np.testing.assert_allclose(rates(warm_up=2), RATE * np.minimum(np.arange(1, 21) / 8, 1), rtol=1e-15)
