"""P7: does a network train to a depth of about 6 xi (Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017)?

Here xi is mean field theory's depth scale, in layers: the correlation of two inputs approaches its limit as exp(-l/xi)
at layer l. Networks with tanh, Gaussian weights and Gaussian biases are trained by SGD over a grid of depth and
sigma_w. Here sigma_w^2 = fan_in Var(W) and sigma_b^2 = Var(b).
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
LINE_SIGMA_W = (0.9, 1.2, 1.25, 1.35, 1.4, 1.5)  # more values of sigma_w, without runs, at which the figure shows xi
DEPTH_SCALES = {ACTIVATION: DepthScaleGrid(sigma_w=tuple(sorted((*SIGMA_W, *LINE_SIGMA_W))), sigma_b=SIGMA_B)}
DEPTHS = (3, 5, 8, 12, 17, 25, 35, 50, 70, 100)
EPOCHS = 2
RATE = 0.01
CLAIMED_FACTOR = 6.0  # the claim: a network trains to CLAIMED_FACTOR * xi layers
# The claim's region: from LEAST_RATIO to MOST_RATIO times CLAIMED_FACTOR * xi layers.
LEAST_RATIO, MOST_RATIO = CLAIMS["P7"].parts["depth"].region


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the runs without a record in `so_far`: every depth, sigma_w and seed of `plan`."""
    seeds = plan.block(plan.seeds or CLAIM_SEEDS)
    wanted = [
        Settings(
            activation=ACTIVATION, seed=seed, depth=depth, width=WIDTH, initialization="gaussian", sigma_w=sigma_w,
            sigma_b=SIGMA_B, optimizer="sgd", learning_rate=RATE, epochs=EPOCHS, patience=None,
        )
        for depth in DEPTHS
        for sigma_w in SIGMA_W
        for seed in seeds
    ]  # fmt: skip
    return selection.without_record(wanted, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compute which share of the networks trains at each sigma_w and depth; judge P7 by the depths that trained."""
    runs, common = runs_frame(records), selection.shared_settings(records)
    scales = pd.DataFrame(plan.theory[ACTIVATION]["depth_scales"][NAME], columns=["sigma_w", "xi"]).astype(float)
    grid = trainability.success(runs, ["sigma_w", "depth"])
    reached = _trained_depths(runs, scales)
    found = {
        "sigma_w_success": grid,
        "depth_scales": scales.assign(activation=ACTIVATION, sigma_b=common["sigma_b"]),
        "depth_over_scale": reached,
    }
    drawn = {"trainable_depth_6xi": figures.trainable_depth(grid, scales)}
    protocol = common | {
        "factor": CLAIMED_FACTOR,
        "least": LEAST_RATIO,
        "most": MOST_RATIO,
        "deepest": int(runs["depth"].max()),
    }
    return Section(PAGE, found, drawn, protocol, _judgements(reached, common))


def _trained_depths(runs: pd.DataFrame, scales: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sigma_w and seed: how deep networks train, and this depth divided by CLAIMED_FACTOR * xi.

    `scales` has the columns sigma_w and xi (layers). `trained_depth` is the largest depth of the grid at which the
    network of this seed and all shallower ones trained; 0 if the shallowest failed. `failed_depth` is the next depth of
    the grid, infinite if there is none. `least_ratio` and `most_ratio` are these depths over CLAIMED_FACTOR * xi.
    `is_judged`: the deepest network of the grid reaches MOST_RATIO * CLAIMED_FACTOR * xi layers.
    """
    depths = np.sort(runs["depth"].unique()).astype(float)
    failed = runs["depth"].mask(runs["best_validation_accuracy"] >= TRAINED_LEVEL)
    first = runs.assign(failed=failed).groupby(["sigma_w", "seed"])["failed"].min()
    place = np.searchsorted(depths, first.fillna(np.inf))
    table = first.index.to_frame(index=False).merge(scales, on="sigma_w", how="left")
    claimed = CLAIMED_FACTOR * table["xi"]
    bounds = {"trained_depth": np.append(0.0, depths)[place], "failed_depth": np.append(depths, np.inf)[place]}
    ratios = {"least_ratio": bounds["trained_depth"] / claimed, "most_ratio": bounds["failed_depth"] / claimed}
    return table.assign(**bounds, **ratios, is_judged=MOST_RATIO * claimed <= depths[-1])


def _judgements(reached: pd.DataFrame, protocol: Mapping[str, Any]) -> list[Judgement]:
    """Judge P7 by the rows of `_trained_depths` that are judged; return an empty list if there are none.

    On each seed, both ratios are averaged over sigma_w (geometric means). The estimate is the geometric mean over seeds
    of `least_ratio`, where it is above 0. The judged interval goes from the lower bound of `least_ratio` to the upper
    bound of `most_ratio`, both of t intervals. It begins at 0 if `least_ratio` is 0 on a seed, and ends at infinity if
    `most_ratio` is infinite on a seed.
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
    remark = f"between the deepest of the grid that trained and the next; {left_out} sigma_w are left out"
    scale = "width {width} instead of 300, {epochs} epochs".format_map(protocol)
    return [judge("P7", "depth", Interval(least.estimate, low, high, len(means)), remark, scale)]
