"""Do the claims A3, P5 and P9 hold, which need no training? The gradients of networks are measured at initialisation.

The measurements are in float64. The claims decide which activations are measured, whatever the study compares. The
error of a layer is the norm of the loss gradient with respect to its pre-activations.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, geometric_summary, log_mean_interval, share_summary
from study.constants import INITIAL_SEEDS, INITIALIZATIONS, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
KEYS = ["activation", "init", "depth", "width"]
# {measure: number of the layer whose norm is compared with the last hidden layer's}. For weights this is layer 2,
# because the weights of layer 1 have another shape.
FIRST_LAYER = {"weight_gradient": 2, "error": 1}
A3_DEPTH = 50
A3_CLAIM = ("sigmoid", "relu")  # activations; the names of A3's parts begin with them
P5_DEPTH = 30
P5_CLAIM = ("relu", {"glorot": "glorot_uniform", "he": "he_normal"})  # activation, {part: initialisation}
P9_CLAIM = ("relu", "he_normal")  # activation, initialisation
P9_WIDTHS = (2, 3, 4, 6, 10)  # the parts `narrow` and `wide` of P9 are of the first and last width
P9_DEPTH = 10
P9_SEEDS = 60  # if no network is born dead, the 95% interval of the share ends at 6%


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round of networks that are not trained: deep ones for A3 and P5, narrow ones for P9.

    There are none with records `so_far` or in a quick look. `depth` has A3's runs too, of activations of `plan`.
    """
    if so_far or plan.is_quick:
        return []
    deep = [_settings(name, A3_DEPTH, WIDTH, INITIALIZATIONS[0], seed) for name in A3_CLAIM for seed in _seeds(plan)]
    name, parts = P5_CLAIM
    deep += [_settings(name, P5_DEPTH, WIDTH, init, seed) for init in parts.values() for seed in _seeds(plan)]
    name, init = P9_CLAIM
    narrow = [_settings(name, P9_DEPTH, width, init, seed) for width in P9_WIDTHS for seed in plan.block(P9_SEEDS)]
    return [*deep, *narrow]


def _seeds(plan: Plan) -> range:
    return plan.block(max(plan.seeds or 0, INITIAL_SEEDS))


def _settings(name: str, depth: int, width: int, init: str, seed: int) -> Settings:
    return Settings(activation=name, seed=seed, depth=depth, width=width, initialization=init, epochs=0)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Judge claims A3 and P5 by the gradients of deep networks, and P9 by the share of narrow networks born dead."""
    measures = measures_frame(records)
    deep = measures[measures["width"] == WIDTH]
    per_run = _first_and_ratio(deep)
    born = _born_dead_shares(measures[measures["width"] != WIDTH])
    name, init = P9_CLAIM
    protocol = {"activation": name, "init": init, "depth": P9_DEPTH, "narrow_seeds": P9_SEEDS}
    return Section(
        PAGE,
        {"initial_ratios": _ratio_summary(per_run), "born_dead": born},
        {"born_dead": figures.born_dead(born, style)},
        protocol | {"seeds": len(_seeds(plan))},
        _judgements(per_run, born),
    )


def _first_and_ratio(measures: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and measure of FIRST_LAYER: the columns KEYS, seed, measure, first, ratio and factor.

    `first` is the norm at the layer that FIRST_LAYER names, and `ratio` is `first` over the norm at the last hidden
    layer. `factor` is the geometric mean, over the layers between, of the norm in a layer over the norm in the next.
    """
    keys, parts = [*KEYS, "seed"], []
    for measure, layer in FIRST_LAYER.items():
        norms = measures[measures["measure"] == measure]
        first = norms[norms["layer"] == layer].set_index(keys)["value"]
        last = norms[norms["layer"] == norms["depth"]].set_index(keys)["value"]
        table = pd.DataFrame({"first": first, "ratio": first / last.reindex(first.index)}).reset_index()
        factor = table["ratio"] ** (1 / (table["depth"] - layer))
        parts.append(table.assign(measure=measure, factor=factor))
    return pd.concat(parts, ignore_index=True)


def _ratio_summary(per_run: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network (KEYS) and measure: the geometric mean of `ratio` over seeds, with its t interval.

    `n_zero` ratios of exactly 0 are left out. `factor` is the mean change per layer, from factor_low to factor_high.
    """
    table = geometric_summary(per_run, "ratio", [*KEYS, "measure"]).drop(columns="missing")
    power = 1 / (table["depth"] - table["measure"].map(FIRST_LAYER))
    factors = {"mean": "factor", "ci_low": "factor_low", "ci_high": "factor_high"}
    return table.assign(**{name: table[of] ** power for of, name in factors.items()}).rename(columns={"mean": "ratio"})


def _born_dead_shares(measures: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network (KEYS): n (seeds), count (born dead), and share with its interval ci_low to ci_high.

    A network is born dead if all units of a hidden layer are dead on the probe images before training.
    """
    shares = measures[(measures["measure"] == "dead_units") & measures["value"].notna()]
    most = shares.groupby([*KEYS, "seed"], sort=False)["value"].max().reset_index()
    return share_summary(most.assign(is_dead=most["value"] == 1), "is_dead", KEYS)


def _judgements(per_run: pd.DataFrame, born: pd.DataFrame) -> list[Judgement]:
    """Judge every part of A3, P5 and P9 whose networks were measured.

    `per_run` is the result of `_first_and_ratio`, and `born` of `_born_dead_shares`. A3 takes the `factor`, P5 the
    `ratio`, and P9 the `share`. Two parts compare the `first` norms of weight gradients in ReLU networks. These are
    A3's `relu_depth`, 50 layers over 30, and P5's `size`, Glorot's initialisation over He's.
    """
    found = []
    for measure, ending in {"weight_gradient": "_weights", "error": "_error"}.items():
        rows = per_run[per_run["measure"] == measure]
        shallow, deep = rows[rows["depth"] == P5_DEPTH], rows[rows["depth"] == A3_DEPTH]
        for name in A3_CLAIM:
            found += _judge_geometric_mean("A3", name + ending, deep.loc[deep["activation"] == name, "factor"])
        for part, init in P5_CLAIM[1].items():
            found += _judge_geometric_mean("P5", part + ending, shallow.loc[shallow["init"] == init, "ratio"])
    weights = per_run[(per_run["measure"] == "weight_gradient") & (per_run["activation"] == P5_CLAIM[0])]
    glorot, he = (paired_arms.arm(weights, "first", depth=P5_DEPTH, init=init) for init in P5_CLAIM[1].values())
    deep = paired_arms.arm(weights, "first", depth=A3_DEPTH)
    for claim, part, first, second in (("A3", "relu_depth", deep, glorot), ("P5", "size", glorot, he)):
        if len(first) and len(second):
            found.append(judge(claim, part, paired_arms.ratio(first, second)))
    for part, width in (("narrow", P9_WIDTHS[0]), ("wide", P9_WIDTHS[-1])):
        for row in born[born["width"] == width].to_dict("records"):
            found.append(judge("P9", part, Interval(row["share"], row["ci_low"], row["ci_high"], row["n"])))
    return found


def _judge_geometric_mean(claim: str, part: str, values: "pd.Series[float]") -> list[Judgement]:
    """Judge one part of a claim by the geometric mean of `values` over seeds and its 95% interval.

    Zeros are left out, and the remark of the judgement counts them. Return a list with the judgement, empty if there
    are no `values`.
    """
    if values.empty:
        return []
    measured, zeros = log_mean_interval(values)
    return [judge(claim, part, measured, f"{zeros} networks whose norm is exactly 0 left out" if zeros else "")]
