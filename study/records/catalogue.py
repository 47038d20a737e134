"""What is recorded of each activation when its runs are made: label, formula, source, curve and what theory predicts.

The report quotes this, not the registry of today. It is kept with the runs, so that only a new or changed activation is
looked at again.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from study.constants import DEPTHS, INITIAL_WIDTHS, INITIALIZATIONS, P7_CLAIM, P7_LINE, P7_SIGMA_B, P7_SIGMA_W, WIDTH
from study.data.mnist import Dataset
from study.engine import environment
from study.engine.input_norms import square_norms
from study.records.store import STUDY, source_fingerprint

Entries = dict[str, dict[str, Any]]

THEORY = STUDY / "theory"
GRIDS = [(INITIALIZATIONS if width == WIDTH else INITIALIZATIONS[:1], DEPTHS, width) for width in INITIAL_WIDTHS]


class Catalogue:
    """What is recorded of the registry's activations, each described when it is first asked for."""

    def __init__(self, data: Dataset, kept: Mapping[str, Any]) -> None:
        self.data, self.kept, self.square_norms = data, kept, square_norms(data).tolist()
        self.described: Entries = {}
        self.refused: dict[str, str] = {}

    def of(self, names: Iterable[str]) -> Entries:
        """Those of these names that are good, described, in the registry's order; `refused` says why others are not."""
        asked = dict.fromkeys(names)
        if new := [name for name in asked if name not in self.described and name not in self.refused]:
            described, refused = describe(new, self.square_norms, self.kept)
            self.described |= described
            self.refused |= refused
        found = [name for name in asked if name in self.described]
        return {name: self.described[name] for name in sorted(found, key=lambda name: self.described[name]["position"])}

    def beside(self, others: Entries) -> Entries:
        """All described and the `others`, at their places in the registry of today; last those that have left it."""
        environment.start_tensorflow()
        from study.activations import REGISTRY

        found = {**others, **self.described}
        names = dict.fromkeys([*REGISTRY, *found])
        return {name: {**found[name], "position": place} for place, name in enumerate(names) if name in found}


def describe(
    names: Collection[str], square_norms: Sequence[float], kept: Mapping[str, Any]
) -> tuple[Entries, dict[str, str]]:
    """What is recorded of each good entry of the registry, in its order, and why the others are refused.

    `square_norms` are the ||x||^2 of the training images, or what stands for them; `kept` is what was recorded before.
    """
    environment.start_tensorflow()
    from study.activations import REGISTRY, ActivationError, check, curve, fingerprint

    described: Entries = {}
    refused = {name: "is not in the registry" for name in names if name not in REGISTRY}
    for position, (name, entry) in enumerate(REGISTRY.items()):
        if name not in names:
            continue
        try:
            check(entry)
        except ActivationError as error:
            refused[name] = str(error)
            continue
        found = fingerprint(entry)
        basis = [
            found,
            source_fingerprint(THEORY),
            json.loads(json.dumps(GRIDS)),
            [round(square, 6) for square in square_norms],
        ]
        old = kept.get(name, {})
        is_known = old.get("basis") == basis
        described[name] = {
            "label": entry.label,
            "formula": entry.formula,
            "source": entry.source,
            "position": position,
            "fingerprint": found,
            "basis": basis,
            "curve": old["curve"] if is_known else curve(entry),
            "theory": old["theory"] if is_known else _theory(name, square_norms),
        }
    return described, refused


def _theory(name: str, square_norms: Sequence[float]) -> dict[str, Any]:
    """`critical`: the initialisation's settings or None, and why; `line`: the critical line; `rows`: theory's table.

    `depth_scales` are there for the activation whose claim is about them, at the biases of that claim.
    The table's `predicted` is for inputs that all have the mean ||x||^2, `predicted_spread` for inputs of these.
    """
    import numpy as np

    from study.activations import REGISTRY
    from study.theory import criticality, meanfield

    function = meanfield.from_tensorflow(REGISTRY[name].function)
    point = criticality.critical_initialization(function)
    places = np.geomspace(1e-3, 1e3, 601)
    line = criticality.critical_curve(function, np.union1d(places, point.q_star) if point and point.q_star else places)
    squares = np.array(square_norms)
    rows = [row for grid in GRIDS for row in meanfield.theory_table([name], *grid, float(squares.mean()))]
    spread = [row["predicted"] for grid in GRIDS for row in meanfield.theory_table([name], *grid, squares)]
    settings = (
        {"sigma_w": point.sigma_w, "sigma_b": point.sigma_b, "first_square": point.q_star or None} if point else None
    )
    is_there = line.sigma_b2 > -1e-9
    scales = sorted((*P7_SIGMA_W, *P7_LINE)) if name == P7_CLAIM else []  # a second each
    return {
        "critical": settings,
        "why_none": "" if point else criticality.why_not_critical(function),
        "line": {
            "sigma_w": np.sqrt(line.sigma_w2[is_there]).tolist(),
            "sigma_b": np.sqrt(np.maximum(line.sigma_b2[is_there], 0)).tolist(),
        },
        "depth_scales": {"sigma_w": scales, "xi": [_depth_scale(function, sigma_w) for sigma_w in scales]},
        "rows": {column: [row[column] for row in rows] for column in rows[0]} | {"predicted_spread": spread},
    }


def _depth_scale(function: Any, sigma_w: float) -> float:
    """xi at this scale of the weights, in layers, at the first fixed point that attracts; infinite at criticality."""
    from study.theory import criticality

    points = criticality.fixed_points(function, sigma_w**2, P7_SIGMA_B**2)
    stable = next((point.q for point in points if point.stability != "unstable"), float("nan"))
    return criticality.depth_scale(function, stable, sigma_w**2, P7_SIGMA_B**2).xi
