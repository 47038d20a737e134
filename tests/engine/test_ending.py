"""When a run ends, and what it keeps; tested around a program that trains nothing."""

import itertools
import math
import types

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from started import EPOCHS, STEPS, settings

from study.activations import REGISTRY
from study.engine import measures, training
from study.engine.epoch import MOST_LOGGED
from study.engine.run_log import logged_steps
from study.engine.seeds import split


class Stub:
    """A program that trains nothing: its parameters count the epochs; `losses` are the validation losses after them."""

    def __init__(self, losses=(1.0,) * EPOCHS, diverged=-1):
        self.losses, self.diverged, self.epochs = losses, diverged, 0
        self.first, self.orders, self.probe, self.compiled = None, [], None, set()

    def epoch(self, state, counts, epoch, data):
        if int(epoch.updates) == 0:
            self.first, self.probe = [parameters for parameters, *_ in state], data.probe.numpy()
            return state, (0.0, 0, -1), {}
        self.epochs += int(epoch.updates) > 1
        self.orders.append(epoch.order.numpy())
        diverged = self.diverged if self.epochs == len(self.losses) else -1
        measured = dict.fromkeys(measures.MEASURES, tf.zeros((MOST_LOGGED, 4)))
        return ((self.epochs, *state[0][1:]), *state[1:]), (0.0, 0, diverged), measured

    def evaluate(self, weights, counts, images, labels, chunks, used):
        first = weights[0][0]
        epochs = first if isinstance(first, int) else 0
        return (chunks.numpy() >= 0).sum() * (self.losses[epochs - 1] if epochs else 99.0), 0, 0


@pytest.fixture
def stubbed(monkeypatch, tiny_data):
    """Return a function that trains on a stub in place of the compiled programs."""

    def run(stub, seconds=math.inf, **changes):
        monkeypatch.setattr("study.engine.run.compiled_programs", lambda *key: stub)
        chosen = settings(**changes)
        return training.train(chosen, tiny_data, REGISTRY[chosen.activation], seconds=seconds)

    return run


# Inputs of the compiled program


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_seed_decides_split_order_and_weights_for_every_activation(seed, stubbed):
    """Two activations get the same validation images, batches and weights; another seed changes all three."""
    seen = []
    for changes in ({}, {"activation": "sigmoid"}, {"seed": seed ^ 1}):
        stub = Stub()
        stubbed(stub, **{"seed": seed, "activation": "relu", **changes})
        weights = [kernel.numpy() for kernel, _ in stub.first]
        seen.append([stub.probe, np.array(stub.orders), *weights])
    same, other, changed = seen
    assert all(map(np.array_equal, same, other))
    assert not any(map(np.array_equal, same, changed))


def test_an_epoch_shows_every_training_image_at_most_once(stubbed):
    """All but 3, which fill no batch, in its own order; none that is held out, whose first 1,000 are the probe."""
    stub = Stub()
    stubbed(stub, seed=5)
    orders = [order.ravel() for order in stub.orders]
    assert [len(set(order)) for order in orders] == [STEPS * 8] * (EPOCHS + 1)
    assert len({tuple(order) for order in orders}) == EPOCHS + 1
    assert len({frozenset(order) for order in orders}) > 1  # the images left out differ
    inside, outside = split(1303, 1100, 5)
    assert set(np.concatenate(orders)) <= set(inside)
    assert stub.probe.tolist() == outside[:1000].tolist()
    assert set(inside) | set(outside) == set(range(1303))


@pytest.mark.parametrize(("changes", "message"), [({"batch": 204}, "batch is 204"), ({"validation": 1303}, "1303")])
def test_settings_that_do_not_fit_the_data_are_refused(changes, message, stubbed):
    """A batch larger than what is left to train on, or nothing left: said before anything is compiled."""
    with pytest.raises(ValueError, match=message):
        stubbed(Stub(), **changes)


# When it ends


@hypothesis.settings(deadline=None, derandomize=True, max_examples=50)
@hypothesis.given(
    st.lists(st.integers(0, 30).map(lambda n: n / 8), min_size=1, max_size=12),
    st.none() | st.integers(1, 4),
)
@hypothesis.example([3.0, 2.0, 2.0, 2.0, 1.0], 2)
def test_patience_is_that_of_early_stopping(losses, patience):
    """For any validation losses, ties included: the last epoch, the best and the loss of either are Keras'."""
    callback = keras.callbacks.EarlyStopping("val_loss", 0, patience or 99, mode="min", restore_best_weights=True)
    callback.set_model(types.SimpleNamespace(stop_training=False, get_weights=list, set_weights=lambda weights: None))
    callback.on_train_begin()
    for last, loss in enumerate(losses, start=1):
        callback.on_epoch_end(last - 1, {"val_loss": loss})
        if callback.model.stop_training:
            break
    ours = training.EarlyStopping(patience)
    best = 0
    for epoch, loss in enumerate(losses, start=1):
        best = epoch if ours.improved(loss) else best
        if ours.is_over:
            break
    assert (epoch, best) == (last, callback.best_epoch + 1)


@pytest.mark.parametrize(
    ("losses", "diverged", "steps"), [([2.0, 3.0, math.nan], 2 * STEPS + 4, 54), ([2.0, math.nan], -1, 50)]
)
def test_a_diverged_run_keeps_what_it_found_before(losses, diverged, steps, stubbed):
    """Divergence within epoch 3, or of the validation loss after epoch 2 alone, ends it: epoch 1 stays the best."""
    result = stubbed(Stub(losses, diverged), epochs=9, patience=2)
    assert (result["status"], result["diverged_step"], result["epochs"]) == ("diverged", steps, len(losses))
    assert (result["best"]["epoch"], result["best"]["validation_loss"]) == (1, 2.0)


def test_a_run_ends_at_its_time_limit(stubbed, monkeypatch):
    """Between two epochs, and the message says how far it came."""
    clock = itertools.count(0.0, 10.0)  # seconds; every look at it takes ten
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    with pytest.raises(training.TimeLimit, match=r"more than 45 s; it had finished 2 epochs"):
        stubbed(Stub(), seconds=45.0)


# When it is measured


@pytest.mark.parametrize("steps", [1, 25, 480, 60_000])
def test_no_logged_step_is_lost(steps):
    """However many updates an epoch has, its logged steps fit into the table they are written to."""
    most = max(logged_steps(epoch, steps).sum() for epoch in (1, 2, 11))
    assert most <= MOST_LOGGED
