"""This study's engine. The only file of the benchmark that knows the engine's inside: an epoch is `_Run.epoch`."""

from typing import Any

import numpy as np

from study.dataset import Dataset
from tests.benchmarks.task import LOGGED, VALIDATION, Contender, timed


def contenders(data: Dataset) -> dict[str, Contender]:
    """All measures at the logged steps; none at all, by the same program; and all, with the validation of the epoch.

    `engine_run` is a run's epochs from the first on, each measured at the steps that a run measures there.
    """
    measured, bare, validated, as_run = _run(data, LOGGED), _run(data, ()), _run(data, LOGGED), _run(data, None)
    return {
        "engine": _epochs(measured),
        "engine_run": _epochs(as_run, is_new=True),
        "engine_bare": _epochs(bare),
        "engine_validation": _epochs(validated, validates=True),
    }


def train_once(data: Dataset, settings: dict[str, Any], anew: bool) -> dict[str, float]:
    """A whole run by the public `train`, its validation and test included: seconds without compiling, and compiling.

    `anew` compiles a program of its own, which runs of another depth would have shared.
    """
    from study import program
    from study.activations import REGISTRY
    from study.settings import Settings
    from study.training import train

    if anew:
        program.compiled_program.cache_clear()
    wanted = Settings(activation="relu", **settings)
    timings = train(wanted, data, REGISTRY["relu"])["timings"]
    compiling = timings["compile_seconds"]
    return {"seconds": timings["seconds"] - compiling, "compile_seconds": compiling}


def _run(data: Dataset, logged: tuple[int, ...] | None) -> Any:
    from study import training
    from study.activations import REGISTRY
    from study.images import images_of
    from study.settings import Settings

    class Run(training._Run):  # the article's run; measures every epoch at these steps, or as any run does
        def _logged(self, epoch: int) -> np.ndarray:
            return super()._logged(epoch) if logged is None else np.isin(np.arange(self.steps + 1), logged)

    images = images_of(data)
    chosen, held_out = training.split(images.training, VALIDATION, 0)
    return Run(Settings(activation="relu", seed=0), REGISTRY["relu"], images, chosen, held_out), held_out


def _epochs(run_and_images: Any, validates: bool = False, is_new: bool = False) -> Contender:
    """Its next epochs at each call, or, `is_new`, its first ones each time (with the weights that are there)."""
    run, held_out = run_and_images
    state = {"epoch": 0}

    def epoch() -> None:
        state["epoch"] += 1
        run.epoch(state["epoch"])
        if validates:
            run.evaluate(run.state, held_out)

    train = timed(epoch)

    def train_anew(epochs: int) -> float:
        state["epoch"] = 0
        return train(epochs)

    return train_anew if is_new else train
