"""Progress is one line on a terminal, a few plain lines elsewhere, and never a reason to stop."""

import fcntl
import io
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterable

import pytest
from synthetic import environment

from study.runner import progress
from study.runner.progress import Progress, duration

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SHOW = """
import contextlib
from study.runner.progress import Progress
with contextlib.closing(Progress("label", 2.0, 2)) as shown:
    shown.advance(1.0, "a [red]name[/] that is quite long, longer than the terminal is wide")
    shown.advance(1.0, "short [/b]")
"""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    """Seconds are rounded, and there are never 60 of them."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("columns", "shown"), [(1, "…"), (20, "2/2 runs"), (200, "short [/b]"), (0, "2/2 runs")])
def test_a_terminal_shows_one_line_that_never_wraps(columns: int, shown: str) -> None:
    """However narrow the terminal is (0: it does not say), the line is rewritten; brackets are shown as they are."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = environment(TERM="xterm", COLUMNS="")
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=variables, stdin=writing, stdout=writing, stderr=writing, check=False
    )
    os.close(writing)
    written = b""
    while part := _read(reading):
        written += part
    os.close(reading)
    assert done.returncode == 0, written
    lines = ESCAPE.sub("", written.decode()).removesuffix("\r\n").split("\r")
    assert max(map(len, lines)) <= (columns or 80)
    assert written.count(b"\n") == 1
    assert shown in lines[-1]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 10_000)
    except OSError:  # everything is read, and the other end is closed
        return b""


def shown(monkeypatch: pytest.MonkeyPatch, times: Iterable[float], total: float, runs: list[tuple[float, str]]) -> str:
    """Return what `runs`, pairs of a cost and a name, write to a stream that is no terminal at these `times`."""
    clock = iter(times)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    bar = Progress("label", total, len(runs))
    for run in runs:
        bar.advance(*run)
    return stream.getvalue()


def test_elsewhere_lines_are_plain_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal: the first, the last and one each fifteen seconds; no carriage return, no escape."""
    said = shown(monkeypatch, itertools.count(), 100.0, [(1.0, f"run {place}") for place in range(100)])
    assert [int(place) for place in re.findall(r"(\d+)/100", said)] == [1, 16, 31, 46, 61, 76, 91, 100]
    assert not set("\r\x1b") & set(said)


def test_the_time_left_goes_by_cost_and_counts_later_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 30 s a quarter of the cost is done: 90 s are left, however many runs they are.

    If later work is half of the cost, as much time is left after the runs as they took.
    """
    assert shown(monkeypatch, [0, 30, 120], 4.0, [(1.0, "small"), (3.0, "large")]).splitlines() == [
        "label: 1/2 runs, 30 s so far, about 1 min 30 s left (small)",
        "label: 2/2 runs, 2 min 0 s so far, done (large)",
    ]
    said = shown(monkeypatch, [0, 30, 60], 4.0, [(1.0, "first"), (1.0, "second")])
    assert re.findall(r"about (.*) left", said) == ["1 min 30 s", "1 min 0 s"]
