"""Let the contenders train in turn, A B C, B C A, C A B, so that the load of the machine meets all alike.

A turn is one epoch, because the machine's speed changes by a third within minutes, and differences of 5% matter.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import ENTRIES, EPOCHS, Entry
from tests.benchmarks.parent import Child, Unavailable, ask_all
from tests.benchmarks.task import TRAINING

Row = dict[str, Any]
Turn = tuple[Entry, range]  # who trains, and which epochs of a run, counted from 1


class Contest:
    """Hold the child processes, the `entries` that train, and the contenders that are `missing`, with the reason."""

    def __init__(self, cores: list[int], mnist: Path, say: Callable[[str], None]) -> None:
        self.cores, self.mnist, self.say = cores, mnist, say
        self.children: dict[str, list[Child]] = {}
        self.entries: list[Entry] = []
        self.missing: list[Row] = []

    def start(self) -> None:
        """Start every framework and let every contender compile and warm up; those that cannot are `missing`."""
        refused: dict[str, str] = {}
        for entry in ENTRIES:
            try:
                if entry.module in refused:
                    raise Unavailable(refused[entry.module])
                if entry.module not in self.children:
                    self.children[entry.module] = self._started(entry)
                for _ in range(2):
                    self._answers(entry, range(1, 2))
            except Unavailable as error:
                if entry.module not in self.children:
                    refused[entry.module] = str(error)
                self.missing.append({"contender": entry.name, "reason": str(error)})
                self.say(f"{entry.name}: not measured, {error}")
            else:
                self.entries.append(entry)

    def repeat(self, number: int) -> list[Row]:
        """Let each contender train EPOCHS epochs; return its row, as study/analysis/benchmark.py describes `rows`."""
        taken: dict[Entry, list[list[float]]] = {entry: [] for entry in self.entries}  # by turns and processes
        for entry, epochs in turns(self.entries, number):
            taken[entry].append([answer["seconds"] for answer in self._answers(entry, epochs)])
        # Workers do not wait for each other after an epoch, so the slowest is the one with the longest sum.
        slowest = {entry: max(map(sum, zip(*of_turns, strict=True))) for entry, of_turns in taken.items()}
        return [self._row(entry, number, seconds) for entry, seconds in slowest.items()]

    def close(self) -> None:
        """End all children."""
        for child in (child for children in self.children.values() for child in children):
            child.close()
        self.children = {}

    def _started(self, entry: Entry) -> list[Child]:
        if entry.every_core:
            return [Child(entry.python, entry.module, None, self.mnist)]
        on_each_core = any(other.every_worker for other in ENTRIES if other.module == entry.module)
        wanted = self.cores if on_each_core else self.cores[-1:]
        return [Child(entry.python, entry.module, core, self.mnist) for core in wanted]

    def _answers(self, entry: Entry, epochs: range) -> list[dict[str, Any]]:
        children = self._children(entry)
        request = {"contender": entry.call or entry.name, "epochs": [epochs[0], epochs[-1]]}
        return ask_all(children, [request] * len(children))

    def _children(self, entry: Entry) -> list[Child]:
        children = self.children[entry.module]
        return children if entry.every_worker else children[-1:]

    def _row(self, entry: Entry, number: int, seconds: float) -> Row:
        processes = len(self._children(entry))
        row = {
            "contender": entry.name,
            "threads": len(self.cores) if entry.every_core else 1,
            "processes": processes,
            "measures": entry.measures,
            "validation": entry.validation,
            "repeat": number,
            "epochs": EPOCHS,
            "images": EPOCHS * TRAINING * processes,
            "seconds": seconds,
        }
        self.say(f"repeat {number}: {entry.name} {row['images'] / seconds:,.0f} images/s")
        return row


def turns(entries: Sequence[Entry], number: int) -> list[Turn]:
    """Return the turns of repeat `number`: each entry trains EPOCHS epochs, another one first in every round.

    A turn is one epoch. But an entry of `model.fit` trains all epochs in one turn, halfway, because they are one call.
    """
    at_once = [entry for entry in entries if entry.every_core]
    others = [entry for entry in entries if not entry.every_core]
    found: list[Turn] = []
    for epoch in range(1, EPOCHS + 1):
        found += [(entry, range(epoch, epoch + 1)) for entry in _rotated(others, number + epoch)]
        if epoch == EPOCHS // 2:
            found += [(entry, range(1, EPOCHS + 1)) for entry in _rotated(at_once, number)]
    return found


def _rotated(entries: list[Entry], by: int) -> list[Entry]:
    first = by % max(len(entries), 1)
    return entries[first:] + entries[:first]
