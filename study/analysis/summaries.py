"""Summarise measurements by run in the study's tables: accuracy, gradient norms and final shares, over seeds."""

from collections.abc import Sequence

import pandas as pd

from study.analysis.statistics import geometric_summary, summarise

SHARES = ("dead_units", "saturation", "sparsity")  # in [0, 1]
SIGNED = ("similarity", "activation_mean")  # averaged as they are, like shares; all other measures as logarithms
NORM_DIGITS = 5  # significant
RUN_KEYS = ["activation", "depth", "width", "init", "variant", "optimiser", "learning_rate", "precision"]


def accuracy(runs: pd.DataFrame, experiment: str, by: Sequence[str] = ("activation",)) -> pd.DataFrame:
    """Return one row per group of `by`: n, diverged runs, and the test accuracy's mean, spread and t interval.

    `test_accuracy` is of the last weights, `best_test_accuracy` of the weights with the lowest validation loss.
    Accuracies are in [0, 1]. Diverged runs are counted, never averaged.
    """
    keys = list(by)
    table = summarise(runs, "test_accuracy", keys, is_share=True).drop(columns="missing")
    table = table.rename(columns={name: f"test_accuracy_{name}" for name in ("mean", "std", "min", "max")})
    is_diverged = runs.assign(diverged=runs["status"] == "diverged")
    best = summarise(runs, "best_test_accuracy", keys, is_share=True)
    table = table.assign(
        diverged=is_diverged.groupby(keys, sort=False, dropna=False)["diverged"].sum().to_numpy(),
        best_test_accuracy_mean=best["mean"],
        best_ci_low=best["ci_low"],
        best_ci_high=best["ci_high"],
        test_mae_mean=summarise(runs, "test_mae", keys)["mean"],
        epochs_mean=summarise(runs, "epochs", keys)["mean"],
        seconds_mean=summarise(runs, "seconds", keys)["mean"],
    )
    table.insert(0, "experiment", experiment)
    first = ["experiment", *keys, "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    return table[first + [column for column in table.columns if column not in first]]


def gradient_norms(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return one row per group, layer, step and measure: mean over seeds with its t interval, n and n_zero.

    Norms are averaged as logarithms without exact zeros, which n_zero counts. Shares, cosines and mean
    activations are averaged as they are. All are rounded to NORM_DIGITS: the table is the largest of the report.
    """
    keys = [*RUN_KEYS, "layer", "epoch", "step", "measure"]
    columns = [*keys, "mean", "ci_low", "ci_high", "n", "n_zero"]
    defined = measures[measures["value"].notna()]
    norms = geometric_summary(defined[~defined["measure"].isin((*SHARES, *SIGNED))], "value", keys)
    table = pd.concat([norms, _as_they_are(defined, keys)])[columns].reset_index(drop=True)
    table.insert(0, "experiment", experiment)
    numbers = ["mean", "ci_low", "ci_high"]
    table[numbers] = table[numbers].map(lambda value: float(f"{value:.{NORM_DIGITS}g}"))
    return table


def final_units(measures: pd.DataFrame, experiment: str) -> dict[str, pd.DataFrame]:
    """Return two tables of dead units, saturation, sparsity, similarity and mean activation at the last logged step.

    `measures` holds finished runs only. `final_units_runs` averages each run over its hidden layers. `final_units`
    gives each activation's mean over runs and its t interval.
    """
    run = [*RUN_KEYS, "seed"]
    is_share = measures["measure"].isin((*SHARES, *SIGNED)) & (measures["layer"] <= measures["depth"])
    shares = measures[is_share & measures["value"].notna()]
    last = shares[shares["step"] == shares.groupby(run, dropna=False)["step"].transform("max")]
    of_runs = last.groupby([*run, "measure"], sort=False, dropna=False)["value"].mean().reset_index()
    of_runs.insert(0, "experiment", experiment)
    table = _as_they_are(of_runs, ["experiment", "activation", "measure"])
    columns = ["experiment", "activation", "measure", "mean", "ci_low", "ci_high", "n"]
    return {"final_units": table[columns], "final_units_runs": of_runs.rename(columns={"value": "layers_mean"})}


def _as_they_are(measures: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Average the shares, whose intervals end at 0 and 1, and the signed measures; none of them counts zeros."""
    parts = [(SHARES, True), (SIGNED, False)]
    found = [summarise(measures[measures["measure"].isin(of)], "value", keys, is_share=share) for of, share in parts]
    return pd.concat(found, ignore_index=True).assign(n_zero=0)
