"""P7: does a network train to a depth of about 6 xi (Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017)?

Here xi is theory's depth scale. tanh networks with Gaussian weights and biases are trained by SGD over a grid of depth
and sigma_w.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from study import figures
from study.analysis import trainability
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import log_mean_interval
from study.constants import WIDTH
from study.figures.style import Style
from study.plan import DepthScaleGrid, Plan
from study.records import selection
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import cells
from study.report import formatting as fmt
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "trainable_depth_6xi"
TARGET = "claims"
ACTIVATION = "tanh"
SIGMA_W = (0.8, 1.0, 1.1, 1.3, 1.6, 1.8, 2.0, 2.2)
SIGMA_B = 0.05**0.5
LINE = (0.9, 1.2, 1.25, 1.35, 1.4, 1.5)  # more values of sigma_w at which the figure shows theory's depth scale
DEPTH_SCALES = {ACTIVATION: DepthScaleGrid(sigma_w=tuple(sorted((*SIGMA_W, *LINE))), sigma_b=SIGMA_B)}
DEPTHS = (3, 5, 8, 12, 17, 25, 35, 50, 70, 100)
EPOCHS = 2
SEEDS = 3
RATE = 0.01
FACTOR = 6.0  # depth scales to which a network trains


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Ask for all runs in one round."""
    seeds = plan.block(plan.seeds or SEEDS)
    wanted = [_settings(sigma_w, depth, seed) for depth in DEPTHS for sigma_w in SIGMA_W for seed in seeds]
    return selection.missing(wanted, so_far)


def _settings(sigma_w: float, depth: int, seed: int) -> Settings:
    return Settings(
        activation=ACTIVATION, seed=seed, depth=depth, width=WIDTH, initialization="gaussian", sigma_w=sigma_w,
        sigma_b=SIGMA_B, optimizer="sgd", learning_rate=RATE, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compute the share of networks that train over the grid, and compare the deepest with 6 xi."""
    runs = runs_frame(records)
    scales = pd.DataFrame(plan.theory[ACTIVATION]["depth_scales"][NAME], columns=["sigma_w", "xi"]).astype(float)
    grid = trainability.success(runs, ["sigma_w", "depth"])
    reached = _reached(runs, scales)
    found = {
        "sigma_w_success": grid,
        "depth_scales": scales.assign(activation=ACTIVATION, sigma_b=SIGMA_B),
        "depth_over_scale": reached,
    }
    drawn = {"trainable_depth_6xi": figures.trainable_depth(grid, scales)}
    protocol = {**asdict(_settings(SIGMA_W[0], DEPTHS[0], 0)), "factor": FACTOR}
    return Section(PAGE, found, {"depth_over_scale": _shown(reached)}, drawn, protocol, _judgements(reached))


def _reached(runs: pd.DataFrame, scales: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sigma_w: the deepest network that trained (median, least and most over seeds), xi and `ratio`.

    `ratio` is the median depth over FACTOR xi, NaN where the grid of depths does not reach far enough to tell.
    """
    parts = [trainability.trainable_depth(part).assign(sigma_w=at) for at, part in runs.groupby("sigma_w")]
    keys = ["sigma_w", "n", "median", "low", "high", "deepest"]
    table = pd.concat(parts, ignore_index=True)[keys].merge(scales, on="sigma_w", how="left")
    ends = table["deepest"].max()
    is_inside = (table["median"] > 0) & (table["median"] < table["deepest"]) & (FACTOR * table["xi"] <= ends)
    return table.assign(ratio=(table["median"] / (FACTOR * table["xi"])).where(is_inside))


def _judgements(reached: pd.DataFrame) -> list[Judgement]:
    ratios = reached["ratio"].dropna()
    if ratios.empty:
        return []
    left_out = len(reached) - len(ratios)
    remarks = (
        f"width {WIDTH} instead of 300, {EPOCHS} epochs, depths up to {max(DEPTHS)}",
        "n is the number of sigma_w",
        f"{left_out} more have no ratio within the grid",
    )
    return [judge("P7", "depth", log_mean_interval(ratios)[0], "; ".join(remarks))]


def _shown(reached: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "sigma_w": f"{row['sigma_w']:g}",
            "n": row["n"],
            "deepest that trains": cells.reached_depth(row),
            "xi": f"{row['xi']:.2f}",
            f"over {FACTOR:g} xi": f"{row['ratio']:.2f}" if np.isfinite(row["ratio"]) else fmt.DASH,
        }
        for row in reached.to_dict("records")
    ]
    return pd.DataFrame(rows)
