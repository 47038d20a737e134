"""P7: does a network train to a depth of about 6 xi (Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017)?

tanh networks with Gaussian weights and biases, a grid of depth and sigma_w, SGD; xi is theory's depth scale.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study import figures
from study.analysis import trainability
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import log_mean_interval
from study.constants import (
    P7_CLAIM,
    P7_DEPTHS,
    P7_EPOCHS,
    P7_FACTOR,
    P7_LINE,
    P7_RATE,
    P7_SEEDS,
    P7_SIGMA_B,
    P7_SIGMA_W,
    WIDTH,
)
from study.figures.style import Style
from study.plan import DepthScaleGrid, Plan
from study.records import selection
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = f"Trainable to {P7_FACTOR:g} depth scales?"
NAME = "trainable_depth_6xi"
TARGET = "claims"
DEPTH_SCALES = {P7_CLAIM: DepthScaleGrid(sigma_w=tuple(sorted((*P7_SIGMA_W, *P7_LINE))), sigma_b=P7_SIGMA_B)}


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    seeds = range(plan.seeds or P7_SEEDS)
    wanted = [_settings(sigma_w, depth, seed) for depth in P7_DEPTHS for sigma_w in P7_SIGMA_W for seed in seeds]
    return selection.missing(wanted, so_far)


def _settings(sigma_w: float, depth: int, seed: int) -> Settings:
    return Settings(
        activation=P7_CLAIM, seed=seed, depth=depth, width=WIDTH, initialization="gaussian", sigma_w=sigma_w,
        sigma_b=P7_SIGMA_B, optimizer="sgd", learning_rate=P7_RATE, epochs=P7_EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """The share that trains over the grid, and the deepest that does over 6 xi."""
    runs = runs_frame(records)
    runs = runs.assign(sigma_w=[record["identity"]["settings"]["sigma_w"] for record in records])
    scales = pd.DataFrame(plan.theory[P7_CLAIM]["depth_scales"][NAME], columns=["sigma_w", "xi"]).astype(float)
    grid = trainability.success(runs, ["sigma_w", "depth"])
    reached = _reached(runs, scales)
    judged = _judgements(reached)
    found = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns.drop("sigma_w")]],
        "sigma_w_success": grid,
        "depth_scales": scales.assign(activation=P7_CLAIM, sigma_b=P7_SIGMA_B),
        "depth_over_scale": reached,
    }
    blocks: list[str | Display | Picture] = [
        f"{fmt.escape_markdown(style.labels[P7_CLAIM])} networks of {WIDTH} units, sigma\\_b = {P7_SIGMA_B:.3f}, "
        f"SGD at {P7_RATE:g}, {P7_EPOCHS} epochs; trained means a validation accuracy of at least 50%. The deepest "
        "network is that of the grid with all shallower ones trained, median over seeds. Where it is the grid's "
        f"end, or none trained, or {P7_FACTOR:g} xi is beyond the grid, there is no ratio.",
        Display(f"The deepest network that trains beside {P7_FACTOR:g} xi.", _shown(reached), "depth_over_scale"),
        Picture(
            "trainable_depth_6xi",
            f"The share of networks that train, over sigma_w and depth, and {P7_FACTOR:g} times theory's depth scale.",
            figures.trainable_depth(grid.assign(trained=grid["share_trained"]), scales),
        ),
    ]
    return Section(TITLE, _answer(judged), blocks, found, judged)


def _reached(runs: pd.DataFrame, scales: pd.DataFrame) -> pd.DataFrame:
    """One row a sigma_w: median depth that trained, least and most over seeds, xi, and `ratio` if there is one."""
    parts = [trainability.trainable_depth(part).assign(sigma_w=at) for at, part in runs.groupby("sigma_w")]
    keys = ["sigma_w", "n", "median", "low", "high", "deepest"]
    table = pd.concat(parts, ignore_index=True)[keys].merge(scales, on="sigma_w", how="left")
    ends = table["deepest"].max()
    is_inside = (table["median"] > 0) & (table["median"] < table["deepest"]) & (P7_FACTOR * table["xi"] <= ends)
    return table.assign(ratio=(table["median"] / (P7_FACTOR * table["xi"])).where(is_inside))


def _judgements(reached: pd.DataFrame) -> list[Judgement]:
    ratios = reached["ratio"].dropna()
    if ratios.empty:
        return []
    left_out = len(reached) - len(ratios)
    remark = (
        f"width {WIDTH} instead of 300, {P7_EPOCHS} epochs, depths up to {max(P7_DEPTHS)}; n is the number of sigma_w, "
        f"{left_out} more have no ratio within the grid"
    )
    return [judge("P7", "depth", log_mean_interval(ratios)[0], remark)]


def _shown(reached: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "sigma_w": f"{row['sigma_w']:g}",
            "n": row["n"],
            "deepest that trains": trainability.shown_depth(row),
            "xi": f"{row['xi']:.2f}",
            f"over {P7_FACTOR:g} xi": f"{row['ratio']:.2f}" if np.isfinite(row["ratio"]) else fmt.DASH,
        }
        for row in reached.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _answer(judged: Sequence[Judgement]) -> str:
    parts = [fmt.interval(j.measured.estimate, j.measured.low, j.measured.high) for j in judged]
    return (
        f"The deepest network that trains is {parts[0]} times {P7_FACTOR:g} depth scales (geometric mean over the "
        "weights' scales)."
        if parts
        else ""
    )
