"""How far long work is and how long it will take: one line that is rewritten on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from typing import TextIO

PLAIN_EVERY = 15.0  # seconds between plain lines


class Progress:
    """Counts finished work in any unit of cost; the time left assumes that the rest goes as fast as the work so far."""

    def __init__(self, label: str, total_cost: float, total: int, stream: TextIO = sys.stderr) -> None:
        self.label, self.total_cost, self.total, self.stream = label, total_cost, total, stream
        self.cost, self.count = 0.0, 0
        self.started = self.shown = time.monotonic()
        self.is_terminal = stream.isatty()

    def advance(self, cost: float, what: str) -> None:
        """One more piece of work is finished; `what` names it."""
        self.cost += cost
        self.count += 1
        now = time.monotonic()
        if self.is_terminal or now - self.shown >= PLAIN_EVERY or self.count in (1, self.total):
            self.shown = now
            self._show(self._line(now, what))

    def finish(self) -> None:
        """End the line on a terminal."""
        if self.is_terminal:
            self._write("\n")

    def _line(self, now: float, what: str) -> str:
        left = (now - self.started) * max(self.total_cost - self.cost, 0.0) / max(self.cost, 1e-9)
        remaining = "done" if self.count == self.total else f"about {duration(left)} left"
        return (
            f"{self.label}: {self.count}/{self.total} runs, {duration(now - self.started)} so far, {remaining} ({what})"
        )

    def _show(self, line: str) -> None:
        if self.is_terminal:
            width = max(shutil.get_terminal_size().columns - 1, 20)
            self._write("\r" + line[:width].ljust(width))
        else:
            self._write(line + "\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def duration(seconds: float) -> str:
    """Seconds for people: 48 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
