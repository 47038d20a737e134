"""In what order runs are done, in which processes, and what they cost: so that few programs are compiled, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

from study.records import Identity
from study.settings import Settings

PROGRAMS = 12  # compiled in the life of a worker process: XLA never frees one, and each holds about 30 MB
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


def interleaved(jobs: Sequence[Job], lanes: int) -> list[Job]:
    """The jobs with those of one compiled program close together, `lanes` programs in turn.

    Each of the workers then starts with a program of its own, and finds the others' compiled.
    """
    groups: dict[Any, list[Job]] = {}
    for job in jobs:
        groups.setdefault(_program(job.settings), []).append(job)
    lists = list(groups.values())
    batches = (lists[start : start + max(lanes, 1)] for start in range(0, len(lists), max(lanes, 1)))
    return [job for batch in batches for turn in zip_longest(*batch) for job in turn if job is not None]


def _program(s: Settings) -> Any:
    """What runs that share a compiled program have in common; those that do not train have one of their own."""
    return (s.activation, s.program, s.validation, s.epochs > 0)


def in_lives(jobs: Sequence[Job], most: int = PROGRAMS) -> list[list[Job]]:
    """The jobs in order, cut where a part would have more than `most` programs: each has processes of its own."""
    parts: list[list[Job]] = [[]]
    seen: set[Any] = set()
    for job in jobs:
        seen |= {_program(job.settings)}
        if len(seen) > most:
            parts.append([])
            seen = {_program(job.settings)}
        parts[-1].append(job)
    return parts
