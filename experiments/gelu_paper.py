"""P1, P2: does GELU beat ReLU and ELU in the GELU paper's protocol (Hendrycks & Gimpel 2016, section 3.1, on MNIST)?

GELU is in its tanh form, as in the paper. The network has 8 hidden layers of 128 units, whose incoming weights have
norm 1. It is trained by Adam in batches of 128. For each activation and dropout rate, the learning rate is chosen on
5,000 validation images. P1 compares the training losses. P2 compares the test accuracies under input noise of the
networks without dropout.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, fewer_epochs, judge
from study.constants import CLAIM_SEEDS, NOISE_AMPLITUDES, P1_LAYERS, P1_VALIDATION
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, noise_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "gelu_paper"
TARGET = "claims"
ACTIVATION = "gelu_tanh"
OTHERS = ("relu", "elu")
NOISE_OTHER = OTHERS[0]  # the activation that P2 compares with ACTIVATION
RATES = (1e-3, 1e-4, 1e-5)
BATCH = 128
DROPOUTS = {"": 0.0, "_dropout": 0.5}  # {ending of the names of P1's parts, as in relu_dropout: dropout rate}
EPOCHS = 50  # as published
Arm = tuple[str, float]  # activation and dropout
ARMS: list[Arm] = [(name, dropout) for dropout in DROPOUTS.values() for name in (ACTIVATION, *OTHERS)]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the next round, as far as they have no record in `so_far`.

    Round 1 has each activation and dropout rate at all RATES, on the first seed of `plan`. Round 2 has each of these
    pairs at its chosen rate on every seed.
    """
    if not so_far:
        return [_settings(arm, rate, plan.first_seed) for arm in ARMS for rate in RATES]
    seeds = plan.block(plan.seeds or CLAIM_SEEDS)
    final = [_settings(arm, rate, seed) for arm, rate in _chosen_rates(plan, so_far).items() for seed in seeds]
    return selection.without_record(final, so_far)


def _settings(arm: Arm, rate: float, seed: int) -> Settings:
    depth, width = P1_LAYERS
    return Settings(
        activation=arm[0], seed=seed, depth=depth, width=width, initialization="unit_norm", dropout=arm[1],
        learning_rate=rate, batch=BATCH, validation=P1_VALIDATION, epochs=EPOCHS, patience=None,
        noise=NOISE_AMPLITUDES,
    )  # fmt: skip


def _chosen_rates(plan: Plan, records: Sequence[Record]) -> dict[Arm, float]:
    """Return {arm: rate with the lowest validation loss on the first seed}, without arms that never finished there."""
    runs = runs_frame(records)
    trials = runs[(runs["seed"] == plan.first_seed) & runs["best_validation_loss"].notna()]
    best = trials.sort_values("best_validation_loss", kind="stable").drop_duplicates(["activation", "dropout"])
    found = best.set_index(["activation", "dropout"])["learning_rate"].to_dict()
    return {arm: found[arm] for arm in ARMS if arm in found}


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare final training losses and accuracies under noise at the chosen rates, and judge P1 and P2."""
    rates = _chosen_rates(plan, records)
    asked = [(record, selection.settings_of(record)) for record in records]
    final = [record for record, has in asked if rates.get((has["activation"], has["dropout"])) == has["learning_rate"]]
    if not final:
        return Section(PAGE)
    common = selection.shared_settings(final)
    history = history_frame(final)
    last = history.rename(columns={"dropout": "arm_dropout"}).sort_values("epoch", kind="stable")
    last = last.drop_duplicates(["activation", "arm_dropout", "seed"], keep="last")
    losses = last[["activation", "arm_dropout", "seed", "epoch", "training_loss"]].reset_index(drop=True)
    noisy = _noise_accuracies(final)
    judged = _judgements(losses, noisy, fewer_epochs(common["epochs"], EPOCHS))
    found = {
        "history": history.assign(experiment=NAME),
        "final_losses": losses.assign(experiment=NAME),
        "gelu_paper": _loss_summary(losses, rates),
        "paper_noise": noisy,
    }
    names = {f"gelu_paper_dropout_{100 * dropout:.0f}": dropout for dropout in history["dropout"].unique()}
    drawn = {
        name: figures.training_curves(history[history["dropout"] == dropout], style) for name, dropout in names.items()
    }
    protocol = {
        **common,
        "activation": ACTIVATION,
        "rates": sorted({has["learning_rate"] for _, has in asked}, reverse=True),
        "noise_other": NOISE_OTHER,
        "parts": {ending: {name + ending: name for name in OTHERS} for ending in DROPOUTS},
        "dropouts": DROPOUTS,
        "published": EPOCHS,
        "figures": names,
    }
    return Section(PAGE, found, drawn, protocol, judged)


def _loss_summary(losses: pd.DataFrame, rates: dict[Arm, float]) -> pd.DataFrame:
    """Return one row per activation and dropout rate: the training losses of the last epoch over seeds.

    `low` and `high` are the lowest and highest loss. `median_share` is the median of ACTIVATION at this dropout rate
    over the row's median.
    """
    keys = ["activation", "arm_dropout"]
    table = losses.groupby(keys, sort=False)["training_loss"].agg(n="count", median="median", low="min", high="max")
    table = table.reset_index()
    medians = table[table["activation"] == ACTIVATION].set_index("arm_dropout")["median"]
    return table.assign(
        learning_rate=[rates[name, dropout] for name, dropout in table[keys].itertuples(index=False)],
        median_share=table["arm_dropout"].map(medians) / table["median"],
    )


def _noise_accuracies(records: Sequence[Record]) -> pd.DataFrame:
    """Return each run's test accuracy under noise, averaged over the amplitudes above 0, for runs without dropout."""
    noisy = noise_frame([record for record in records if not selection.settings_of(record)["dropout"]])
    if noisy.empty:
        return pd.DataFrame(columns=["activation", "seed", "noise_accuracy"])
    means = noisy[noisy["amplitude"] > 0].groupby(["activation", "seed"], sort=False)["test_accuracy"].mean()
    return means.rename("noise_accuracy").reset_index()


def _judgements(losses: pd.DataFrame, noisy: pd.DataFrame, shorter: str) -> list[Judgement]:
    """Judge the parts of P1 and P2 whose two activations have runs, seed by seed, with `shorter` as `scaled_down`.

    P1 takes the ratio of final training losses, of ACTIVATION to each of OTHERS, at each dropout rate. P2 takes the
    accuracy under noise of ACTIVATION minus the accuracy of NOISE_OTHER.
    """
    found = []
    for ending, dropout in DROPOUTS.items():
        by_seed = {
            name: paired_arms.arm(losses, "training_loss", activation=name, arm_dropout=dropout)
            for name in (ACTIVATION, *OTHERS)
        }
        for name in OTHERS:
            if len(by_seed[ACTIVATION]) and len(by_seed[name]):
                measured = paired_arms.ratio(by_seed[ACTIVATION], by_seed[name])
                found.append(judge("P1", name + ending, measured, "rate chosen with one seed", shorter))
    first, second = (paired_arms.arm(noisy, "noise_accuracy", activation=name) for name in (ACTIVATION, NOISE_OTHER))
    if len(first) and len(second):
        remark = "the networks of P1; 0.2 points less would still match"
        found.append(judge("P2", "accuracy", paired_arms.difference(first, second), remark, shorter))
    return found
