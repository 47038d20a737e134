"""What activations cost. The figures of the benchmark are tested with its section of the report."""

import pytest
from figure_data import NAMES, STYLE, figures, offsets, timed


def test_every_repeat_is_a_point_in_its_unit() -> None:
    """Nanoseconds or milliseconds, from 0."""
    for panel in figures.costs(*timed(NAMES[:2]), STYLE, "copy").axes[:3]:
        assert sorted(offsets(panel)[:, 0]) == pytest.approx(sorted([2.0, 2.1, 2.2, 2.3, 2.4] * 2))
        assert panel.get_xlim()[0] == 0


def test_a_repeat_beyond_the_axis_is_an_arrowhead_at_its_end() -> None:
    """It does not press the others together, and it is not dropped either."""
    panel = figures.costs(*timed(NAMES[:1], slow=50.0), STYLE, "copy").axes[0]
    assert len(offsets(panel)) == 4
    (arrow,) = [line for line in panel.lines if line.get_marker() == ">"]
    assert panel.get_xlim()[1] == pytest.approx(1.25 * 2.3)
    assert arrow.get_xdata()[0] == pytest.approx(0.98 * 1.25 * 2.3)  # wholly within the panel


def test_no_bytes_are_a_zero() -> None:
    """Where the bar would be."""
    timings, cost = timed(NAMES[:1])
    figure = figures.costs(timings, cost.assign(output_bytes=0.0, other_bytes=0.0), STYLE, "copy")
    assert "0" in [text.get_text() for text in figure.axes[3].texts]
