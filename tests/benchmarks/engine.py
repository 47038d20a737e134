"""Make the engine of the study a contender: an epoch is `Run.epoch`."""

from typing import Any

import numpy as np

from study.activations import REGISTRY
from study.engine import programs
from study.engine.run import Run
from study.engine.training import train
from study.settings import Settings
from tests.benchmarks.task import STEPS, Contender, Data, is_logged, timed


def contenders(data: Data) -> dict[str, Contender]:
    """Return four contenders by one program: they measure as a run, as its first epoch does (the most), or nothing.

    `engine_validation` measures as a run, and evaluates the validation images after each epoch.
    """
    return {
        "engine": _epochs(_run(data)),
        "engine_first": _epochs(_run(data, np.flatnonzero(is_logged(1)))),
        "engine_bare": _epochs(_run(data, np.arange(0))),
        "engine_validation": _epochs(_run(data), validates=True),
    }


def train_once(data: Data, settings: dict[str, Any], anew: bool) -> dict[str, float]:
    """Return the seconds of a run with these `settings` apart from its compile_seconds; `anew` forces it to compile."""
    if anew:
        programs.compiled_programs.cache_clear()
    wanted = Settings(activation="relu", **settings)
    timings = train(wanted, data, REGISTRY["relu"])["timings"]
    compiling = timings["compile_seconds"]
    return {"seconds": timings["seconds"] - compiling, "compile_seconds": compiling}


def _run(data: Data, logged: np.ndarray | None = None) -> Run:
    class Logging(Run):  # the article's run; measures every epoch at these steps, or as any run does
        def logged(self, epoch: int) -> np.ndarray:
            return super().logged(epoch) if logged is None else np.isin(np.arange(STEPS + 1), logged)

    run = Logging(Settings(activation="relu", seed=0), data, REGISTRY["relu"])
    run.warm_up()
    return run


def _epochs(run: Run, validates: bool = False) -> Contender:
    """Make a contender that trains epochs of `run`; if `validates`, it evaluates the validation images after each."""

    def epoch(number: int) -> None:
        run.epoch(number)
        if validates:
            run.evaluate(run.state, run.validation)

    return timed(epoch)
