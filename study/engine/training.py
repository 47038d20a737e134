"""Train and measure one run: settings + data + activation -> a dict. No files, no printing, no plots.

Compiled programs do the work, one call an epoch (epoch.py). Everything random is drawn from the run's seed, one stream
per role. Two activations with the same seed therefore see the same split, the same batches in the same order and, layer
by layer, the same random draws.
"""

import math
import time
from typing import Any

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine.network import Scores, State
from study.engine.noise import evaluate_with_noise
from study.engine.run import Run
from study.settings import Settings

HISTORY = ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy")


class TimeLimit(Exception):
    """Say that a run took longer than allowed: the limit, and how many epochs it did."""


def train(settings: Settings, data: Dataset, activation: Activation, *, seconds: float = math.inf) -> dict[str, Any]:
    """Train and measure one run; raise TimeLimit between two epochs once `seconds` have passed.

    Return a dict ready for JSON:

    - `status` ("done" or "diverged"), `diverged_step`, `epochs`, `steps`;
    - `history`: lists with one entry per epoch;
    - `last`, `best`: losses, accuracies (in [0, 1]) and mean absolute errors of the last weights, and of those with
      the lowest validation loss;
    - `noise`: see `evaluate_with_noise`; only if the settings ask for it and the run is done;
    - `measures`: for each measure, a list over logged steps of lists over layers 1 .. L + 1; NaN where undefined;
    - `timings` in seconds.
    """
    started = time.perf_counter()
    run = Run(settings, data, activation)
    if settings.epochs == 0:
        compile_seconds = run.measure_initial()
        found = _result(run, None, 0, {name: [] for name in HISTORY}, {}, {})
    else:
        compile_seconds = run.warm_up()
        found = _trained(run, started, seconds)
    return found | {"timings": {"seconds": time.perf_counter() - started, "compile_seconds": compile_seconds}}


def _trained(run: Run, started: float, seconds: float) -> dict[str, Any]:
    """Train the run until it diverges, stops early or has done its epochs; return its result without timings."""
    stopping = EarlyStopping(run.settings.patience)
    history: dict[str, list[Any]] = {name: [] for name in HISTORY}
    best_epoch, best_state, best_scores, diverged = 0, run.state, None, None
    for epoch in range(1, run.settings.epochs + 1):
        if time.perf_counter() - started > seconds:
            raise TimeLimit(f"the run took more than {seconds:g} s; it had finished {epoch - 1} epochs")
        loss, accuracy, diverged = run.epoch(epoch)
        scores = run.evaluate(run.state, run.validation)
        for name, value in zip(HISTORY, (epoch, loss, accuracy, scores.loss, scores.accuracy), strict=True):
            history[name].append(value)
        if diverged is None and not math.isfinite(scores.loss):
            diverged = epoch * run.steps  # the last update ruined the weights
        if diverged is not None:
            break
        if stopping.improved(scores.loss):
            best_epoch, best_state, best_scores = epoch, run.state, scores
        if stopping.is_over:
            break
    run.measure_end(epoch)
    last = _assessed(run, run.state, scores)
    # If no epoch was finite, the initial weights are the best.
    best_scores = best_scores or run.evaluate(best_state, run.validation)
    best = last if best_state is run.state else _assessed(run, best_state, best_scores)
    return _result(run, diverged, epoch, history, {"epoch": epoch, **last}, {"epoch": best_epoch, **best})


def _result(
    run: Run, diverged: int | None, epochs: int, history: dict[str, Any], last: dict[str, Any], best: dict[str, Any]
) -> dict[str, Any]:
    has_noise = run.settings.noise and epochs and diverged is None
    return {
        "status": "done" if diverged is None else "diverged",
        "diverged_step": diverged,
        "epochs": epochs,
        "steps": epochs * run.steps,
        "history": history,
        "last": last,
        "best": best,
        **({"noise": evaluate_with_noise(run)} if has_noise else {}),
        "measures": run.log.to_lists(),
    }


def _assessed(run: Run, state: State, on_validation: Scores) -> dict[str, float]:
    """Return the scores of `state` on the test images, beside those given as `on_validation`."""
    parts = {"validation": on_validation, "test": run.evaluate(state, run.images.test_indices)}
    return {f"{part}_{name}": value for part, scores in parts.items() for name, value in scores._asdict().items()}


class EarlyStopping:
    """Stop as Keras' EarlyStopping on the validation loss with min_delta 0, after `patience` epochs; None: never."""

    def __init__(self, patience: int | None) -> None:
        self.patience = math.inf if patience is None else patience
        self.best = math.inf
        self.waited = 0

    def improved(self, loss: float) -> bool:
        """Take the `loss` of one more epoch; tell whether it is the lowest so far."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        return self.waited == 0

    @property
    def is_over(self) -> bool:
        """Tell whether the loss has not improved for `patience` epochs."""
        return self.waited >= self.patience
