"""Train and measure one run: settings + data + activation -> a dict. No files, no printing, no plots.

Compiled programs do the work, one call per epoch (epoch.py). Everything random is drawn from the run's seed, one stream
per role. Two activations with the same seed therefore see the same split, the same batches in the same order and, layer
by layer, the same random draws.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine.checkpoint import Checkpoint, Snapshot
from study.engine.noise import evaluate_with_noise
from study.engine.run import Run
from study.settings import Settings

# The training loss and accuracy are means over the batches of an epoch, each computed before its update.
HISTORY = ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy")


class TimeLimit(Exception):
    """Report that a run took longer than allowed; the message tells the limit and how many epochs were finished."""


def train(
    settings: Settings,
    data: Dataset,
    activation: Activation,
    *,
    seconds: float = math.inf,
    saved: bytes | None = None,
    keep: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> dict[str, Any]:
    """Train and measure one run of `settings` with `activation`, and return its results as a dict ready for JSON.

    `keep` gets the Checkpoint after each epoch without divergence. The run changes that object later, so `keep` must
    store its `to_bytes()` at once. With these bytes as `saved`, the run goes on from there. Raise TimeLimit before an
    epoch once `seconds` have passed, CheckpointError if `saved` cannot be read, and ValueError if `data` has too few
    images. The dict has these entries:

    `status`: "done", or "diverged" if a loss was not finite.
    `diverged_step`: the first step with such a loss, the number of updates done if it was a validation loss, or None.
    `epochs`, `steps`: the numbers of epochs and of updates done.
    `history`: for each name of HISTORY, a list with one entry per epoch.
    `last`, `best`: dicts for the last weights and for the weights with the lowest validation loss, empty after 0
      epochs. They hold `epoch` and {validation, test}_{loss, accuracy, mae}. `mae` is the mean absolute error.
    `noise`: the result of `evaluate_with_noise`, only if the settings ask for it and a trained run is done.
    `measures`: the lists `step` and `epoch` of the logged steps, and a list over these steps for each measure. Its
      entries are lists over the layers 1 to L + 1, NaN where undefined.
    `timings`: in seconds, `seconds` for the whole run and `compile_seconds` for compiling.
    """
    started = time.perf_counter()
    run = Run(settings, data, activation)
    if settings.epochs == 0:
        compile_seconds = run.measure_initial()
        found = _result(run, None, 0, {name: [] for name in HISTORY}, {}, {})
    else:
        compile_seconds = run.warm_up()
        found = _trained(run, started, seconds, saved, keep)
    return found | {"timings": {"seconds": time.perf_counter() - started, "compile_seconds": compile_seconds}}


def _trained(
    run: Run, started: float, seconds: float, saved: bytes | None, keep: Callable[[Checkpoint], None]
) -> dict[str, Any]:
    """Train the run until it diverges, stops early or has done its epochs; return its results without `timings`.

    `started` is the time.perf_counter() from which `seconds` are counted. `train` explains the other arguments.
    """
    start = Snapshot(0, run.state)
    now = Checkpoint(start, start, run.log, {name: [] for name in HISTORY})
    stopping, diverged = EarlyStopping(run.settings.patience), None
    if saved is not None:
        now = Checkpoint.from_bytes(saved, run.state)
        run.state, run.log = now.last.state, now.log
        for earlier in now.history["validation_loss"]:
            stopping.improved(earlier)
    for epoch in range(now.last.epoch + 1, run.settings.epochs + 1):
        if stopping.is_over or diverged is not None:
            break
        if time.perf_counter() - started > seconds:
            raise TimeLimit(f"the run took more than {seconds:g} s; it had finished {epoch - 1} epochs")
        loss, accuracy, diverged = run.epoch(epoch)
        scores = run.evaluate(run.state, run.validation)
        now.last = Snapshot(epoch, run.state, scores)
        for name, value in zip(HISTORY, (epoch, loss, accuracy, scores.loss, scores.accuracy), strict=True):
            now.history[name].append(value)
        if diverged is None and not math.isfinite(scores.loss):
            diverged = epoch * run.steps  # the last update ruined the weights
        if diverged is None:
            now.best = now.last if stopping.improved(scores.loss) else now.best
            keep(now)
    run.measure_end(now.last.epoch)
    last = _assessed(run, now.last)
    best = last if now.best is now.last else _assessed(run, now.best)
    return _result(run, diverged, now.last.epoch, now.history, last, best)


def _result(
    run: Run, diverged: int | None, epochs: int, history: dict[str, Any], last: dict[str, Any], best: dict[str, Any]
) -> dict[str, Any]:
    """Return the dict that `train` returns, without `timings`; `diverged` is its entry `diverged_step`."""
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


def _assessed(run: Run, snapshot: Snapshot) -> dict[str, float]:
    """Return the epoch of `snapshot` and its mean scores on validation and test images, like `last` of `train`."""
    epoch, state, scores = snapshot
    scores = scores or run.evaluate(state, run.validation)  # if no epoch was finite, the initial weights are the best
    parts = {"validation": scores, "test": run.evaluate(state, run.images.test_indices)}
    found = {f"{part}_{name}": value for part, scores in parts.items() for name, value in scores._asdict().items()}
    return {"epoch": epoch, **found}


class EarlyStopping:
    """Decide when to stop, as Keras' EarlyStopping on the validation loss with min_delta 0; without patience, never."""

    def __init__(self, patience: int | None) -> None:
        self.patience = math.inf if patience is None else patience
        self.best = math.inf
        self.waited = 0

    def improved(self, loss: float) -> bool:
        """Register the validation `loss` of one more epoch; tell whether it is the lowest so far."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        return self.waited == 0

    @property
    def is_over(self) -> bool:
        """Tell whether the last `patience` epochs all failed to lower the loss."""
        return self.waited >= self.patience
