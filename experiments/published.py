"""Claims that a network shows before any training: A3, P5 and P9. Measured at initialisation, the errors in float64.

The activations are those the claims name, whatever the study compares.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, geometric_summary, log_mean_interval, rate_summary
from study.constants import (
    A3_CLAIM,
    A3_DEPTH,
    INITIAL_SEEDS,
    INITIALIZATIONS,
    P5_CLAIM,
    P5_DEPTH,
    P9_CLAIM,
    P9_DEPTH,
    P9_SEEDS,
    P9_WIDTHS,
    WIDTH,
)
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Claims about networks at initialisation"
KEYS = ["activation", "init", "depth", "width"]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round of untrained networks, none in a quick look; those of A3 are among `depth`'s, where it is compared."""
    if so_far or plan.is_quick:
        return []
    deep = [_initial(name, A3_DEPTH, WIDTH, INITIALIZATIONS[0], seed) for name in A3_CLAIM for seed in _seeds(plan)]
    name, parts = P5_CLAIM
    deep += [_initial(name, P5_DEPTH, WIDTH, init, seed) for init in parts.values() for seed in _seeds(plan)]
    name, init = P9_CLAIM
    narrow = [_initial(name, P9_DEPTH, width, init, seed) for width in P9_WIDTHS for seed in range(P9_SEEDS)]
    return [*deep, *narrow]


def _seeds(plan: Plan) -> range:
    return range(max(plan.seeds or 0, INITIAL_SEEDS))


def _initial(name: str, depth: int, width: int, init: str, seed: int) -> Settings:
    return Settings(activation=name, seed=seed, depth=depth, width=width, initialization=init, epochs=0)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """The error's way through deep networks, and the share of narrow ones that are born dead."""
    measures = measures_frame(records)
    ways = measures[measures["width"] == WIDTH]
    errors = _error_ratios(ways)
    born = _born_dead(measures[measures["width"] != WIDTH])
    blocks: list[str | Display | Picture] = [
        f"Networks of {WIDTH} units a layer, {_seeds(plan).stop} seeds each, and narrow ones of {P9_DEPTH} hidden "
        f"layers, {P9_SEEDS} seeds each; nothing is trained. A narrow network is born dead if in some hidden layer "
        "every unit is dead on all of 1,000 validation images: no signal passes that layer, and no gradient.",
        Display(
            "The error's norm at the first layer over that at the last hidden layer, and the factor per layer that "
            "makes: geometric means over seeds, 95% intervals.",
            _shown_errors(errors, style),
            "initial_errors",
        ),
        Display("Networks born dead, in percent, exact 95% binomial interval.", _shown_born(born, style), "born_dead"),
        Picture(
            "born_dead",
            f"The share of networks of {P9_DEPTH} hidden layers that are born dead, by the width of their layers.",
            figures.born_dead(born, style),
        ),
    ]
    found = {"initial_errors": errors, "born_dead": born}
    return Section(TITLE, _answer(born, style), blocks, found, _judgements(ways, born))


def _first_over_last(measures: pd.DataFrame) -> pd.DataFrame:
    """Per run, `ratio`: the error's norm at layer 1 over that at the last hidden layer; `factor`: that of one layer."""
    errors = measures[measures["measure"] == "error"]
    keys = [*KEYS, "seed"]
    first = errors[errors["layer"] == 1].set_index(keys)["value"]
    last = errors[errors["layer"] == errors["depth"]].set_index(keys)["value"]
    ratio = (first / last.reindex(first.index)).rename("ratio").reset_index()
    return ratio.assign(factor=ratio["ratio"] ** (1 / (ratio["depth"] - 1)))


def _error_ratios(measures: pd.DataFrame) -> pd.DataFrame:
    per_run = _first_over_last(measures)
    ratio = geometric_summary(per_run, "ratio", KEYS).drop(columns="missing").rename(columns={"mean": "ratio"})
    factor = geometric_summary(per_run, "factor", KEYS)[[*KEYS, "mean", "ci_low", "ci_high"]]
    renamed = {"mean": "factor", "ci_low": "factor_low", "ci_high": "factor_high"}
    return ratio.merge(factor.rename(columns=renamed), on=KEYS)


def _born_dead(measures: pd.DataFrame) -> pd.DataFrame:
    """Per width: how many networks have a hidden layer whose units are all dead; `rate` with its interval."""
    shares = measures[(measures["measure"] == "dead_units") & measures["value"].notna()]
    most = shares.groupby([*KEYS, "seed"], sort=False)["value"].max().reset_index()
    return rate_summary(most.assign(is_dead=most["value"] == 1), "is_dead", KEYS)


def _judgements(ways: pd.DataFrame, born: pd.DataFrame) -> list[Judgement]:
    """Of every part whose networks were measured."""
    per_run, found = _first_over_last(ways), []
    for name in A3_CLAIM:
        factors = per_run.loc[(per_run["activation"] == name) & (per_run["depth"] == A3_DEPTH), "factor"]
        found += _judged("A3", name, factors)
    for part, init in P5_CLAIM[1].items():
        ratios = per_run.loc[(per_run["init"] == init) & (per_run["depth"] == P5_DEPTH), "ratio"]
        found += _judged("P5", part, ratios)
    for part, width in (("narrow", P9_WIDTHS[0]), ("wide", P9_WIDTHS[-1])):
        for row in born[born["width"] == width].to_dict("records"):
            found.append(judge("P9", part, Interval(row["rate"], row["ci_low"], row["ci_high"], row["n"])))
    return found


def _judged(claim: str, part: str, values: "pd.Series[float]") -> list[Judgement]:
    if values.empty:
        return []
    measured, zeros = log_mean_interval(values)
    return [judge(claim, part, measured, f"{zeros} networks whose error is exactly 0 left out" if zeros else "")]


def _shown_errors(errors: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "initialisation": row["init"],
            "hidden layers": row["depth"],
            "n": row["n"],
            "first over last": _scientific(row["ratio"], row["ci_low"], row["ci_high"]),
            "per layer": formatting.interval(row["factor"], row["factor_low"], row["factor_high"]),
        }
        for row in errors.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _shown_born(born: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "width": row["width"],
            "born dead": f"{row['count']} of {row['n']}",
            "percent": formatting.interval(row["rate"], row["ci_low"], row["ci_high"], 100),
        }
        for row in born.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _answer(born: pd.DataFrame, style: Style) -> str:
    if born.empty:
        return ""
    parts = ", ".join(
        f"{formatting.percent(row['rate'], 0)} at width {row['width']}" for row in born.to_dict("records")
    )
    label, init = formatting.escape_markdown(style.labels[P9_CLAIM[0]]), formatting.escape_markdown(P9_CLAIM[1])
    return f"Of {label} networks with {P9_DEPTH} narrow hidden layers under {init}, so many are born dead: {parts}."


def _scientific(*numbers: float) -> str:
    """`estimate [low, high]`, for ratios that span powers of ten."""
    estimate, low, high = (f"{number:.2g}" for number in numbers)
    return f"{estimate} [{low}, {high}]"
