"""The contenders in turn, round after round: A B C, B C A, C A B, so that whatever the machine does meets all alike."""

from collections.abc import Callable
from typing import Any

from tests.benchmarks.catalogue import ENTRIES, EPOCHS, Entry
from tests.benchmarks.parent import Child, Unavailable, ask_all
from tests.benchmarks.task import TRAINING

Row = dict[str, Any]


class Contest:
    """The child processes, and what became of each contender."""

    def __init__(self, cores: list[int], mnist: str | None, say: Callable[[str], None]) -> None:
        self.cores, self.mnist, self.say = cores, mnist, say
        self.children: dict[str, list[Child]] = {}
        self.entries: list[Entry] = []
        self.missing: list[Row] = []
        self.memory: list[Row] = []

    def start(self) -> None:
        """Start every framework and let every contender compile and warm up; those that cannot are `missing`."""
        refused: dict[str, str] = {}
        for entry in ENTRIES:
            try:
                if entry.module in refused:
                    raise Unavailable(refused[entry.module])
                if entry.module not in self.children:
                    self.children[entry.module] = self._started(entry)
            except Unavailable as error:
                refused[entry.module] = str(error)
                self._miss(entry, str(error))
            else:
                self._warm_up(entry)

    def repeat(self, number: int) -> list[Row]:
        """One row a contender: name, threads, processes, what it does besides, images and seconds."""
        turn = number % len(self.entries)
        return [self._measured(entry, number) for entry in self.entries[turn:] + self.entries[:turn]]

    def close(self) -> None:
        """End all children."""
        for child in (child for children in self.children.values() for child in children):
            child.close()
        self.children = {}

    def _started(self, entry: Entry) -> list[Child]:
        if entry.every_core:
            return [Child(entry.python, entry.module, None, self.mnist)]
        wanted = self.cores if entry.module == "engine" else self.cores[-1:]
        return [Child(entry.python, entry.module, core, self.mnist) for core in wanted]

    def _warm_up(self, entry: Entry) -> None:
        try:
            for _ in range(2):
                answers = self._answers(entry, epochs=1)
        except Unavailable as error:
            self._miss(entry, str(error))
            return
        memory = max(answers, key=lambda answer: answer["bytes"])
        self.memory.append({"contender": entry.name, **{name: memory[name] for name in ("bytes", "own_bytes")}})
        self.entries.append(entry)

    def _miss(self, entry: Entry, reason: str) -> None:
        self.missing.append({"contender": entry.name, "reason": reason})
        self.say(f"{entry.name}: not measured, {reason}")

    def _answers(self, entry: Entry, epochs: int) -> list[dict[str, Any]]:
        children = self.children[entry.module]
        used = children if entry.every_worker else children[-1:]
        return ask_all(used, [{"contender": entry.call or entry.name, "epochs": epochs}] * len(used))

    def _measured(self, entry: Entry, number: int) -> Row:
        answers = self._answers(entry, EPOCHS)
        row = {
            "contender": entry.name,
            "threads": len(self.cores) if entry.every_core else 1,
            "processes": len(answers),
            "measures": entry.measures,
            "validation": entry.validation,
            "repeat": number,
            "epochs": EPOCHS,
            "images": EPOCHS * TRAINING * len(answers),
            "seconds": max(answer["seconds"] for answer in answers),
        }
        self.say(f"repeat {number}: {entry.name} {row['images'] / row['seconds']:,.0f} images/s")
        return row
