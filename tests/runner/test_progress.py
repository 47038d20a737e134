"""Progress is one line on a terminal that never wraps, few plain lines elsewhere, and never a reason to stop."""

import fcntl
import io
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from study.runner import progress
from study.runner.progress import Progress, duration, say


@contextmanager
def terminal(columns: int) -> Iterator[tuple[int, io.TextIOWrapper]]:
    """The reading end, and a stream that writes to a terminal of so many columns (0: it does not say)."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    os.close(reading)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Two units at most, rounded to seconds and never 60 of them."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("columns", "most"), [(1, 0), (10, 9), (40, 39), (200, 199), (0, 79)])
def test_a_line_never_wraps(columns: int, most: int) -> None:
    """However narrow the terminal that the stream leads to, a line leaves its last column free and is rewritten."""
    with terminal(columns) as (reading, stream):
        shown = Progress("label", 2.0, 2, stream)
        shown.advance(1.0, "a name that is quite long, longer than the terminal is wide")
        shown.advance(1.0, "short")
        shown.finish()
        written = ""
        while "\n" not in written:  # what a terminal passes on may come in pieces
            written += os.read(reading, 10_000).decode()
    lines = written.removesuffix("\r\n").split("\r")
    assert [len(line) for line in lines] == [0, most, most]
    assert written.count("\n") == 1


def test_elsewhere_lines_are_plain_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal: the first, the last and one each fifteen seconds; no carriage return, no escape."""
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))  # a second passes between any two looks
    stream = io.StringIO()
    shown = Progress("label", 100.0, 100, stream)
    for place in range(100):
        shown.advance(1.0, f"run {place}")
    shown.finish()
    lines = stream.getvalue().splitlines()
    assert [int(re.findall(r"(\d+)/100", line)[0]) for line in lines] == [1, 16, 31, 46, 61, 76, 91, 100]
    assert not set("\r\x1b") & set(stream.getvalue())


def test_the_time_left_goes_by_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 30 s a quarter of the cost is done: 90 s are left, however many runs they are."""
    times = iter([0.0, 30.0, 120.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    stream = io.StringIO()
    shown = Progress("label", 4.0, 2, stream)
    shown.advance(1.0, "small")
    shown.advance(3.0, "large")
    assert stream.getvalue().splitlines() == [
        "label: 1/2 runs, 30 s so far, about 1 min 30 s left (small)",
        "label: 2/2 runs, 2 min 0 s so far, done (large)",
    ]


def test_nothing_to_do_divides_by_nothing() -> None:
    """Work of no cost has no time left."""
    stream = io.StringIO()
    Progress("label", 0.0, 1, stream).advance(0.0, "free")
    assert "1/1 runs" in stream.getvalue()


def test_a_reader_that_leaves_stops_nothing() -> None:
    """Lines to a pipe that is closed, as by `head`, are dropped, the first and all later ones, also at the end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        shown = Progress("label", 3.0, 3, stream)
        for _ in range(3):
            shown.advance(1.0, "run")
        shown.finish()
        say("more", stream)


def test_the_stream_is_todays_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error is looked up when something is said, not when the module is imported."""
    say("now")
    Progress("label", 1.0, 1).advance(1.0, "run")
    assert capsys.readouterr().err.startswith("now\nlabel: 1/1")
