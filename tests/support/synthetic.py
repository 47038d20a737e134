"""Run the real command line, session, cluster and report with a fake engine, in seconds and without TensorFlow.

`python tests/support/synthetic.py run ...` is the `study` command, with the registry and the training below in place of
the real ones, in every process that it starts. `install` does the same inside a test. The environment variable VARIABLE
holds the result of `told`, which says what the fake runs do besides returning numbers drawn from their settings.
"""

import contextlib
import ctypes
import hashlib
import importlib
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fake_records import result
from mnist_files import npz, tiny
from repository import ROOT

from study.plan import DepthScaleGrid

VARIABLE = "STUDY_SYNTHETIC"
Said = Callable[..., tuple[int, str, str]]  # runs a command in this process; returns exit code, stdout and stderr


@dataclass(frozen=True)
class Activation:
    """Stand in for study.activations.Activation, with a function of numpy arrays."""

    function: Callable[[np.ndarray], np.ndarray]
    label: str
    formula: str = "z"
    source: str = "made up"
    studied: bool = True


class ActivationError(ValueError):
    """Stand in for study.activations.ActivationError."""


class TimeLimit(Exception):
    """Stand in for study.engine.training.TimeLimit."""


REGISTRY = {
    "relu": Activation(lambda z: np.maximum(z, 0), "ReLU"),
    "sigmoid": Activation(lambda z: 1 / (1 + np.exp(-z)), "Sigmoid"),
    "gelu": Activation(lambda z: z * np.vectorize(math.erfc)(-z / math.sqrt(2)) / 2, "GELU"),
    "swish": Activation(lambda z: z / (1 + np.exp(-z)), "Swish"),
    "tanh": Activation(np.tanh, "Tanh", studied=False),
    "gelu_tanh": Activation(lambda z: z * (1 + np.tanh(0.8 * (z + 0.0447 * z**3))) / 2, "GELU (tanh)", studied=False),
    "elu": Activation(lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), "ELU", studied=False),
}


def check(activation: Activation) -> None:
    """Raise ActivationError if a value is not finite, in place of study.fitness.check."""
    values = activation.function(np.linspace(-100, 100, 5))
    if not np.isfinite(values).all():
        raise ActivationError("has a value that is not finite")


