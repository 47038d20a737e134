"""Order runs so that each compiled program is compiled few times, and estimate what a run costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import Any

from study.engine.program_kind import program_kind
from study.records.identity import Identity
from study.settings import Settings

PROGRAMS = 2  # compiled by one worker process: XLA never frees a program, and each holds about 50 MB
EXPECTED_EPOCHS = 25  # of a run that stops early; used for the time left
OVERHEAD = 5e4  # of a run, in multiplications per example: drawing weights, writing the record


@dataclass(frozen=True)
class Job:
    """Hold a run to be done: its settings, its identity, and its record's description of the activation."""

    settings: Settings
    identity: Identity
    activation: dict[str, str]


def cost(settings: Settings) -> float:
    """Estimate the multiplications of a run's matrix products per example; used for the time left alone."""
    products = sum(a * b for a, b in pairwise((784, *settings.widths, 10)))
    epochs = settings.epochs if settings.patience is None else min(settings.epochs, EXPECTED_EPOCHS)
    return products * epochs + OVERHEAD


def batches(jobs: Sequence[Job], workers: int, most: int = PROGRAMS) -> list[list[Job]]:
    """Split the jobs into batches of at most `most` programs, or of one program per worker if that is more.

    Each batch is done by new processes, so that no process compiles more programs than its batch has.
    """
    workers = max(workers, 1)
    programs = _by_program(jobs)
    return [_take_turns(part, workers) for part in _split(programs, max(most // workers, 1) * workers)]


def alternate(jobs: Sequence[Job], count: int) -> list[Job]:
    """Order the jobs so that `count` programs take turns; the next programs follow when these are done.

    Each of `count` workers then compiles a different program first, and finds the others compiled.
    """
    return _take_turns(_by_program(jobs), max(count, 1))


def _take_turns(programs: Sequence[Sequence[Job]], count: int) -> list[Job]:
    turns = chain.from_iterable(zip_longest(*part) for part in _split(programs, count))
    return [job for turn in turns for job in turn if job is not None]


def _split(programs: Sequence[Sequence[Job]], size: int) -> list[Sequence[Sequence[Job]]]:
    return [programs[start : start + size] for start in range(0, len(programs), size)]


def _by_program(jobs: Sequence[Job]) -> list[list[Job]]:
    """Group the jobs by the compiled program they share; runs that are not trained have programs of their own."""
    groups: dict[Any, list[Job]] = {}
    for job in jobs:
        s = job.settings
        groups.setdefault((s.activation, program_kind(s), s.validation, s.epochs > 0), []).append(job)
    return list(groups.values())
