"""Show the progress of long work and the time left: a bar on a terminal, plain lines elsewhere."""

import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich import progress

PLAIN_EVERY = 15.0  # seconds between plain lines
MEMORY_SECONDS = 3600.0  # of the speed that the time left on a terminal is computed from
NARROW = 60  # columns; a narrower terminal shows the count alone


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line to `stream`, standard error if None. A reader that has left (`| head`) stops nothing."""
    stream = sys.stderr if stream is None else stream
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Progress:
    """Count finished runs by their cost; the time left assumes that the rest goes as fast as the work so far."""

    def __init__(self, label: str, total_cost: float, total: int, stream: TextIO | None = None) -> None:
        self.label, self.total_cost, self.total = label, total_cost, total
        self.stream = sys.stderr if stream is None else stream
        self.cost, self.count = 0.0, 0
        self.started = self.shown = time.monotonic()
        is_terminal = self.stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self.bar = _bar(self.stream) if is_terminal else None
        if self.bar is not None:
            self.bar.add_task(label, total=total_cost, runs=f"0/{total} runs", last="")
            self.bar.start()

    def close(self) -> None:
        """Stop the bar where it is."""
        if self.bar is not None:
            self.bar.stop()

    def advance(self, cost: float, last: str) -> None:
        """Count one finished run of this cost; `last` says which run and how it ended."""
        self.cost += cost
        self.count += 1
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], advance=cost, runs=f"{self.count}/{self.total} runs", last=last)
        elif now - self.shown >= PLAIN_EVERY or self.count in (1, self.total):
            self.shown = now
            say(self._line(now - self.started, last), self.stream)

    def _line(self, seconds: float, last: str) -> str:
        left = seconds * max(self.total_cost - self.cost, 0.0) / self.cost
        remaining = "done" if self.count == self.total else f"about {duration(left)} left"
        return f"{self.label}: {self.count}/{self.total} runs, {duration(seconds)} so far, {remaining} ({last})"


def _bar(stream: TextIO) -> "progress.Progress":
    """Return a bar that never takes more than one line; texts are shown as they are, without rich's markup."""
    from rich import progress  # on import it draws a random number, which the study must not
    from rich.console import Console

    console = Console(file=stream, force_terminal=True, force_jupyter=False)
    runs = progress.TextColumn("{task.description}: {task.fields[runs]}", markup=False)
    others = [
        progress.BarColumn(bar_width=20),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[last]}", markup=False),
    ]
    return progress.Progress(
        runs,
        *(others if console.width >= NARROW else []),
        console=console,
        redirect_stdout=False,
        refresh_per_second=1,
        speed_estimate_period=MEMORY_SECONDS,
    )


def duration(seconds: float) -> str:
    """Write a time in at most two units: 48 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
