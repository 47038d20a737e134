"""Summarise measurements by run in the study's tables: accuracy, gradient norms and final shares, over seeds."""

from collections.abc import Sequence

import pandas as pd

from study.analysis.statistics import geometric_summary, summarise

# Shares are averaged as they are, all other measures as logarithms.
SHARES = ("dead_units", "saturation", "sparsity", "similarity", "activation_mean")
RUN_KEYS = ["activation", "depth", "width", "init", "variant", "optimiser", "learning_rate", "precision"]


def accuracy(runs: pd.DataFrame, experiment: str, by: Sequence[str] = ("activation",)) -> pd.DataFrame:
    """Return one row per group of `by`: n, diverged runs, and the test accuracy's mean, spread and t interval.

    `test_accuracy` is of the last weights, `best_test_accuracy` of the weights with the lowest validation loss.
    Accuracies are in [0, 1]. Diverged runs are counted, never averaged.
    """
    keys = list(by)
    table = summarise(runs, "test_accuracy", keys).drop(columns="missing")
    table = table.rename(columns={name: f"test_accuracy_{name}" for name in ("mean", "std", "min", "max")})
    is_diverged = runs.assign(diverged=runs["status"] == "diverged")
    best = summarise(runs, "best_test_accuracy", keys)
    table = table.assign(
        diverged=is_diverged.groupby(keys, sort=False, dropna=False)["diverged"].sum().to_numpy(),
        best_test_accuracy_mean=best["mean"],
        best_ci_low=best["ci_low"],
        best_ci_high=best["ci_high"],
        epochs_mean=summarise(runs, "epochs", keys)["mean"],
        seconds_mean=summarise(runs, "seconds", keys)["mean"],
    )
    table.insert(0, "experiment", experiment)
    first = ["experiment", *keys, "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    return table[first + [column for column in table.columns if column not in first]]


def gradient_norms(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return one row per group, layer, step and measure: mean over seeds with its t interval, n and n_zero.

    Norms are averaged as logarithms without exact zeros, which n_zero counts. Shares are averaged as they are.
    """
    keys = [*RUN_KEYS, "layer", "epoch", "step", "measure"]
    defined = measures[measures["value"].notna()]
    is_share = defined["measure"].isin(SHARES)
    columns = [*keys, "mean", "ci_low", "ci_high", "n", "n_zero"]
    shares = summarise(defined[is_share], "value", keys).assign(n_zero=0)[columns]
    norms = geometric_summary(defined[~is_share], "value", keys)[columns]
    table = pd.concat([norms, shares], ignore_index=True)
    table.insert(0, "experiment", experiment)
    return table


def final_shares(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return one row per activation and share: mean and t interval over seeds, in [0, 1], at the end of training.

    A run's value is the mean over its hidden layers at its last logged step. `measures` holds finished runs only.
    """
    run = [*RUN_KEYS, "seed"]
    is_hidden = measures["layer"] <= measures["depth"]
    shares = measures[measures["measure"].isin(SHARES) & measures["value"].notna() & is_hidden]
    last = shares[shares["step"] == shares.groupby(run, dropna=False)["step"].transform("max")]
    by_run = last.groupby([*run, "measure"], sort=False, dropna=False)["value"].mean().reset_index()
    columns = ["activation", "measure", "mean", "ci_low", "ci_high", "n"]
    table = summarise(by_run, "value", ["activation", "measure"])[columns]
    table.insert(0, "experiment", experiment)
    return table
