"""List the contenders that are measured, their processes, and the networks whose growth in time is measured."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.parent import ROOT

STUDY = Path(sys.executable)
PEERS = ROOT / ".venv-bench" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
EPOCHS = 10  # of each contender in each repeat: a run; the article's protocol, which stops early, trains for some more


@dataclass(frozen=True)
class Entry:
    """Describe a contender: `module` is its file here, `call` its name there (its own name if empty).

    `every_core` runs one process with threads on all cores, `every_worker` one thread on each core; else one thread
    runs. `measures` says what is logged in every layer, and `validation` whether epochs end with a validation.
    """

    name: str
    module: str
    call: str = ""
    python: Path = STUDY
    every_core: bool = False
    every_worker: bool = False
    measures: str = "none"
    validation: bool = False


ENTRIES = (
    Entry("keras_fit", "keras_fit", every_core=True, validation=True),
    Entry("keras_fit_training", "keras_fit", every_core=True),
    Entry("keras_steps", "keras_fit", every_core=True),
    Entry("pytorch", "pytorch", python=PEERS),
    Entry("pytorch_norms", "pytorch", python=PEERS, measures="gradient norms"),
    Entry("pytorch_compiled", "pytorch", python=PEERS),
    Entry("jax", "jax_scan", python=PEERS),
    Entry("jax_norms", "jax_scan", python=PEERS, measures="gradient norms"),
    Entry("products", "products"),
    Entry("products_machine", "products", "products", every_worker=True),
    Entry("engine", "engine", measures="all"),
    Entry("engine_first", "engine", measures="all, in every epoch as in the first"),
    Entry("engine_bare", "engine"),
    Entry("engine_machine", "engine", "engine", every_worker=True, measures="all"),
    Entry("engine_validation", "engine", every_worker=True, measures="all", validation=True),
)

DEPTHS = (1, 3, 5, 10, 20, 50)  # hidden layers of 100 units
WIDTHS = (32, 64, 128, 256)  # units of each of three hidden layers
ACTIVATIONS = ("relu", "gelu", "sigmoid")  # whose programs are compiled, in every width, for their memory
SEEDS = (1, 2, 4, 8)  # runs one after the other in one worker
RUNS = 8  # runs shared among workers
GROWTH_REPEATS = 3


def worker_counts(cores: int) -> list[int]:
    """Return how many workers to measure: 1, 2, 4, ... and all `cores`."""
    powers = [2**k for k in range(cores.bit_length()) if 2**k < cores]
    return [*powers, cores]
