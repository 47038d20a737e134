"""Write the mean-field predictions for one activation as plain text, for `study theory NAME`.

The text's template is summary.txt.
"""

import math
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from study.activations import REGISTRY
from study.theory.criticality import critical_initialization, why_not_critical
from study.theory.depth_scale import depth_scale
from study.theory.fixed_points import fixed_points
from study.theory.mean_field import CLASSES, INITIALIZATIONS, INPUTS, propagate, quantities, scales
from study.theory.nonlinearity import Nonlinearity, from_tensorflow

PAGE = Path(__file__).with_suffix(".txt")
MNIST_SQUARE_NORM = 87.81  # mean ||x||^2 of the 60,000 training images, pixels in [0, 1]; scatters by 32
TRAINABLE_DEPTH = 6  # networks train to about this many depth scales (Schoenholz et al. 2017)


def describe(name: str, depth: int = 20, width: int = 100) -> str:
    """Return a text with the mean-field predictions for the activation `name`, a key of REGISTRY.

    After the activation's formula and source, the text has three parts:

    - the critical initialisation, or the reason why the activation has none.
    - the fixed points that are not unstable under Glorot and He initialisation, with chi and the depth scale xi.
    - for each of INITIALIZATIONS that the activation has, a table by layer for a network of `depth` hidden layers of
      `width` units: q, chi, and the norms of the error and of an example's weight gradient relative to the output's.
    """
    function = from_tensorflow(REGISTRY[name].function)
    networks = {each: _network(each, function, depth, width) for each in INITIALIZATIONS}
    surroundings = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return surroundings.from_string(PAGE.read_text()).render(
        entry=REGISTRY[name],
        point=critical_initialization(function),
        why_none=why_not_critical(function),
        infinite=_infinite(function),
        networks={each: found for each, found in networks.items() if found},
        depth=depth,
        width=width,
        square_norm=MNIST_SQUARE_NORM,
    )


def _infinite(function: Nonlinearity) -> str:
    """Return a text table of the fixed points of `function` under Glorot and He, with their depth scales.

    Unstable fixed points are left out. A row without numbers says that q grows without bound.
    """
    rows = []
    for sigma_w2, label in ((1.0, "1 (Glorot)"), (2.0, "2 (He)")):
        points = [point for point in fixed_points(function, sigma_w2, 0.0) if point.stability != "unstable"]
        for point in points:
            scale = depth_scale(function, point.q, sigma_w2, 0.0)
            q = "any" if math.isnan(point.q) else f"{point.q:.5g}"
            reach = {"depth scale xi": scale.xi, "6 xi": TRAINABLE_DEPTH * scale.xi}
            rows.append({"sigma_w^2": label, "q*": q, "chi": point.chi, "phase": scale.phase, **reach})
        if not points:
            rows.append({"sigma_w^2": label, "q*": "grows without bound"})
    return _table(pd.DataFrame(rows))


def _network(initialization: str, function: Nonlinearity, depth: int, width: int) -> tuple[float, str] | None:
    """Return a number and a text table that describe a network of `depth` layers of `width` units.

    The table has one row per layer. The number is the mean factor per layer of the error's norm, going backward. Return
    None if `initialization` is "critical" and `function` has no critical point.
    """
    scale = scales(initialization, (INPUTS, *[width] * depth, CLASSES), function, MNIST_SQUARE_NORM)
    if scale is None:
        return None
    through = propagate(function, scale, np.array([MNIST_SQUARE_NORM]))
    squares, errors, gradients = quantities(through).values()
    columns = {"layer": range(1, depth + 2), "q": squares, "chi": [*through.chi[:, 0], None]}
    columns |= {"error / output's": errors, "example weight gradient / output's": gradients}
    return errors[0] ** (1 / depth), _table(pd.DataFrame(columns))


def _table(frame: pd.DataFrame) -> str:
    """Return the rows of `frame` as aligned text: numbers with four significant digits, and "-" for missing ones."""
    return str(frame.to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
