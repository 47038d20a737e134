"""Order runs so that each compiled program is compiled few times, and estimate what a run costs.

A program is what XLA compiles to train or measure a network; runs of the same kind share it.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest

from study.engine.program_kind import program_kind
from study.records.identity import Identity
from study.settings import Settings

PROGRAMS = 2  # compiled by one worker process: XLA never frees a program, and each holds about 50 MB

# Costs, in units of one multiplication for each of 48,000 training images. Fitted to the seconds of 2,260 runs.
LAYER = 16_000  # per layer and epoch, besides matrix products: activation, measures and update
SLOWER = 1.4  # factor with normalisation or dropout
OVERHEAD = 2e4  # per run: drawing weights, writing the record
PROGRAM = 1.4e6  # per program: compiling it
EXPECTED_EPOCHS = 22  # assumed for a run that may stop early


@dataclass(frozen=True)
class Job:
    """Hold a run to be done: its settings, its identity, and the label, formula and source of its activation."""

    settings: Settings
    identity: Identity
    activation: dict[str, str]


def run_cost(settings: Settings) -> float:
    """Return the estimated cost of a run, without compiling.

    The unit is one multiplication for each of 48,000 training images. A run that may stop early is assumed to take
    EXPECTED_EPOCHS at most.
    """
    of_image: float = sum(a * b for a, b in pairwise((784, *settings.widths, 10))) + LAYER * settings.depth
    of_image *= SLOWER if settings.normalization != "none" or settings.dropout else 1
    of_image *= 2 if settings.precision == "float64" else 1
    epochs = settings.epochs if settings.patience is None else min(settings.epochs, EXPECTED_EPOCHS)
    images = (60_000 - settings.validation) / 48_000
    return of_image * (epochs * images + 0.1 * len(settings.noise)) + OVERHEAD


def total_cost(runs: Iterable[Settings]) -> float:
    """Return the estimated cost of `runs` in the unit of `run_cost`, with compiling each program that they need once.

    A run that is given twice counts once.
    """
    distinct = set(runs)
    return sum(map(run_cost, distinct)) + PROGRAM * len(set(map(program_of, distinct)))


def batches(jobs: Sequence[Job], workers: int, most: int = PROGRAMS) -> list[list[Job]]:
    """Split the jobs into batches of at most `most` programs, or of one program per worker if that is more.

    Each batch is done by new processes, so that no process compiles more programs than its batch has. Within a batch,
    as many programs as there are workers take turns.
    """
    workers = max(workers, 1)
    programs, size = _by_program(jobs), max(most // workers, 1) * workers
    return [_take_turns(programs[start : start + size], workers) for start in range(0, len(programs), size)]


def alternate(jobs: Sequence[Job], count: int) -> list[Job]:
    """Return the jobs ordered so that `count` programs take turns; the next programs follow when these are done.

    Each of `count` workers then compiles a different program first, and finds the others compiled.
    """
    return _take_turns(_by_program(jobs), max(count, 1))


def _take_turns(programs: list[list[Job]], count: int) -> list[Job]:
    # Of each `count` programs: the first job of every program, then the second of every one, and so on.
    parts = (programs[start : start + count] for start in range(0, len(programs), count))
    turns = chain.from_iterable(zip_longest(*part) for part in parts)
    return [job for turn in turns for job in turn if job is not None]


def _by_program(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return lists of the jobs that share a compiled program; untrained networks have programs of their own."""
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        groups.setdefault(program_of(job.settings), []).append(job)
    return list(groups.values())


def program_of(settings: Settings) -> Hashable:
    """Return what decides which compiled program a run needs: runs with equal values share a program."""
    return settings.activation, program_kind(settings), settings.validation, settings.epochs > 0
