"""Summarise runs and their measures over seeds: accuracy, measures by layer and step, and measures after training."""

import pandas as pd

from study.analysis.statistics import geometric_summary, summarise
from study.constants import AT_CHANCE_BELOW

SHARES = ("dead_units", "saturation", "sparsity")  # measures in [0, 1]
SIGNED = ("similarity", "activation_mean")  # of either sign; averaged arithmetically like SHARES, unlike all others
NORM_DIGITS = 5  # significant digits of the numbers in the table gradient_norms
# The columns that name a network and its training.
RUN_KEYS = ["activation", "depth", "width", "init", "variant", "optimiser", "learning_rate", "precision"]


def bad_outcomes(runs: pd.DataFrame) -> dict[str, "pd.Series[bool]"]:
    """Return {outcome: which of `runs` had it} for "diverged" and "at_chance", in the order of `runs`.

    A run "at_chance" finished, and its validation accuracy, at the lowest validation loss, is below AT_CHANCE_BELOW.
    """
    is_low = runs["best_validation_accuracy"] < AT_CHANCE_BELOW
    return {"diverged": runs["status"] == "diverged", "at_chance": (runs["status"] == "done") & is_low}


def accuracy(runs: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return one row per activation: how many runs finished and diverged, and their mean scores.

    Scores named best_ are at the lowest validation loss, all others of the last weights. Runs that diverged have none,
    but count in the means of epochs and seconds.
    """
    table = summarise(runs, "test_accuracy", "activation", is_share=True).drop(columns="missing")
    table = table.rename(columns={name: f"test_accuracy_{name}" for name in ("mean", "std", "min", "max")})
    diverged = runs.assign(diverged=runs["status"] == "diverged").groupby("activation", sort=False)["diverged"].sum()
    best = summarise(runs, "best_test_accuracy", "activation", is_share=True)
    table = table.assign(
        diverged=diverged.to_numpy(),
        best_test_accuracy_mean=best["mean"],
        best_ci_low=best["ci_low"],
        best_ci_high=best["ci_high"],
        **{f"{name}_mean": summarise(runs, name, "activation")["mean"] for name in ("test_mae", "epochs", "seconds")},
    )
    table.insert(0, "experiment", experiment)
    first = ["experiment", "activation", "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    return table[first + [column for column in table.columns if column not in first]]


def gradient_norms(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return one row per network, layer, step and measure: the mean of `value` over seeds.

    `measures` is the result of `measures_frame` (study/records/frames.py). SHARES and SIGNED have arithmetic means. The
    other measures have geometric means without exact zeros, which `n_zero` counts. NaN values are left out. Numbers are
    rounded to NORM_DIGITS digits: the table is the largest of the report.
    """
    keys = [*RUN_KEYS, "layer", "epoch", "step", "measure"]
    columns = [*keys, "mean", "ci_low", "ci_high", "n", "n_zero"]
    defined = measures[measures["value"].notna()]
    norms = geometric_summary(defined[~defined["measure"].isin((*SHARES, *SIGNED))], "value", keys)
    table = pd.concat([norms, _arithmetic_summary(defined, keys)])[columns].reset_index(drop=True)
    table.insert(0, "experiment", experiment)
    numbers = ["mean", "ci_low", "ci_high"]
    table[numbers] = table[numbers].map(lambda value: float(f"{value:.{NORM_DIGITS}g}"))
    return table


def final_units(measures: pd.DataFrame, experiment: str) -> dict[str, pd.DataFrame]:
    """Return two tables, by name, of the measures SHARES and SIGNED at each run's last logged step.

    `measures` is the result of `measures_frame`, of finished runs only. The table `final_units_runs` has a row per run
    and measure, with the mean over the run's hidden layers as `layers_mean`. The table `final_units` has a row per
    activation and measure, with the mean over the runs and its 95% t interval.
    """
    run = [*RUN_KEYS, "seed"]
    is_share = measures["measure"].isin((*SHARES, *SIGNED)) & (measures["layer"] <= measures["depth"])
    shares = measures[is_share & measures["value"].notna()]
    last = shares[shares["step"] == shares.groupby(run, dropna=False)["step"].transform("max")]
    of_runs = last.groupby([*run, "measure"], sort=False, dropna=False)["value"].mean().reset_index()
    of_runs.insert(0, "experiment", experiment)
    table = _arithmetic_summary(of_runs, ["experiment", "activation", "measure"])
    columns = ["experiment", "activation", "measure", "mean", "ci_low", "ci_high", "n"]
    return {"final_units": table[columns], "final_units_runs": of_runs.rename(columns={"value": "layers_mean"})}


def _arithmetic_summary(measures: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the arithmetic means over seeds of the measures SHARES and SIGNED, one row per group of `keys`.

    `measures` has the columns `keys`, measure and value. The columns of the result come from `summarise`; intervals of
    SHARES are clipped to [0, 1]. The column `n_zero` is 0: an arithmetic mean leaves out no zeros.
    """
    parts = [(SHARES, True), (SIGNED, False)]
    found = [summarise(measures[measures["measure"].isin(of)], "value", keys, is_share=share) for of, share in parts]
    return pd.concat(found, ignore_index=True).assign(n_zero=0)
