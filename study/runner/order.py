"""Order runs so that each program that XLA compiles is compiled few times, and estimate what a run costs."""

import heapq
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest

from study.engine.program_kind import program_kind
from study.records.identity import Identity
from study.settings import Settings

MOST_PROGRAMS = 2  # in a batch of up to two workers: XLA never frees a program, and each holds about 50 MB.

# A unit of cost, or of work, is one multiplication for each of 48,000 training images. The costs were fitted to the
# seconds of 2,260 runs.
LAYER_COST = 16_000  # per hidden layer and epoch, besides matrix products: activation, measures and update
SLOWER_FACTOR = 1.4  # of the cost of a network with normalisation or dropout
RUN_OVERHEAD_COST = 2e4  # per run, of drawing weights and writing the record
PROGRAM_COST = 1.4e6  # of compiling a program
EXPECTED_EPOCHS = 22  # assumed for a run that may stop early


@dataclass(frozen=True)
class Job:
    """Hold a run to be done: its settings, its identity, and the label, formula and source of its activation."""

    settings: Settings
    identity: Identity
    activation: dict[str, str]


def run_cost(settings: Settings) -> float:
    """Return the estimated cost of a run with these `settings`, without compiling, in the unit defined above."""
    image_cost: float = sum(a * b for a, b in pairwise((784, *settings.widths, 10))) + LAYER_COST * settings.depth
    image_cost *= SLOWER_FACTOR if settings.normalization != "none" or settings.dropout else 1
    image_cost *= 2 if settings.precision == "float64" else 1
    epochs = settings.epochs if settings.patience is None else min(settings.epochs, EXPECTED_EPOCHS)
    images = (60_000 - settings.validation) / 48_000
    return image_cost * (epochs * images + 0.1 * len(settings.noise)) + RUN_OVERHEAD_COST


def cost_per_worker(runs: Iterable[Settings], workers: int) -> float:
    """Return the estimated cost of the distinct `runs`, and of compiling each program once, for the busiest worker.

    A worker that is free takes the most costly run or program left. No run is divided. 0 workers count as one.
    """
    distinct = set(runs)
    costs = [*map(run_cost, distinct), *[PROGRAM_COST] * len(set(map(program_of, distinct)))]
    taken = [0.0] * max(workers, 1)
    for cost in sorted(costs, reverse=True):
        heapq.heapreplace(taken, taken[0] + cost)
    return max(taken)


def batches(jobs: Sequence[Job], workers: int, most: int = MOST_PROGRAMS) -> list[list[Job]]:
    """Split `jobs` into batches of at most `most` programs, or of `workers` if that is more; each has new processes."""
    workers = max(workers, 1)
    programs, size = _by_program(jobs), max(most // workers, 1) * workers
    return [_take_turns(programs[start : start + size], workers) for start in range(0, len(programs), size)]


def alternate(jobs: Sequence[Job], count: int) -> list[Job]:
    """Return `jobs` in an order in which `count` programs take turns, so that each worker first compiles its own."""
    return _take_turns(_by_program(jobs), max(count, 1))


def _take_turns(programs: list[list[Job]], count: int) -> list[Job]:
    """Return the first jobs of the first `count` programs, then their second jobs, etc., then the next programs."""
    parts = (programs[start : start + count] for start in range(0, len(programs), count))
    turns = chain.from_iterable(zip_longest(*part) for part in parts)
    return [job for turn in turns for job in turn if job is not None]


def _by_program(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return a list of jobs for each compiled program that `jobs` need, in the order of each program's first job."""
    groups = defaultdict[Hashable, list[Job]](list)
    for job in jobs:
        groups[program_of(job.settings)].append(job)
    return list(groups.values())


def program_of(settings: Settings) -> Hashable:
    """Return what decides which compiled program a run needs: runs with equal values share a program."""
    return settings.activation, program_kind(settings), settings.validation, settings.epochs > 0
