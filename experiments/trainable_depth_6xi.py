"""P7: does a network train to a depth of about 6 xi (Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017)?

Here xi is theory's depth scale. tanh networks with Gaussian weights and biases are trained by SGD over a grid of depth
and sigma_w.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study import figures
from study.analysis import trainability
from study.analysis.claims import CLAIMS, Judgement, judge
from study.analysis.statistics import Interval, log_mean_interval
from study.constants import CLAIM_SEEDS, TRAINED_LEVEL, WIDTH
from study.figures.style import Style
from study.plan import DepthScaleGrid, Plan
from study.records import selection
from study.records.frames import runs_frame
from study.records.store import Record
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
RATE = 0.01
FACTOR = 6.0  # depth scales to which a network trains
_, MOST = CLAIMS["P7"].parts["depth"].region  # times FACTOR xi: the end of the region of the claim


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Ask for all runs in one round."""
    seeds = plan.block(plan.seeds or CLAIM_SEEDS)
    wanted = [_settings(sigma_w, depth, seed) for depth in DEPTHS for sigma_w in SIGMA_W for seed in seeds]
    return selection.missing(wanted, so_far)


def _settings(sigma_w: float, depth: int, seed: int) -> Settings:
    return Settings(
        activation=ACTIVATION, seed=seed, depth=depth, width=WIDTH, initialization="gaussian", sigma_w=sigma_w,
        sigma_b=SIGMA_B, optimizer="sgd", learning_rate=RATE, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compute the share of networks that train over the grid, and compare the deepest with 6 xi."""
    runs, common = runs_frame(records), selection.shared(records)
    scales = pd.DataFrame(plan.theory[ACTIVATION]["depth_scales"][NAME], columns=["sigma_w", "xi"]).astype(float)
    grid = trainability.success(runs, ["sigma_w", "depth"])
    reached = _reached(runs, scales)
    found = {
        "sigma_w_success": grid,
        "depth_scales": scales.assign(activation=ACTIVATION, sigma_b=common["sigma_b"]),
        "depth_over_scale": reached,
    }
    drawn = {"trainable_depth_6xi": figures.trainable_depth(grid, scales)}
    protocol = common | {"factor": FACTOR, "most": MOST}
    return Section(PAGE, found, drawn, protocol, _judgements(reached, common))


def _reached(runs: pd.DataFrame, scales: pd.DataFrame) -> pd.DataFrame:
    """Return, per sigma_w and seed, how deep networks train and bounds of that depth over FACTOR xi.

    `trained_depth` is the deepest of the grid that trained together with all shallower ones. `failed_depth` is the next
    of the grid, infinite where the grid ends. `is_judged` tells whether the grid goes as far as the claim's region.
    """
    depths = np.sort(runs["depth"].unique()).astype(float)
    failed = runs["depth"].mask(runs["best_validation_accuracy"] >= TRAINED_LEVEL)
    first = runs.assign(failed=failed).groupby(["sigma_w", "seed"])["failed"].min()
    place = np.searchsorted(depths, first.fillna(np.inf))
    table = first.index.to_frame(index=False).merge(scales, on="sigma_w", how="left")
    claimed = FACTOR * table["xi"]
    bounds = {"trained_depth": np.append(0.0, depths)[place], "failed_depth": np.append(depths, np.inf)[place]}
    ratios = {"least_ratio": bounds["trained_depth"] / claimed, "most_ratio": bounds["failed_depth"] / claimed}
    return table.assign(**bounds, **ratios, is_judged=MOST * claimed <= depths[-1])


def _judgements(reached: pd.DataFrame, protocol: Mapping[str, Any]) -> list[Judgement]:
    """Judge P7 over seeds, by ratios averaged over sigma_w.

    The interval begins at the low bound of the least ratio, and ends at the high bound of the most.
    """
    judged = reached[reached["is_judged"]]
    if judged.empty:
        return []
    with np.errstate(divide="ignore"):  # where not even the shallowest trained
        means = np.exp(np.log(judged[["least_ratio", "most_ratio"]]).groupby(judged["seed"]).mean())
    least, most = (log_mean_interval(values[np.isfinite(values)])[0] for _, values in means.items())
    low = least.low if (means["least_ratio"] > 0).all() else 0.0
    high = most.high if np.isfinite(means["most_ratio"]).all() else np.inf
    left_out = reached.loc[~reached["is_judged"], "sigma_w"].nunique()
    remark = f"between the deepest of the grid that trained and the next; {left_out} sigma_w need a deeper grid"
    scale = "width {width} instead of 300, {epochs} epochs".format_map(protocol)
    return [judge("P7", "depth", Interval(least.estimate, low, high, len(means)), remark, scale)]
