"""What the figures of accuracies share: an axis that shows 98% and 10% alike, and runs above their mean in lanes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

LEAST_ERROR = 0.01  # percent: one image of 10,000; what is better is drawn there
# Percent: where ticks may be, the first series that has enough of them.
NICE_ERRORS = (
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 90),
    (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 90),
    tuple(tenths / 10 for tenths in range(1, 1000)),
)
ENOUGH = 3


def percent_of(values: Any) -> npt.NDArray[np.float64]:
    """Fractions as percent within [0, 100 - LEAST_ERROR], where the axis below has a place for them."""
    found: npt.NDArray[np.float64] = np.clip(100 * np.asarray(values, float), 0.0, 100.0 - LEAST_ERROR)
    return found


def accuracy_scale(axis: Axis, values: Any, most_ticks: int = 6) -> None:
    """A scale of accuracies in percent on which the error is logarithmic, from the least of `values` (n,) to the most.

    Half the errors are the same step everywhere: from 96% to 98% as from 98% to 99%. NaN is no value.
    """
    seen = np.asarray(values, float)
    errors = 100.0 - seen[np.isfinite(seen)] if np.isfinite(seen).any() else np.array([1.0, 100.0])
    least, most = np.log10([errors.min(), errors.max()])
    margin = max(0.07 * (most - least), 0.03)
    limits = float(100 - 10 ** min(most + margin, 2.0)), float(100 - 10 ** (least - margin))
    scale = {"functions": (_to_scale, _from_scale)}
    panel = axis.axes
    if isinstance(axis, XAxis):
        panel.set_xscale("function", **scale)
        panel.set_xlim(limits)
    else:
        panel.set_yscale("function", **scale)
        panel.set_ylim(limits)
    axis.set_major_locator(FixedLocator(_ticks(limits, most_ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}%"))


def _to_scale(accuracy: Any) -> Any:
    return -np.log10(np.maximum(100.0 - np.asarray(accuracy, float), LEAST_ERROR / 10))


def _from_scale(position: Any) -> Any:
    return 100.0 - 10.0 ** -np.asarray(position, float)


def _ticks(limits: tuple[float, float], most: int) -> list[float]:
    """Round accuracies within the limits, far enough apart to be read, the best first."""
    low, high = (float(_to_scale(limit)) for limit in limits)
    ticks: list[float] = []
    for series in NICE_ERRORS:
        ticks = []
        for error in series:
            place = -np.log10(error)
            is_clear = not ticks or float(_to_scale(ticks[-1])) - place > 0.9 * (high - low) / most
            if low <= place <= high and is_clear:
                ticks.append(100.0 - error)
        if len(ticks) >= ENOUGH:
            break
    return ticks


def lane(
    panel: Axes, place: float, values: Any, bounds: Sequence[float], line: dict[str, Any], *,
    is_open: bool = False, height: float = 0.27,
) -> None:  # fmt: skip
    """Runs (n,) as points spread over `height` above `place`, and below it their middle with an interval.

    `bounds` are the middle, the low and the high end; NaN is not drawn.
    """
    spread = place - 0.06 - height * (np.arange(len(values)) * 0.618 % 1)  # golden ratio: even, the same every time
    panel.scatter(values, spread, color=line["color"], s=12, alpha=0.6, linewidths=0)
    middle, low, high = bounds
    panel.hlines(place + 0.1, low, high, color=line["color"], linewidth=1.8)
    face = "white" if is_open else line["color"]
    panel.plot([middle], [place + 0.1], **line | {"linestyle": ""}, markersize=6, markerfacecolor=face)


def rows_axis(panel: Axes, labels: Sequence[str]) -> None:
    """A row a label, the first on top, without a grid across them."""
    panel.set_yticks(range(len(labels)), list(labels))
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")
