"""What does an activation cost: time per element and per training step, memory, accuracy per second of training?

The module asks for no runs. Once all runs are done, the activations are timed while no other process works
(`study/cost/stopwatch.py`), and the document `cost` keeps the timings.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from experiments import baseline
from study import figures
from study.analysis import cost as analysis
from study.analysis.claims import Judgement, judge
from study.constants import REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_used_by
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "cost"
TIMES_ACTIVATIONS = True  # asks for the document `cost` (study/plan.py)
CLAIMED_ACTIVATION = "relu"  # the activation that A1 calls cheap


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Summarise the timings by activation, and the seconds of training; None if no activation of `plan` was timed.

    The ratios are to the reference or, if `plan` or the timings lack it, to the cheapest activation. If `baseline` has
    runs, the table `cost` has the columns of `training_summary` too.
    """
    document = evidence.documents.get(NAME)
    if document is None:
        return None
    content, cpu = document["content"], document["provenance"].get("environment", {}).get("cpu", "an unknown processor")
    timings, memory = pd.DataFrame(content["timings"]), pd.DataFrame(content["memory"])
    names = [name for name in plan.activations if name in set(memory["activation"])]
    if not names:
        return None
    timings = timings[timings["activation"].isin([*names, analysis.COPY])].astype({"elements": float})
    size, _ = analysis.tensor_sizes(timings)
    small = analysis.timings_of_size(timings, "forward_backward", size)  # these decide which activation is cheap
    cheapest = analysis.cheapest(small[small["activation"].isin(names)])
    reference = REFERENCE_ACTIVATION if REFERENCE_ACTIVATION in names else cheapest
    cost = analysis.cost_table(timings, memory, names, reference)
    of_runs = _training_table(evidence.tables, cost, content["about"]["updates_an_epoch"])
    if of_runs is not None:
        cost = cost.merge(analysis.training_summary(of_runs), on="activation", how="left")
    tables = {
        NAME: cost.assign(cpu=cpu),
        "cost_timings": timings,
        "cost_spread": analysis.spread(timings),
        **({} if of_runs is None else {"cost_training": of_runs}),
    }
    of_small = timings[timings["elements"].isna() | (timings["elements"] == size)]
    drawn = {NAME: figures.costs(of_small, cost, style, analysis.COPY)}
    protocol = {**content["about"], "cpu": cpu, "level": analysis.LEVEL_TO_REACH}
    return Section(PAGE, tables, drawn, protocol, _judgements(small, timings, names, cpu))


def _training_table(found: Mapping[str, pd.DataFrame], cost: pd.DataFrame, updates: int) -> pd.DataFrame | None:
    """Return `analysis.training_by_run` of the runs of `baseline`, from the tables `found`; None without such runs."""
    if not {"runs", "history"} <= found.keys():
        return None
    history = found["history"]
    history = history[history["experiment"] == baseline.NAME]
    runs = runs_used_by(found["runs"], baseline.NAME)
    runs, history = (table[table["activation"].isin(cost["activation"])] for table in (runs, history))
    return analysis.training_by_run(runs, history, cost, updates) if len(runs) else None


def _judgements(small: pd.DataFrame, timings: pd.DataFrame, names: list[str], cpu: str) -> list[Judgement]:
    """Judge A1 by the time of ReLU over the time of the cheapest other activation of `names`, on the processor `cpu`.

    `small` has the `timings` "forward_backward" of the small tensor. Without ReLU or another activation, judge nothing.
    """
    others = small[small["activation"].isin([name for name in names if name != CLAIMED_ACTIVATION])]
    if CLAIMED_ACTIVATION not in names or others.empty:
        return []
    other = analysis.cheapest(others)
    steps = timings[timings["quantity"] == "step"]
    return [
        judge("A1", part, analysis.time_ratio(rows, CLAIMED_ACTIVATION, other), f"against {other}, {what}, on {cpu}")
        for part, rows, what in (("elementwise", small, "forward and backward"), ("step", steps, "the whole network"))
    ]
