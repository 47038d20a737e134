"""What does an activation cost: time of an element and of a training step, memory, accuracy per second of training?

It asks for no runs: the activations are timed once all runs are done, alone on the machine (`study/cost/stopwatch.py`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments import baseline
from study import figures
from study.analysis import cost as cost_tables
from study.analysis.claims import Judgement, judge
from study.constants import CHANCE_ACCURACY, COST_CLAIM, LEVEL_TO_REACH, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.report import formatting as tables
from study.report.section import Display, Evidence, Picture, Section

TITLE = "What an activation costs"
NAME = "cost"
TIMES_ACTIVATIONS = True


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Medians with quartiles, ratios with intervals, seconds to an accuracy; None if nothing was timed."""
    document = evidence.documents.get(NAME)
    if document is None:
        return None
    content = document["content"]
    timings, memory = pd.DataFrame(content["timings"]), pd.DataFrame(content["memory"])
    names = [name for name in plan.activations if name in set(memory["activation"])]
    if not names:
        return None
    timings = timings[timings["activation"].isin([*names, cost_tables.COPY])].astype({"elements": float})
    small = cost_tables.small_forward_backward(timings)
    usual = cost_tables.cheapest(cost_tables.spread(small[small["activation"].isin(names)]))
    reference = REFERENCE_ACTIVATION if REFERENCE_ACTIVATION in names else usual
    cost = cost_tables.wide(timings, memory, names, reference)
    each = _training(evidence.tables, cost, content["about"]["updates_an_epoch"])
    if each is not None:
        cost = cost.merge(cost_tables.training_summary(each), on="activation", how="left")
    section_tables = {
        "cost": cost,
        "cost_timings": timings,
        "cost_spread": cost_tables.spread(timings),
        **({} if each is None else {"cost_training": each}),
    }
    return Section(
        TITLE,
        _answer(cost, style),
        _blocks(cost, timings, content["about"], document["provenance"], style),
        section_tables,
        _judgements(small, names, document["provenance"]),
    )


def _training(found: Mapping[str, pd.DataFrame], cost: pd.DataFrame, updates: int) -> pd.DataFrame | None:
    """Seconds and accuracy of the article's network, run by run, if it was trained."""
    if not {"runs", "history"} <= found.keys():
        return None
    runs, history = (
        table[(table["experiment"] == baseline.NAME) & table["activation"].isin(cost["activation"])]
        for table in (found["runs"], found["history"])
    )
    return cost_tables.training(runs, history, cost, updates) if len(runs) else None


def _blocks(
    cost: pd.DataFrame, timings: pd.DataFrame, about: Mapping[str, Any], provenance: Mapping[str, Any], style: Style
) -> list[str | Display | Picture]:
    small, large = cost_tables.sizes(timings)
    reference = style.labels[cost["ratio_to"].iloc[0]]
    shown: list[str | Display | Picture] = [
        f"Timed on {_machine(provenance)}, one thread, compiled as the engine compiles, with nothing else running; "
        f"{about['repeats']} repeats, every activation once in each. An element is timed in a tensor of {small:,.0f}, "
        f"a batch at one layer, which fits a core's cache, and in one of {large:,.0f}, which does not fit most; "
        "results are written, as a next layer needs them, and the backward pass computes anew what it needs of the "
        f"forward pass, as the engine's does. A step is one of {about['updates']} of the article's "
        "network, measurements at logged steps included. Intervals say how far repeats scattered on this "
        "machine, no more.",
        Display(
            f"Time: median over repeats (quartiles), and how many times that of {reference} (geometric mean over "
            "repeats, 95% t interval of the logarithms).",
            _shown_time(cost, reference, style),
            "cost_time",
        ),
        Display(
            "Memory: bytes an element, float32, of the forward pass that TensorFlow's gradient reads, counted from its "
            "graph: the activation's own output, which the next layer keeps anyway, and other tensors. This study's "
            "engine keeps its input alone, and computes the rest again.",
            _shown_memory(cost, style),
            "cost_memory",
        ),
    ]
    if "reached" in cost:
        caption = (
            "Accuracy for time, the article's network: seconds of training steps until the validation accuracy first "
            f"reaches {tables.percent(LEVEL_TO_REACH, 0)}, over the runs that do; seconds until it stops; and points "
            f"of test accuracy above {tables.percent(CHANCE_ACCURACY, 0)}, which guessing has, per second of that. "
            "Epochs of the runs times the median step; means with 95% t intervals over seeds."
        )
        shown.append(Display(caption, _shown_training(cost, style), "cost_training"))
    caption = (
        "Every repeat (points; an arrowhead: beyond the axis), the median and the quartiles; dotted: reading and "
        "writing the same tensor without computing anything. Compare how far apart the activations are by the element "
        "with how far by the step, of which matrix products are most; and the bytes of other tensors (filled) with "
        "those of the output (open)."
    )
    of_small = timings[timings["elements"].isna() | (timings["elements"] == small)]
    shown.append(Picture(NAME, caption, figures.costs(of_small, cost, style, cost_tables.COPY)))
    return shown


