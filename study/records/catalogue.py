"""Describe each activation when its runs are made: label, formula, source, curve and what theory predicts.

The ledger keeps the descriptions. Curve and theory are computed again only if something they depend on has changed.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.constants import INITIAL_DEPTHS, INITIAL_WIDTHS, INITIALIZATIONS, WIDTH
from study.data.mnist import Dataset
from study.engine import environment
from study.engine.input_norms import mean_cosine, square_norms
from study.plan import DepthScaleGrid
from study.records.canonical import as_json
from study.records.identity import STUDY, source_fingerprint

# By activation: `position`, its place in the registry, and the entries that `Catalogue._description` returns.
Entries = dict[str, dict[str, Any]]
Grids = Mapping[str, Mapping[str, DepthScaleGrid]]  # {experiment: {activation: grid}}

THEORY = STUDY / "theory"  # the folder of theory's code
# Networks that theory describes: initialisations, depths and width. Widths other than WIDTH have one initialisation.
NETWORKS = [
    (INITIALIZATIONS if width == WIDTH else INITIALIZATIONS[:1], INITIAL_DEPTHS, width) for width in INITIAL_WIDTHS
]


class Catalogue:
    """Describe activations of the registry, each when `descriptions` is first asked for it.

    `data` are the images that theory takes norms and cosines from. `kept` holds the descriptions in the ledger, and
    `grids` the depth scales that the experiments ask for. `described` and `refused` hold the descriptions so far, and
    the reasons why others were refused, by activation.
    """

    def __init__(self, data: Dataset, kept: Mapping[str, Any], grids: Grids) -> None:
        self.data, self.kept, self.grids = data, kept, grids
        self.square_norms, self.cosine = square_norms(data).tolist(), mean_cosine(data)
        self.described: Entries = {}
        self.refused: dict[str, str] = {}

    def descriptions(self, names: Iterable[str]) -> Entries:
        """Return the descriptions of the activations `names`, in the registry's order; leave out refused ones.

        Add to `described` and `refused` the activations that are new there. One is refused if it is not in the registry
        or not fit for the study, or if its curve or theory cannot be computed.
        """
        asked = dict.fromkeys(names)
        if new := [name for name in asked if name not in self.described and name not in self.refused]:
            environment.start_tensorflow()
            from study.activations import REGISTRY

            self.refused |= {name: "is not in the registry" for name in new if name not in REGISTRY}
            for position, (name, entry) in enumerate(REGISTRY.items()):
                if name in new:
                    with refusing(name, self.refused):
                        check_entry(entry)
                        self.described[name] = {"position": position, **self._description(name)}
        found = {name: self.described[name] for name in asked if name in self.described}
        return dict(sorted(found.items(), key=lambda item: item[1]["position"]))

    def _description(self, name: str) -> dict[str, Any]:
        """Return the description of the activation `name` as the dict that the ledger keeps, apart from `position`.

        The dict holds the registry's `label`, `formula` and `source`, the `fingerprint` of the function, and its
        `curve`. `theory` is the result of `_theory` with the additional key `depth_scales`. `basis` holds what curve
        and theory depend on: the activation, theory's code, NETWORKS and the images. If it has not changed, curve and
        theory stay as in the ledger.
        """
        from study.activations import REGISTRY, curve, fingerprint

        entry, old = REGISTRY[name], self.kept.get(name, {})
        code = [fingerprint(entry), source_fingerprint(THEORY)]
        images = [round(about, 6) for about in (*self.square_norms, self.cosine)]
        basis = [*code, as_json(NETWORKS), images]
        is_known = old.get("basis") == basis
        theory = old["theory"] if is_known else _theory(name, self.square_norms, self.cosine)
        scales = self._scales_by_experiment(name, old["theory"]["depth_scales"] if old else {}, code)
        return {
            "label": entry.label,
            "formula": entry.formula,
            "source": entry.source,
            "fingerprint": code[0],
            "basis": basis,
            "curve": old["curve"] if is_known else curve(entry),
            "theory": {**theory, "depth_scales": scales},
        }

    def _scales_by_experiment(self, name: str, kept: Mapping[str, Any], code: list[str]) -> dict[str, Any]:
        """Return the depth scales of the activation `name` by experiment: dicts of `sigma_w`, `sigma_b`, `code`, `xi`.

        `code` holds the fingerprints of the activation and of theory's code. An experiment's depth scales in `kept`
        stay if it asks for the same grid under the same code, or if it asks for none now.
        """
        found = dict(kept)
        for experiment, wanted in self.grids.items():
            if grid := wanted.get(name):
                about = {"code": code, "sigma_w": list(grid.sigma_w), "sigma_b": grid.sigma_b}
                old = kept.get(experiment, {})
                found[experiment] = old if {**old, **about} == old else {**about, "xi": _depth_scales(name, grid)}
        return found

    def merged_with(self, others: Entries) -> Entries:
        """Return {activation: description} of `others`, the descriptions in a ledger, and of `self.described`.

        If both describe an activation, `self.described` counts. `position` becomes the place in today's registry.
        Activations that are no longer there come last.
        """
        environment.start_tensorflow()
        from study.activations import REGISTRY

        found = {**others, **self.described}
        names = dict.fromkeys([*REGISTRY, *found])
        return {name: {**found[name], "position": place} for place, name in enumerate(names) if name in found}


@contextlib.contextmanager
def refusing(name: str, refused: dict[str, str]) -> Iterator[None]:
    """Catch any exception of the block, and store the reason in `refused[name]`; `name` is an activation.

    An interrupt is raised, also one that TensorFlow has turned into an error of its own.
    """
    from study.activations import ActivationError

    try:
        yield
    except Exception as error:  # whatever an entry raises refuses this entry alone
        if "KeyboardInterrupt" in f"{error} {error.__cause__}":
            raise KeyboardInterrupt from error
        if isinstance(error, ActivationError):
            refused[name] = str(error)
            return
        refused[name] = f"cannot be described: {error} ({type(error).__name__}); its theory must be computable"


def check_entry(entry: Any) -> None:
    """Raise ActivationError if an entry of the registry is not fit for the study, or if theory cannot integrate it."""
    from study.fitness import check
    from study.theory.nonlinearity import from_tensorflow

    check(entry)
    from_tensorflow(entry.function)


def _depth_scales(name: str, grid: DepthScaleGrid) -> list[float]:
    """Return the depth scale xi (`theory.depth_scale`) of the activation `name`, in layers, at each sigma_w of `grid`.

    It is infinite at criticality, and NaN where the forward map has no attracting fixed point.
    """
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
    """Return what mean-field theory predicts for the activation `name`, as a dict ready for JSON.

    `square_norms` and `cosine` describe the training images; see engine/input_norms.py. The keys are:

    - critical: sigma_w, sigma_b and first_square of the critical initialisation, or None if there is none.
      `first_square` is q*, or None if q* is 0 or every q is a fixed point.
    - why_none: why there is no critical initialisation, "" if there is one.
    - line: the lists sigma_w and sigma_b of the initialisations with chi = 1; see `_critical_line`.
    - rows: the table of `predicted_rows` for NETWORKS, as {column: list}.
    """
    from study.activations import REGISTRY
    from study.theory.criticality import critical_curve, critical_initialization, why_not_critical
    from study.theory.mean_field import predicted_rows
    from study.theory.nonlinearity import from_tensorflow

    function = from_tensorflow(REGISTRY[name].function)
    point = critical_initialization(function)
    places = np.geomspace(1e-3, 1e3, 601)
    line = critical_curve(function, np.union1d(places, point.q_star) if point and point.q_star else places)
    rows = [predicted_rows(name, function, *grid, np.array(square_norms), cosine) for grid in NETWORKS]
    critical = point and {"sigma_w": point.sigma_w, "sigma_b": point.sigma_b, "first_square": point.q_star or None}
    return {
        "critical": critical,
        "why_none": "" if point else why_not_critical(function),
        "line": _critical_line(line.sigma_w2, line.sigma_b2),
        "rows": pd.concat(rows, ignore_index=True).to_dict("list"),
    }


def _critical_line(sigma_w2: NDArray[np.float64], sigma_b2: NDArray[np.float64]) -> dict[str, list[float]]:
    """Return the lists sigma_w and sigma_b of a critical line, from their squares (n,).

    Points with a negative `sigma_b2`, which no initialisation has, are left out. One NaN stands where a part of the
    line ends before such points, so that a figure does not join this part to the next.
    """
    is_there = sigma_b2 > -1e-9
    kept = is_there | np.append(False, is_there[:-1])
    w2, b2 = (np.where(is_there, square, np.nan)[kept] for square in (sigma_w2, np.maximum(sigma_b2, 0)))
    return {"sigma_w": np.sqrt(w2).tolist(), "sigma_b": np.sqrt(b2).tolist()}
