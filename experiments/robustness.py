"""Does the choice of activation matter when the test images are noisy, as in the GELU paper's test?

Uniform noise is added to the pixels, and the sum is not clipped. The module asks for no runs of its own: the runs of
`learning_rate` on fresh seeds are evaluated under noise too. They are compared at one learning rate, because the effect
of noise depends on the rate more than on the activation.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments import learning_rate
from study import figures
from study.analysis import comparisons
from study.analysis.statistics import geometric_summary, summarise
from study.constants import NOISE_MARGIN, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import noise_frame, runs_frame
from study.records.store import Record
from study.report.section import Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "robustness"
# The name of the comparison at the rates that each seed's validation images chose.
OWN_RATES_COMPARISON = "robustness_own"
METRIC = "noise_accuracy"  # a run's test accuracy, averaged over the amplitudes above 0
KEYS = ["activation", "amplitude"]


rounds, expected = learning_rate.rounds, learning_rate.expected  # this module uses the same runs


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Summarise accuracy and loss by amplitude of the noise, and compare mean accuracies with the reference.

    The tables whose names begin with noise are about the runs of `learning_rate` at all rates at which an activation
    trained to the end. All other tables are about the runs that `at_one_rate` selects, except for the comparison
    OWN_RATES_COMPARISON of the runs of `tuned_records`.
    """
    tried, tuned = learning_rate.by_stage(plan, records)["to_the_end"], learning_rate.tuned_records(plan, records)
    records = learning_rate.at_one_rate(plan, records)
    noisy, of_tried = noise_frame(records), noise_frame(tried)
    if noisy.empty:
        return Section(PAGE)
    overall = _mean_accuracies(runs_frame(records), noisy)
    own = _mean_accuracies(runs_frame(tuned), noise_frame(tuned))
    compared = {NAME: (overall, METRIC), OWN_RATES_COMPARISON: (own, METRIC)}
    of_tried_runs = _mean_accuracies(runs_frame(tried), of_tried)
    table = _amplitude_summary(noisy)
    summary = summarise(overall, METRIC, "activation", is_share=True)
    rates = overall.groupby("activation")["learning_rate"].first()
    section_tables = {
        "noise_runs": of_tried.assign(experiment=NAME),
        "noise_by_rate": _rate_summary(of_tried_runs),
        "noise_rate_effect": _rate_effects(of_tried_runs, own),
        NAME: table,
        "robustness_mean": summary.rename(columns={"mean": f"{METRIC}_mean"}).join(rates, on="activation"),
        **comparisons.family_tables(compared, NOISE_MARGIN),
    }
    names = set(table["activation"])
    reference = style.label(REFERENCE_ACTIVATION) if {REFERENCE_ACTIVATION} < names else None
    drawn = {NAME: figures.noise_response(table, noisy, style, reference)}
    return Section(PAGE, section_tables, drawn)


def _rate_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation and learning rate: accuracy under noise, and how it compares with the reference.

    The columns difference, difference_ci_low, difference_ci_high and finding come from `against_reference`, at the same
    rate and seeds, where there is something to compare. The intervals of the differences are simultaneous for all
    rates.
    """
    keys = ["activation", "learning_rate"]
    summary = summarise(runs, METRIC, keys, is_share=True).rename(columns={"mean": f"{METRIC}_mean"})
    by_rate = dict(list(runs.groupby("learning_rate")))
    with_reference = [rate for rate, of_rate in by_rate.items() if REFERENCE_ACTIVATION in set(of_rate["activation"])]
    family = sum(by_rate[rate]["activation"].nunique() - 1 for rate in with_reference)
    found = [
        rows.assign(learning_rate=rate)
        for rate in with_reference
        if (rows := comparisons.against_reference(by_rate[rate], NAME, METRIC, NOISE_MARGIN, family)) is not None
    ]
    names = {"difference": "difference", "ci_low": "difference_ci_low", "ci_high": "difference_ci_high"}
    if not found:
        return summary.assign(**dict.fromkeys([*names.values(), "finding"], np.nan))
    return summary.join(pd.concat(found).set_index(keys)[[*names, "finding"]].rename(columns=names), on=keys)


def _rate_effects(tried: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation but the reference: how much its learning rates would change the reference.

    `tried` and `tuned` are results of `_mean_accuracies`. `tried` has all runs to the end. `tuned` has one run of each
    activation and seed, at the rate that the seed's validation images chose for the activation. On a seed, the effect
    is the reference's accuracy under noise at the activation's rate minus its accuracy at its own rate. `rate_effect`
    is the mean over the `n` seeds on which the reference ran at both rates, with its t interval ci_low to ci_high. It
    shows which part of a difference at own rates is due to the rates alone.
    """
    reference = tried[tried["activation"] == REFERENCE_ACTIVATION].set_index(["learning_rate", "seed"])[METRIC]
    own = tuned[tuned["activation"] == REFERENCE_ACTIVATION].set_index("seed")[METRIC]
    others = tuned[tuned["activation"] != REFERENCE_ACTIVATION]
    moved = others.join(reference.rename("moved"), on=["learning_rate", "seed"]).join(own.rename("own"), on="seed")
    effects = summarise(moved.assign(rate_effect=moved["moved"] - moved["own"]), "rate_effect", "activation")
    return effects[["activation", "n", "mean", "ci_low", "ci_high"]].rename(columns={"mean": "rate_effect"})


def _mean_accuracies(runs: pd.DataFrame, noisy: pd.DataFrame) -> pd.DataFrame:
    """Return activation, learning_rate, seed, status and noise_accuracy of each of `runs`.

    `noise_accuracy` is the run's mean test accuracy over the amplitudes above 0 in `noisy`, a `noise_frame`, or NaN.
    """
    keys = ["activation", "learning_rate", "seed"]
    means = noisy[noisy["amplitude"] > 0].groupby(keys)["test_accuracy"].mean().rename(METRIC)
    return runs[[*keys, "status"]].join(means, on=keys)


def _amplitude_summary(noisy: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation and noise amplitude, over `n` seeds with t intervals.

    `test_accuracy_mean` is an arithmetic mean, and `test_loss_mean` a geometric one. `difference` is the mean of the
    accuracy minus the reference's on the same seed, NaN for the reference itself.
    """
    wide = noisy.set_index([*KEYS, "seed"])["test_accuracy"]
    reference = wide.get(REFERENCE_ACTIVATION, wide.iloc[:0].droplevel("activation"))
    joined = noisy.join(reference.rename("reference"), on=["amplitude", "seed"])
    difference = (joined["test_accuracy"] - joined["reference"]).where(joined["activation"] != REFERENCE_ACTIVATION)
    parts = [
        _renamed_columns(summarise(noisy, "test_accuracy", KEYS, is_share=True), "test_accuracy_mean", "accuracy", "n"),
        _renamed_columns(geometric_summary(noisy, "test_loss", KEYS), "test_loss_mean", "loss"),
        _renamed_columns(
            summarise(joined.assign(difference=difference), "difference", KEYS), "difference", "difference"
        ),
    ]
    return pd.concat(parts, axis=1).reset_index()


def _renamed_columns(summary: pd.DataFrame, mean: str, prefix: str, *more: str) -> pd.DataFrame:
    """Return the columns `more` of `summary`, its mean as `mean`, and its interval as `prefix`_ci_..., by KEYS."""
    names = {"mean": mean, "ci_low": f"{prefix}_ci_low", "ci_high": f"{prefix}_ci_high"}
    return summary.set_index(KEYS)[[*more, *names]].rename(columns=names)
