"""Show the progress of long work and the time left: a bar on a terminal, plain lines elsewhere."""

import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich import progress

LINE_SECONDS = 15.0  # between plain lines, at least
SPEED_SECONDS = 3600.0  # a terminal shows the time left at the mean speed of the last hour
NARROW_COLUMNS = 60  # a terminal of fewer columns shows the count of runs alone


def say(text: str, stream: TextIO | None = None) -> None:
    """Write `text` as a line to `stream`, standard error if None.

    If it cannot be written (as after `| head`, or on a full disk), discard it and later output: work goes on.
    """
    stream = sys.stderr if stream is None else stream
    try:
        stream.write(text + "\n")
        stream.flush()
    except OSError:  # BrokenPipeError is one
        discard(stream)


def discard(stream: TextIO) -> None:
    """Discard all further output of `stream`, and the text that it has not written yet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Progress:
    """Show on standard error how many of `total` runs are finished, which run was the last, and the time left.

    `label` names the work. `total_cost` is the cost (order.py) of the runs and of later work that counts in the time
    left. A terminal shows a bar. Elsewhere a line is written after the first and the last run, and otherwise at most
    every LINE_SECONDS. The time left in a line assumes that the rest goes as fast as all work so far.
    """

    def __init__(self, label: str, total_cost: float, total: int) -> None:
        self.label, self.total_cost, self.total = label, total_cost, total
        self.cost, self.count = 0.0, 0
        self.started = self.shown = time.monotonic()
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self.bar = _bar() if is_terminal else None
        if self.bar is not None:
            self.bar.add_task(label, total=total_cost, runs=f"0/{total} runs", last="")
            self.bar.start()

    def close(self) -> None:
        """Stop the bar, if there is one, and leave it on the terminal as it is."""
        if self.bar is not None:
            self.bar.stop()

    def advance(self, cost: float, last: str) -> None:
        """Count one finished run of this `cost`, and show it; `last` says in words which run it is and how it ended."""
        self.cost += cost
        self.count += 1
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], advance=cost, runs=f"{self.count}/{self.total} runs", last=last)
        elif now - self.shown >= LINE_SECONDS or self.count in (1, self.total):
            self.shown = now
            say(self._plain_line(now - self.started, last))

    def _plain_line(self, seconds: float, last: str) -> str:
        left = seconds * max(self.total_cost - self.cost, 0.0) / self.cost
        is_done = self.count == self.total and round(left) == 0
        remaining = "done" if is_done else f"about {duration(left)} left"
        return f"{self.label}: {self.count}/{self.total} runs, {duration(seconds)} so far, {remaining} ({last})"


def _bar() -> "progress.Progress":
    """Return a bar of rich on standard error, not yet started, that takes one line and shows texts without markup."""
    from rich import progress  # on import it draws a random number, which the study must not
    from rich.console import Console

    console = Console(file=sys.stderr, force_terminal=True, force_jupyter=False)
    columns = [
        progress.TextColumn("{task.description}: {task.fields[runs]}", markup=False),
        progress.BarColumn(bar_width=20),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[last]}", markup=False),
    ]
    return progress.Progress(
        *(columns if console.width >= NARROW_COLUMNS else columns[:1]),
        console=console,
        redirect_stdout=False,
        refresh_per_second=1,
        speed_estimate_period=SPEED_SECONDS,
    )


def duration(seconds: float) -> str:
    """Return `seconds` as text in at most two units, such as "48 s", "3 min 20 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
