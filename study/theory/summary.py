"""Write the predictions for one activation as plain text, for `study theory NAME`."""

import math

import numpy as np
import pandas as pd

from study.activations import REGISTRY
from study.theory.criticality import CriticalPoint, critical_initialization, why_not_critical
from study.theory.depth_scale import depth_scale
from study.theory.fixed_points import fixed_points
from study.theory.mean_field import CLASSES, INITIALIZATIONS, INPUTS, propagate, quantities, scales
from study.theory.nonlinearity import Nonlinearity, from_tensorflow

MNIST_SQUARE_NORM = 87.81  # mean ||x||^2 of the 60,000 training images, pixels in [0, 1]; scatters by 32
TRAINABLE_DEPTH = 6  # depth scales to which networks train, Schoenholz et al. 2017


def describe(name: str, depth: int = 20, width: int = 100) -> str:
    """Describe the activation `name` in text, and its networks of `depth` layers and `width` units."""
    entry = REGISTRY[name]
    function = from_tensorflow(entry.function)
    parts = [
        f"{entry.label}: {entry.formula}\n{entry.source}",
        _critical(critical_initialization(function), function),
        _infinite(function),
        *(_network(initialization, function, depth, width) for initialization in INITIALIZATIONS),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _critical(point: CriticalPoint | None, function: Nonlinearity) -> str:
    """Describe the critical initialisation, or why there is none."""
    title = "Critical initialisation (chi = 1 at the fixed point q* of the forward map)"
    if point is None:
        return f"{title}\n  none: {why_not_critical(function)}"
    q_star = "any" if point.q_star is None else "0 (a limit)" if point.q_star == 0 else f"{point.q_star:.6g}"
    return (
        f"{title}\n  sigma_w = {point.sigma_w:.6g} (sigma_w^2 = {point.sigma_w**2:.6g}), "
        f"sigma_b = {point.sigma_b:.6g} (sigma_b^2 = {point.sigma_b**2:.6g})\n"
        f"  q* = {q_star}, {point.stability}: dq'/dq = {point.slope:.4g}"
    )


def _infinite(function: Nonlinearity) -> str:
    """Describe the fixed points and depth scales under Glorot and He."""
    rows = []
    for sigma_w2, label in ((1.0, "1 (Glorot)"), (2.0, "2 (He)")):
        for point in fixed_points(function, sigma_w2, 0.0):
            if point.stability != "unstable":
                scale = depth_scale(function, point.q, sigma_w2, 0.0)
                q = "any" if math.isnan(point.q) else f"{point.q:.5g}"
                reach = {"depth scale xi": scale.xi, "6 xi": TRAINABLE_DEPTH * scale.xi}
                rows.append({"sigma_w^2": label, "q*": q, "chi": point.chi, "phase": scale.phase, **reach})
        if not rows or rows[-1]["sigma_w^2"] != label:
            rows.append({"sigma_w^2": label, "q*": "grows without bound"})
    return f"Infinitely deep and wide, no bias\n{_table(pd.DataFrame(rows))}"


def _network(initialization: str, function: Nonlinearity, depth: int, width: int) -> str:
    """Describe every layer of one network; nothing if it needs a critical point and there is none."""
    scale = scales(initialization, (INPUTS, *[width] * depth, CLASSES), function, MNIST_SQUARE_NORM)
    if scale is None:
        return ""
    through = propagate(function, scale, np.array([MNIST_SQUARE_NORM]))
    squares, errors, gradients = quantities(through).values()
    table = pd.DataFrame(
        {
            "layer": range(1, depth + 2),
            "q": squares,
            "chi": [*through.chi[:, 0], None],
            "error / output's": errors,
            "example weight gradient / output's": gradients,
        }
    )
    return (
        f"784-{depth}x{width}-10, {initialization}, mean ||x||^2 = {MNIST_SQUARE_NORM:.4g}: going backward,\n"
        f"the error's norm is multiplied by {errors[0] ** (1 / depth):.4g} a layer (geometric mean)\n{_table(table)}"
    )


def _table(frame: pd.DataFrame) -> str:
    """Write the rows of `frame` as aligned text."""
    return str(frame.to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
