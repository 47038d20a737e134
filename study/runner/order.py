"""In what order runs are done, in which processes, and what they cost: so that few programs are compiled, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

from study.engine.kinds import program_kind
from study.records.store import Identity
from study.settings import Settings

PROGRAMS = 2  # compiled in the life of a worker process: XLA never frees one, and each holds about 50 MB
EXPECTED_EPOCHS = 25  # of a run that stops early, for the time left
OVERHEAD = 5e4  # of a run, in multiplications an example and epoch: drawing weights, writing the record


@dataclass(frozen=True)
class Job:
    """A run to be done: its settings, identity and what its record says of the activation."""

    settings: Settings
    identity: Identity
    activation: dict[str, str]


def cost(settings: Settings) -> float:
    """Multiplications of a run's matrix products, roughly; for the time left alone."""
    products = sum(a * b for a, b in pairwise((784, *settings.widths, 10)))
    epochs = settings.epochs if settings.patience is None else min(settings.epochs, EXPECTED_EPOCHS)
    return products * epochs + OVERHEAD


def lives(jobs: Sequence[Job], workers: int, most: int = PROGRAMS) -> list[list[Job]]:
    """The jobs in parts of `most` programs, or of one for each worker if that is more: each has processes of its own.

    A worker compiles as many programs as its part has, at most.
    """
    workers = max(workers, 1)
    programs = _by_program(jobs)
    size = max(most // workers, 1) * workers
    parts = (programs[start : start + size] for start in range(0, len(programs), size))
    return [_in_turn(part, workers) for part in parts]


def interleaved(jobs: Sequence[Job], lanes: int) -> list[Job]:
    """The jobs with those of one compiled program close together, `lanes` programs in turn.

    Each of the workers then starts with a program of its own, and finds the others' compiled.
    """
    return _in_turn(_by_program(jobs), max(lanes, 1))


def _in_turn(programs: Sequence[Sequence[Job]], lanes: int) -> list[Job]:
    batches = (programs[start : start + lanes] for start in range(0, len(programs), lanes))
    return [job for batch in batches for turn in zip_longest(*batch) for job in turn if job is not None]


def _by_program(jobs: Sequence[Job]) -> list[list[Job]]:
    """Those that share a compiled program; those that do not train have one of their own."""
    groups: dict[Any, list[Job]] = {}
    for job in jobs:
        s = job.settings
        groups.setdefault((s.activation, program_kind(s), s.validation, s.epochs > 0), []).append(job)
    return list(groups.values())
