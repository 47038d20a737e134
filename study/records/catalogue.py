"""Describe each activation when its runs are made: label, formula, source, curve and what theory predicts.

The report quotes this description, not the registry of today. It is kept with the runs, so that only a new or changed
activation is computed again.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.constants import INITIAL_DEPTHS, INITIAL_WIDTHS, INITIALIZATIONS, WIDTH
from study.data.mnist import Dataset
from study.engine import environment
from study.engine.input_norms import mean_cosine, square_norms
from study.plan import DepthScaleGrid
from study.records.identity import STUDY, source_fingerprint

Entries = dict[str, dict[str, Any]]
Grids = Mapping[str, Mapping[str, DepthScaleGrid]]  # by experiment, by activation

THEORY = STUDY / "theory"
NETWORKS = [
    (INITIALIZATIONS if width == WIDTH else INITIALIZATIONS[:1], INITIAL_DEPTHS, width) for width in INITIAL_WIDTHS
]


class Catalogue:
    """Describe activations of the registry, each when it is first asked for.

    `kept` holds the descriptions recorded before, `grids` the depth scales that the experiments ask for. The attribute
    `refused` says which activations are not good, and why.
    """

    def __init__(self, data: Dataset, kept: Mapping[str, Any], grids: Grids) -> None:
        self.data, self.kept, self.grids = data, kept, grids
        self.square_norms, self.cosine = square_norms(data).tolist(), mean_cosine(data)
        self.described: Entries = {}
        self.refused: dict[str, str] = {}

    def of(self, names: Iterable[str]) -> Entries:
        """Return the descriptions of the good activations among `names`, in the registry's order."""
        asked = dict.fromkeys(names)
        if new := [name for name in asked if name not in self.described and name not in self.refused]:
            described, refused = describe(new, self.square_norms, self.cosine, self.kept, self.grids)
            self.described |= described
            self.refused |= refused
        found = {name: self.described[name] for name in asked if name in self.described}
        return dict(sorted(found.items(), key=lambda item: item[1]["position"]))

    def beside(self, others: Entries) -> Entries:
        """Return all descriptions and the `others`, in the order of today's registry; those it has lost come last."""
        environment.start_tensorflow()
        from study.activations import REGISTRY

        found = {**others, **self.described}
        names = dict.fromkeys([*REGISTRY, *found])
        return {name: {**found[name], "position": place} for place, name in enumerate(names) if name in found}


def describe(
    names: Collection[str], square_norms: Sequence[float], cosine: float, kept: Mapping[str, Any], grids: Grids
) -> tuple[Entries, dict[str, str]]:
    """Describe each good activation among `names`, in the registry's order, and say why the others are refused.

    `square_norms` are the ||x||^2 of the training images, or a sample of them, and `cosine` is the mean cosine of two
    images; `kept` is what was recorded before. An activation is refused if it is not fit for the study, or if its curve
    or its theory cannot be computed. The critical initialisation of networks that are trained comes from theory.
    """
    environment.start_tensorflow()
    from study.activations import REGISTRY, ActivationError
    from study.fitness import check

    described: Entries = {}
    refused = {name: "is not in the registry" for name in names if name not in REGISTRY}
    for position, (name, entry) in enumerate(REGISTRY.items()):
        if name in names:
            old = kept.get(name, {})
            try:
                check(entry)
                described[name] = {"position": position, **_description(name, square_norms, cosine, old, grids)}
            except ActivationError as error:
                refused[name] = str(error)
            except Exception as error:  # noqa: BLE001 - any error of an entry is its own, and the others go on
                refused[name] = f"cannot be described: {error} ({type(error).__name__}); its theory must be computable"
    return described, refused


def _description(
    name: str, square_norms: Sequence[float], cosine: float, old: Mapping[str, Any], grids: Grids
) -> dict[str, Any]:
    """Describe one activation. The curve and theory of the `old` description stay if its `basis` has not changed.

    The basis is the activation, theory's code, the networks and the images.
    """
    from study.activations import REGISTRY, curve, fingerprint

    entry = REGISTRY[name]
    code = [fingerprint(entry), source_fingerprint(THEORY)]
    basis = [*code, json.loads(json.dumps(NETWORKS)), [round(about, 6) for about in (*square_norms, cosine)]]
    is_known = old.get("basis") == basis
    scales = _scales(name, grids, old["theory"]["depth_scales"] if old else {}, code)
    return {
        "label": entry.label,
        "formula": entry.formula,
        "source": entry.source,
        "fingerprint": code[0],
        "basis": basis,
        "curve": old["curve"] if is_known else curve(entry),
        "theory": {**(old["theory"] if is_known else _theory(name, square_norms, cosine)), "depth_scales": scales},
    }


def _scales(name: str, grids: Grids, kept: Mapping[str, Any], code: list[str]) -> dict[str, Any]:
    """Return the activation's depth scales by experiment: the grid, `xi`, and the `code` that computed them.

    Those that are `kept` stay if neither grid nor code has changed, or if their experiment does not ask now.
    """
    found = dict(kept)
    for experiment, wanted in grids.items():
        if grid := wanted.get(name):
            about = {"code": code, "sigma_w": list(grid.sigma_w), "sigma_b": grid.sigma_b}
            old = kept.get(experiment, {})
            found[experiment] = old if {**old, **about} == old else {**about, "xi": _depth_scales(name, grid)}
    return found


def _depth_scales(name: str, grid: DepthScaleGrid) -> list[float]:
    """Compute xi, in layers, at each sigma_w: infinite at criticality, nan without an attracting fixed point."""
    from study.activations import REGISTRY
    from study.theory.depth_scale import depth_scale
    from study.theory.fixed_points import attracting_point
    from study.theory.nonlinearity import from_tensorflow

    function, found = from_tensorflow(REGISTRY[name].function), []
    for sigma_w in grid.sigma_w:
        point = attracting_point(function, sigma_w**2, grid.sigma_b**2)
        found.append(depth_scale(function, point.q, sigma_w**2, grid.sigma_b**2).xi if point else float("nan"))
    return found


def _theory(name: str, square_norms: Sequence[float], cosine: float) -> dict[str, Any]:
    """Compute the critical initialisation's settings, or why there is none, the critical line, and theory's table.

    The table `rows` has a list per column; see `predicted_rows`.
    """
    from study.activations import REGISTRY
    from study.theory.criticality import critical_curve, critical_initialization, why_not_critical
    from study.theory.mean_field import predicted_rows
    from study.theory.nonlinearity import from_tensorflow

    function = from_tensorflow(REGISTRY[name].function)
    point = critical_initialization(function)
    places = np.geomspace(1e-3, 1e3, 601)
    line = critical_curve(function, np.union1d(places, point.q_star) if point and point.q_star else places)
    squares = np.array(square_norms)
    rows = [predicted_rows(name, function, *grid, squares, cosine) for grid in NETWORKS]
    is_there = line.sigma_b2 > -1e-9
    sigma_w, sigma_b = np.sqrt(line.sigma_w2[is_there]), np.sqrt(np.maximum(line.sigma_b2[is_there], 0))
    critical = point and {"sigma_w": point.sigma_w, "sigma_b": point.sigma_b, "first_square": point.q_star or None}
    return {
        "critical": critical,
        "why_none": "" if point else why_not_critical(function),
        "line": {"sigma_w": sigma_w.tolist(), "sigma_b": sigma_b.tolist()},
        "rows": pd.concat(rows, ignore_index=True).to_dict("list"),
    }
