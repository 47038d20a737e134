"""How far long work is and how long it will take: one line that is rewritten on a terminal, plain lines elsewhere."""

import os
import sys
import time
from typing import TextIO

PLAIN_EVERY = 15.0  # seconds between plain lines
USUAL_WIDTH = 80  # columns, of a terminal that does not say


def say(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    """Write to `stream`, standard error if None; that nobody reads it any more (`| head`) is no reason to stop."""
    stream = sys.stderr if stream is None else stream
    try:
        stream.write(text + end)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Progress:
    """Counts finished work in any unit of cost; the time left assumes that the rest goes as fast as the work so far."""

    def __init__(self, label: str, total_cost: float, total: int, stream: TextIO | None = None) -> None:
        self.label, self.total_cost, self.total = label, total_cost, total
        self.stream = sys.stderr if stream is None else stream
        self.cost, self.count = 0.0, 0
        self.started = self.shown = time.monotonic()
        self.is_terminal = self.stream.isatty()

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
            say("", self.stream)

    def _line(self, now: float, what: str) -> str:
        left = (now - self.started) * max(self.total_cost - self.cost, 0.0) / max(self.cost, 1e-9)
        remaining = "done" if self.count == self.total else f"about {duration(left)} left"
        return (
            f"{self.label}: {self.count}/{self.total} runs, {duration(now - self.started)} so far, {remaining} ({what})"
        )

    def _show(self, line: str) -> None:
        if self.is_terminal:
            width = (os.get_terminal_size(self.stream.fileno()).columns or USUAL_WIDTH) - 1
            say("\r" + line[:width].ljust(width), self.stream, end="")
        else:
            say(line, self.stream)


def duration(seconds: float) -> str:
    """Seconds for people: 48 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
