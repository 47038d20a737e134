"""Measure what distorting the training images costs: an epoch of `past_99` with all distortions, beside one without.

    python -m tests.benchmarks.augmentation [MNIST]

Both networks train in one process, and their epochs alternate. The first epoch of each, which compiles, is left out.
The fastest and the median epoch are printed, because other work on the machine can only slow an epoch down.
"""

import sys
import time
from statistics import median

from experiments.past_99 import BASE, CONFIGURATION, DISTORTION
from study.constants import REFERENCE_ACTIVATION
from study.data import mnist
from study.engine import environment
from study.settings import Settings

PAIRS = 7  # epochs with distortions, and as many without


def main(path: str | None = None) -> None:
    """Print the seconds of an epoch with distortions and without, and their ratio."""
    environment.start_tensorflow()
    from study.activations import REGISTRY
    from study.engine.run import Run

    distorted = {"activation": REFERENCE_ACTIVATION, "seed": 0, **BASE, **CONFIGURATION}
    plain = {name: value for name, value in distorted.items() if name not in DISTORTION}
    data = mnist.load(path)
    runs = [Run(Settings(**chosen), data, REGISTRY[REFERENCE_ACTIVATION]) for chosen in (distorted, plain)]
    seconds: list[list[float]] = [[], []]
    for epoch in range(1, PAIRS + 2):
        for run, times in zip(runs, seconds, strict=True):
            started = time.perf_counter()
            run.epoch(epoch)
            times.append(time.perf_counter() - started)
    for name, choose in (("fastest", min), ("median", median)):
        with_all, without = (choose(times[1:]) for times in seconds)
        print(f"{name}: {with_all:.2f} s with distortions, {without:.2f} s without, ratio {with_all / without:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
