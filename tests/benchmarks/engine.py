"""This study's engine. The only file of the benchmark that knows the engine's inside: an epoch is `_Run.epoch`."""

from typing import Any

import numpy as np

from study.data.mnist import Dataset
from tests.benchmarks.task import STEPS, VALIDATION, Contender, is_logged, timed


def contenders(data: Dataset) -> dict[str, Contender]:
    """All measures at the steps that a run measures; all, in every epoch at the steps of a run's first, which has the
    most; none at all, by the same program; and as a run measures, with the validation of the epoch.
    """
    return {
        "engine": _epochs(_run(data)),
        "engine_first": _epochs(_run(data, np.flatnonzero(is_logged(1)))),
        "engine_bare": _epochs(_run(data, np.arange(0))),
        "engine_validation": _epochs(_run(data), validates=True),
    }


def train_once(data: Dataset, settings: dict[str, Any], anew: bool) -> dict[str, float]:
    """A whole run by the public `train`, its validation and test included: seconds without compiling, and compiling.

    `anew` compiles a program of its own, which runs of another depth would have shared.
    """
    from study.activations import REGISTRY
    from study.engine import program
    from study.engine.training import train
    from study.settings import Settings

    if anew:
        program.compiled_program.cache_clear()
    wanted = Settings(activation="relu", **settings)
    timings = train(wanted, data, REGISTRY["relu"])["timings"]
    compiling = timings["compile_seconds"]
    return {"seconds": timings["seconds"] - compiling, "compile_seconds": compiling}


def _run(data: Dataset, logged: np.ndarray | None = None) -> Any:
    from study.activations import REGISTRY
    from study.engine import training
    from study.settings import Settings

    class Run(training._Run):  # the article's run; measures every epoch at these steps, or as any run does
        def _logged(self, epoch: int) -> np.ndarray:
            return super()._logged(epoch) if logged is None else np.isin(np.arange(STEPS + 1), logged)

    settings = Settings(activation="relu", seed=0)
    images = training.images_for(settings, data)
    chosen, held_out = training.split(images.training, VALIDATION, settings.seed)
    run = Run(settings, REGISTRY["relu"], images, chosen, held_out)
    run.warm_up()
    return run, held_out


def _epochs(run_and_images: Any, validates: bool = False) -> Contender:
    """A run's epochs, with the weights that are there."""
    run, held_out = run_and_images

    def epoch(number: int) -> None:
        run.epoch(number)
        if validates:
            run.evaluate(run.state, held_out)

    return timed(epoch)
