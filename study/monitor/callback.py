"""Provide `GradientLogger`, a Keras callback that measures every layer of a model while `fit` trains it."""

import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from study.monitor import batches, diagnosis, theory
from study.monitor.measures import MEASURES
from study.monitor.probing import Probe, inner_optimizer, optimizers_of, refuse_unsupported, try_to_build
from study.monitor.watching import LayerChoice
from study.monitor.writing import CsvFile, Events

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("fit", "epoch", "step", "layer", "call", "kind", *MEASURES, "skipped", "is_skipped", "is_finite")
CLIPPING_SETTINGS = ("clipnorm", "clipvalue", "global_clipnorm")  # attributes of a Keras optimiser


class GradientLogger(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Measure the layers of a model on fixed data every `update_freq` updates: model.fit(..., callbacks=[logger]).

    The measures come from the model's own `train_step` on that data, with its dropout, losses and weights of examples,
    but without an update. Gradients are those before clipping, of the loss before mixed precision scales it. Training
    is the same to the bit as without the logger; README.md in this folder names the one exception, and the limits.

    - update_freq: the number of updates between two logged states. "batch" means 1, and "epoch" logs after each epoch.
      The first and the last state of a fit are always logged.
    - probe: the data to measure on, (x, y) or (x, y, sample_weight). A share in (0, 1] takes that share of the training
      data from the first batches of each fit. None takes the first batch.
    - layers: a list of names, a regular expression that is searched for in the names, or a function that tells whether
      to measure a layer. None: layers with kernels or biases, also frozen ones, and activation layers.
    - filename: a CSV file with the rows of `to_frame`, written as training goes on; a file of that name is overwritten.
    - log_dir: a folder for TensorBoard's events, one scalar for each measure of each layer.
    - verbose: 0 prints nothing, 1 notes and, after each fit, the findings, 2 also a line for each logged state.

    Raise ValueError for another `update_freq`, `probe` or `layers`, and for a `filename` that is a folder. `fit` raises
    RuntimeError for another backend or a distribution strategy. It raises ValueError for:

    - `layers` that chooses no layer, or names an unknown layer.
    - a probe that is empty, or is a share of data whose size is unknown.
    - a `train_step` that changes variables which Keras does not manage, or that is decorated with tf.function.
    """

    def __init__(
        self,
        update_freq: int | str = 100,
        *,
        probe: tuple[Any, ...] | float | None = None,
        layers: LayerChoice = None,
        filename: str | Path | None = None,
        log_dir: str | Path | None = None,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        _check_arguments(update_freq, probe, layers, filename)
        self.update_freq: float = {"batch": 1, "epoch": math.inf}.get(str(update_freq)) or int(update_freq)
        # Each fit may need the names anew, and an iterator gives them once.
        self.layers = layers if layers is None or isinstance(layers, str) or callable(layers) else list(layers)
        self.probe, self.verbose = probe, verbose
        self.filename, self.log_dir = filename, log_dir
        self._rows: list[dict[str, Any]] = []
        self._writers: list[CsvFile | Events] = []
        self._probe: Probe | None = None
        self._made_for: Any = None
        self._fit = self._epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse a model that cannot be measured, and log its initial state before the first update.

        Without arrays in `probe`, the state is logged when the first batches of training come. Raise RuntimeError or
        ValueError as the class says.
        """
        refuse_unsupported(self.model)
        self._fit, self._epoch = self._fit + 1, 0
        self._step, self._batches = -1, 0  # the last logged step of this fit (-1: none), and the batches since
        self._due = 0.0  # updates until the next logged step
        self._data: Any = None
        self._before: tuple[int, list[list[Any]]] | None = None  # the step before the last batch, and its kernels
        if not self._writers:
            self._open()
        inner = map(inner_optimizer, optimizers_of(self.model))
        if clips := {name for each in inner for name in CLIPPING_SETTINGS if getattr(each, name)}:
            self._say(f"the gradients are measured before the optimizer clips them ({', '.join(sorted(clips))})")
        if len(optimizers_of(self.model)) > 1:
            self._say("the gradients of every optimizer are taken at the weights before the whole step")
        if isinstance(self.probe, tuple):
            self._begin_logging(batches.as_batch(self.probe))
        else:
            number = batches.batch_count(self.probe, self.params.get("steps"))
            batches.take_first_batches(self.model, number, self._begin_logging)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keep the number of the epoch, counted from 0, because logged rows have it."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Copy the kernels, for `update_ratio`, if the state after `batch`, a number from 0, may be logged."""
        executed = self.model.steps_per_execution
        is_last = self.update_freq == math.inf or self._epoch + 1 == self.params.get("epochs")
        ends_epoch = is_last and batch + executed >= (self.params.get("steps") or math.inf)
        if self._probe is not None and self._step >= 0 and (self._due <= executed or ends_epoch):
            self._before = self._update_count(), self._probe.snapshot()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Log the state if it is due; read the optimiser's count only after enough batches, one update at most each."""
        self._batches += self.model.steps_per_execution
        self._due -= self.model.steps_per_execution
        if self._due <= 0 and self._data is not None:
            step = self._update_count()
            self._due = self._next_step(self._step) - step
            if self._due <= 0:
                self._log(step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the state after the epoch if `update_freq` is "epoch" and the epoch has made an update."""
        if self.update_freq == math.inf:
            self._log_if_new()

    def on_train_end(self, logs: Any = None) -> None:
        """Log the last state, unless it is logged already, and print the findings unless `verbose` is 0."""
        self._log_if_new()
        if self.verbose and self._rows:
            self._say(diagnosis.findings_text(self.diagnose(), self._rows_of_last_fit()))

    def to_frame(self) -> pd.DataFrame:
        """Return the measures of all fits: one row per logged step and call of a layer, in the order of the calls.

        `fit` and `call`, the layer's calls in a training step, count from 1, and `epoch` from 0. `step` counts the
        optimiser's updates. `kind` is the layer's class. README.md in this folder defines the measures; one that does
        not apply is NaN. Mixed precision left out `skipped` steps since the logged step before. `is_finite` tells that
        all gradients of the step are finite; if not, `is_skipped` tells whether mixed precision would leave it out.
        """
        return pd.DataFrame(self._rows, columns=list(COLUMNS))

    def theory(self) -> pd.DataFrame:
        """Return by what factor the error changes between layers: as mean-field theory predicts, and as measured.

        A row is a pair of layers of the last fit: `layer`, at its call number `call`, and `next`, the only layer that
        takes its output. `predicted` and `measured` are the error of `layer` divided by the error of `next` at step 0.
        Pairs to which theory does not apply have no row (see study/monitor/theory.py). Raise ValueError, with the
        reason, if it applies to no pair, if the last fit began at a later step, or if nothing is logged yet.
        """
        frame = self._rows_of_last_fit()
        assert self._probe is not None
        return theory.ratio_table(self._probe.calls, frame[frame["step"] == 0])

    def diagnose(self) -> pd.DataFrame:
        """Return the problems found in the last fit, one row per problem and call of a layer.

        The table is empty with fewer than three logged steps, not counting steps that mixed precision would skip. Raise
        ValueError if nothing is logged yet. README.md in this folder lists the findings; study/monitor/diagnosis.py
        explains the thresholds. The columns are:

        - layer, call: where the problem is; `call` is the number of the layer's call.
        - finding: the kind of problem, such as "vanishing". help: what to do, for most kinds by the study's results.
        - number: a median over the logged steps from `step` on, a ratio of medians, or infinity if gradients were not
          finite. threshold: the value that it passes, upward or downward. Both are 0 for a layer without a gradient.
        - theory: the value that mean-field theory predicts for `number` from the initial weights, or NaN.
        """
        frame = self._rows_of_last_fit()
        assert self._probe is not None
        predicted = theory.ratios_to_last(self._probe.calls, frame[frame["step"] == 0])
        is_sgd = all(isinstance(inner_optimizer(each), keras.optimizers.SGD) for each in self._probe.optimizers)
        return diagnosis.diagnose(frame, diagnosis.layer_facts(self._probe, predicted), is_sgd)

    def plot(self, kind: str = "layers") -> "Figure":
        """Draw the last fit and return the matplotlib figure, which a notebook shows inline.

        - "layers": norms of the weights' gradient, the error and the output by layer, at the first, a middle and the
          last logged step.
        - "training": norms of the gradients and the error over the steps, in the first, a middle and the last layer.
        - "heat": the error of every layer (rows) at every logged step (columns), as a colour.
        - "units": shares of dead units, saturated entries and exact zeros over the steps, in three layers.

        Raise ValueError for another `kind`, if nothing is logged yet, and if the figure has no finite value to show.
        "units" needs a layer with an elementwise activation.
        """
        from study.monitor import plotting

        return plotting.draw(kind, self._rows_of_last_fit(), self.model.name)

    def _begin_logging(self, data: Any) -> None:
        """Keep `data`, the batch to measure on; log the initial state if `try_to_build` says that layers are built."""
        self._data = data
        if try_to_build(self.model, data):
            self._log(self._update_count())
            self.on_train_batch_begin(0)  # again, because the batch has begun if `data` was taken from it

    def _log_if_new(self) -> None:
        """Log the model's state, unless it is logged already or there is no data to measure on."""
        step = self._update_count()
        if step != self._step and self._data is not None:
            self._log(step)

    def _log(self, step: int) -> None:
        """Measure the model's state after `step` updates, keep a row per call of a layer, and write the rows."""
        probe = self._current_probe()
        before = self._before[1] if self._before is not None and self._before[0] < step else None
        values, is_finite = probe.measure(self._data, before)
        is_scaled = any(isinstance(each, keras.optimizers.LossScaleOptimizer) for each in probe.optimizers)
        accumulated = max([inner_optimizer(each).gradient_accumulation_steps or 1 for each in probe.optimizers] or [1])
        skipped = self._batches - (step - self._step) * accumulated if is_scaled and self._step >= 0 else 0
        start = {"fit": self._fit, "epoch": self._epoch, "step": step}
        end = {"skipped": skipped, "is_skipped": is_scaled and not is_finite, "is_finite": is_finite}
        rows = []
        for call, numbers in zip(probe.calls, values, strict=True):
            layer = {"layer": call.watched.name, "call": call.number, "kind": type(call.watched.layer).__name__}
            rows.append({**start, **layer, **dict(zip(MEASURES, map(float, numbers), strict=True)), **end})
        self._rows += rows
        for writer in self._writers:
            writer.write(rows)
        self._step, self._batches, self._due, self._before = step, 0, self._next_step(step) - step, None
        if self.verbose > 1:
            gradients = values[:, MEASURES.index("weight_gradient")]
            known = gradients[~np.isnan(gradients)]
            span = f"{known.min():.2g} to {known.max():.2g}" if known.size else "absent"
            self._say(f"step {step}: norms of weight gradients {span}{', skipped' * end['is_skipped']}")

    def _current_probe(self) -> Probe:
        """Return the probe; make a new one after compiling, for data of another type or shape, or with a loss scale."""
        made_for = (
            inspect.unwrap(self.model.train_function),
            tf.nest.map_structure(lambda leaf: leaf is not None and tf.type_spec_from_value(leaf), self._data),
            [each.built for each in optimizers_of(self.model) if isinstance(each, keras.optimizers.LossScaleOptimizer)],
        )
        if self._probe is None or self._made_for != made_for:
            self._probe, self._made_for = Probe(self.model, self._data, self.layers), made_for
        return self._probe

    def _rows_of_last_fit(self) -> pd.DataFrame:
        """Return the rows of `to_frame` for the last fit; raise ValueError if nothing is logged yet."""
        frame = self.to_frame()
        if frame.empty:
            raise ValueError("nothing is logged yet; pass the logger to fit: model.fit(x, y, callbacks=[logger])")
        return frame[frame["fit"] == frame["fit"].max()]

    def _next_step(self, step: int) -> float:
        """Return the next step to log after `step`: a multiple of update_freq, or infinity if epochs are logged."""
        return math.inf if self.update_freq == math.inf else (step // self.update_freq + 1) * self.update_freq

    def _update_count(self) -> int:
        """Return the optimiser's count of updates: the largest count of several optimisers, and 0 without one."""
        return max((int(each.iterations) for each in optimizers_of(self.model)), default=0)

    def _open(self) -> None:
        """Open the CSV file and TensorBoard's event files that were asked for; note if TensorBoard is not installed."""
        files = [] if self.filename is None else [CsvFile(Path(self.filename), COLUMNS)]
        events = [] if self.log_dir is None else [Events(str(self.log_dir))]
        self._writers = [*files, *events]
        if events and importlib.util.find_spec("tensorboard") is None:
            self._say(f"to look at {self.log_dir}, install the package tensorboard (pip install tensorboard)")

    def _say(self, text: str) -> None:
        if self.verbose:
            sys.stdout.write(f"GradientLogger: {text}\n")
            sys.stdout.flush()


def _check_arguments(update_freq: Any, probe: Any, layers: Any, filename: Any) -> None:
    """Raise ValueError if an argument of `GradientLogger` has a value that is not allowed."""
    is_number = isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq > 0
    if not is_number and update_freq not in ("batch", "epoch"):
        raise ValueError(f"update_freq is {update_freq!r}; it must be a whole number above 0, 'batch' or 'epoch'")
    is_share = isinstance(probe, int | float) and 0 < probe <= 1
    if probe is not None and not is_share and not (isinstance(probe, tuple) and 1 <= len(probe) <= 3):
        raise ValueError("probe must be (x, y), (x, y, sample_weight), a share of the training data in (0, 1], or None")
    if isinstance(probe, tuple) and any(isinstance(leaf, bool | int | float) for leaf in keras.tree.flatten(probe)):
        raise ValueError("probe holds numbers; its parts must be arrays or tensors, such as numpy.asarray makes")
    if filename is not None and Path(filename).is_dir():
        raise ValueError(f"filename is {str(filename)!r}, a folder; it must be the path of a file")
    if layers is not None and not isinstance(layers, Iterable) and not callable(layers):
        raise ValueError(f"layers is {layers!r}; it must be names, a regular expression, a function or None")
    if isinstance(layers, str):
        try:
            re.compile(layers)
        except re.error as error:
            raise ValueError(f"layers is {layers!r}, which is not a regular expression: {error}") from None