def from_tensorflow(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Accept every function, in place of the check of study.theory.nonlinearity."""


def fingerprint(activation: Activation) -> str:
    """Return a hash of the activation's values, in place of study.activations.fingerprint."""
    return hashlib.sha256(activation.function(np.linspace(-5, 5, 11)).tobytes()).hexdigest()


def curve(activation: Activation) -> dict[str, list[float]]:
    """Return points x of the activation with value and derivative, in place of study.activations.curve."""
    x = np.linspace(-5, 5, 21)
    value = activation.function(x)
    return {"x": x.tolist(), "value": value.tolist(), "derivative": np.gradient(value, x).tolist()}


def theory(name: str, *images: object) -> dict:
    """Return theory in the form of study.records.catalogue: no critical point or line, and one predicted number."""
    row = {"activation": name, "init": "glorot_uniform", "sigma_w": 1.0, "sigma_b": 0.0, "depth": 1, "width": 100}
    row |= {"layer": 1, "quantity": "preactivation_square", "predicted": 1.0, "predicted_spread": 1.0}
    rows = {key: [value] for key, value in row.items()}
    return {"critical": None, "why_none": "made up", "line": {"sigma_w": [], "sigma_b": []}, "rows": rows}


def depth_scales(name: str, grid: DepthScaleGrid) -> list[float]:
    """Return a made-up depth scale, in layers, for each sigma_w of the grid."""
    return [4.0 + place for place, _ in enumerate(grid.sigma_w)]


def told(log: Path | None = None, pace: float = 0.0, how: Mapping[str, str] | None = None) -> str:
    """Return a value for VARIABLE: fake runs append a line to `log` when they start, and take `pace` seconds.

    `how` maps an activation ("relu") or one run ("relu 3", with the seed modulo 1000) to how its training ends:

    - "kill", "kill once" (at the first start), "segfault" or "hang";
    - "late" (TimeLimit) or "raise TEXT" (RuntimeError);
    - "kill the process in FILE", whose id the file FILE holds;
    - a `how` of `fake_records.result`.
    """
    return json.dumps({"log": None if log is None else str(log), "pace": pace, "how": dict(how or {})})


def started(log: Path) -> Counter[str]:
    """Return how often each run ("relu 3") was started, from the `log` that `told` named."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def train(settings, data, activation, *, seconds=math.inf, saved=None, keep=None):
    """Return a result in the form of study.engine.training.train, or fail as `told` says; log the start."""
    orders = json.loads(os.environ.get(VARIABLE) or told())
    name = f"{settings.activation} {settings.seed % 1000}"  # seeds that decide anything start at 2000
    how = orders["how"].get(name, orders["how"].get(settings.activation))
    if orders["log"]:
        with Path(orders["log"]).open("a") as file:
            file.write(name + "\n")
    first = orders["log"] and started(Path(orders["log"]))[name] == 1
    time.sleep(orders["pace"])
    if how == "kill" or (how == "kill once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "hang":
        time.sleep(3600)
    if how == "late":
        raise TimeLimit("the run took more than it was allowed")
    if how is not None and how.startswith("raise "):
        raise RuntimeError(how.removeprefix("raise "))
    if how is not None and how.startswith("kill the process in "):
        os.kill(int(Path(how.removeprefix("kill the process in ")).read_text()), signal.SIGKILL)
        time.sleep(3600)
    return result(settings, how)


def task(settings, fingerprint, data, seconds):
    """Return the result of `train`, called with the arguments that study.runner.execution gives to its tasks."""
    return train(settings, data, None, seconds=seconds)


def measure(names, repeats: int) -> dict:
    """Return made-up timings and memory in the form of study.cost.stopwatch.measure, and log a line "timing"."""
    log = json.loads(os.environ.get(VARIABLE) or told())["log"]
    if log:
        with Path(log).open("a") as file:
            file.write("timing\n")
    kinds = [("forward", 100, 1e-9), ("forward_backward", 100, 1e-9), ("step", None, 1e-3)]
    columns = ("activation", "quantity", "elements", "repeat", "seconds")
    timings = [
        dict(zip(columns, (name, kind, size, repeat, unit * (1 + place + repeat)), strict=True))
        for repeat in range(repeats)
        for kind, size, unit in kinds
        for place, name in enumerate(names)
    ]
    memory = [{"activation": name, "output_bytes": 4.0, "other_bytes": 0.0} for name in names]
    about = {"updates": 3, "repeats": repeats, "updates_an_epoch": 3}
    return {"timings": timings, "memory": memory, "about": about, "seconds": dict.fromkeys(names, float(repeats))}


def write_data(path: Path) -> Path:
    """Write noise in MNIST's .npz format, 12 training and 6 test images, to `path`, and return `path`."""
    path.write_bytes(npz(tiny(0, 12, 6)))
    return path


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with `variables`, in which `study` and this module can be imported."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "", **variables}


def command(*arguments: object) -> list[str]:
    """Return the `study` command with the fake engine and these arguments, as a list for subprocess."""
    return [sys.executable, str(ROOT / "tests" / "support" / "synthetic.py"), *map(str, arguments)]


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Restore the handlers of SIGTERM and SIGINT, which the command sets and child processes inherit."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Patch:
    """Set attributes and items as pytest's monkeypatch does, for good; importing pytest would take a second."""

    def setattr(self, owner, name, value, raising=True) -> None:
        setattr(owner, name, value)

    def setitem(self, mapping, key, value) -> None:
        mapping[key] = value


def install(monkeypatch) -> None:
    """Replace the engine of this process by the fake one, until the test of `monkeypatch` ends.

    The experiment `baseline` then asks only for the activations that it compares.
    """
    from study import constants
    from study.engine import environment
    from study.records import catalogue
    from study.runner import estimate, measurements, workers

    here = sys.modules[__name__]
    replaced = (
        "study.activations", "study.fitness", "study.theory.nonlinearity", "study.engine.training",
        "study.cost.stopwatch",
    )  # fmt: skip
    for package, name in (module.rsplit(".", 1) for module in replaced):
        monkeypatch.setitem(sys.modules, f"{package}.{name}", here)
        monkeypatch.setattr(importlib.import_module(package), name, here, raising=False)
    monkeypatch.setattr(catalogue, "_theory", theory)
    monkeypatch.setattr(catalogue, "_depth_scales", depth_scales)
    monkeypatch.setattr(environment, "start_tensorflow", environment.prepare)
    monkeypatch.setattr(workers, "PRELOADED", "synthetic_preloaded")  # TensorFlow takes seconds to import
    monkeypatch.setattr(estimate, "_measured_pace", lambda workers, data: 1e-9)
    for name in ("evaluate_networks", "measure_preactivations"):  # fake runs leave no network
        monkeypatch.setattr(measurements, name, lambda *_: [])
    monkeypatch.setattr(measurements, "in_new_workers", lambda function, calls: [function(*call) for call in calls])
    if __name__ == "__main__":  # no experiment is imported yet
        monkeypatch.setattr(constants, "WITHOUT_ZEROS", "relu")
    elif __name__ != "__mp_main__":  # workers ask for nothing
        monkeypatch.setattr(importlib.import_module("experiments.baseline"), "WITHOUT_ZEROS", "relu")


if __name__ in ("__main__", "__mp_main__"):  # the second: in the processes of Dask's workers
    install(Patch())

if __name__ == "__main__":
    from study.cli import main

    sys.exit(main())