def _machine(provenance: Mapping[str, Any]) -> str:
    return tables.escape_markdown(str(provenance.get("environment", {}).get("cpu", "an unknown processor")))


def _shown_time(cost: pd.DataFrame, reference: str, style: Style) -> pd.DataFrame:
    kinds = {
        "forward_ns": "forward, ns",
        "forward_backward_ns": "and backward, ns",
        "large_forward_backward_ns": "the same, large tensor, ns",
        "step_ms": "step, ms",
    }
    rows = []
    for row in cost.to_dict("records"):
        shown = {"Activation": style.labels[row["activation"]]}
        shown |= {title: _median(row, kind) for kind, title in kinds.items()}
        for prefix, title in (("forward_backward", "element"), ("step", "step")):
            bounds = (row[f"{prefix}_ratio"], row[f"{prefix}_low"], row[f"{prefix}_high"])
            shown[f"{title}, times {reference}"] = tables.interval(*bounds)
        rows.append(shown)
    return pd.DataFrame(rows)


def _median(row: Mapping[str, float], column: str) -> str:
    if row[column] != row[column]:
        return tables.DASH
    return f"{row[column]:.2f} ({row[f'{column}_q1']:.2f}, {row[f'{column}_q3']:.2f})"


def _shown_memory(cost: pd.DataFrame, style: Style) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Activation": style.labels[row["activation"]],
            "own output": f"{row['output_bytes']:g}",
            "other tensors": f"{row['other_bytes']:g}",
        }
        for row in cost.to_dict("records")
    )


def _shown_training(cost: pd.DataFrame, style: Style) -> pd.DataFrame:
    columns = {
        "seconds_to_level": f"s to {tables.percent(LEVEL_TO_REACH, 0)}",
        "training_seconds": "s in all",
        "points_per_second": "points per s",
    }
    rows = []
    for row in cost.dropna(subset=["runs"]).to_dict("records"):
        shown = {"Activation": style.labels[row["activation"]], "reached": f"{row['reached']:.0f} of {row['runs']:.0f}"}
        for column, title in columns.items():
            shown[title] = tables.interval(row[column], row[f"{column}_low"], row[f"{column}_high"])
        rows.append(shown)
    return pd.DataFrame(rows)


def _answer(cost: pd.DataFrame, style: Style) -> str:
    def range_of(column: str, unit: str) -> str:
        ordered = cost.dropna(subset=[column]).sort_values(column)
        ends = [
            f"{row[column]:.2f} {unit} ({tables.escape_markdown(style.labels[row['activation']])})"
            for row in ordered.to_dict("records")
        ]
        return ends[0] if len(ends) == 1 else f"between {ends[0]} and {ends[-1]}"

    return (
        f"An element costs {range_of('forward_backward_ns', 'ns')} forward and backward, alone; a training step of the "
        f"article's network {range_of('step_ms', 'ms')}."
    )


def _judgements(small: pd.DataFrame, names: list[str], provenance: Mapping[str, Any]) -> list[Judgement]:
    """A1: the activation called cheap against the cheapest other."""
    others = small[small["activation"].isin([name for name in names if name != COST_CLAIM])]
    if COST_CLAIM not in names or others.empty:
        return []
    other = cost_tables.cheapest(cost_tables.spread(others))
    remark = f"against {other}, forward and backward, on {provenance.get('environment', {}).get('cpu', 'one machine')}"
    return [judge("A1", "elementwise", cost_tables.ratio(small, COST_CLAIM, other), remark)]
