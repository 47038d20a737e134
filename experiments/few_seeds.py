"""What would three seeds have said? And do the two smooth gates, Swish and GELU, differ?

The question draws the baseline's runs three at a time, so it asks for no runs of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments import baseline
from study.analysis import comparisons
from study.analysis.claims import Judgement, judge
from study.analysis.resampling import SmallSamples, small_samples
from study.analysis.statistics import mean_interval
from study.constants import CONFIDENCE, GATES_CLAIM, P8_N, P8_RESAMPLES, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
METRIC = baseline.METRIC


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the baseline's runs; none in a quick look, which has too few seeds to draw from."""
    return [] if plan.is_quick else baseline.compared(plan, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Count how often a few seeds show a winner that all seeds do not support, and judge P8."""
    runs = runs_frame(records)
    small = _drawn(runs)
    if small is None:
        return Section(PAGE, judgements=_judgements(runs, None))
    shown = {"few_seeds": _shown(small.table, style)}
    return Section(PAGE, {"few_seeds": small.table}, shown, judgements=_judgements(runs, small))


def _drawn(runs: pd.DataFrame) -> SmallSamples | None:
    """Draw small samples from each activation with more than P8_N finished runs.

    Return None unless the reference and another activation have enough runs.
    """
    differences = comparisons.against_reference(runs, baseline.NAME, METRIC)
    finished = runs.dropna(subset=[METRIC])
    arms = {str(name): part[METRIC].to_numpy() for name, part in finished.groupby("activation", sort=False)}
    arms = {name: values for name, values in arms.items() if len(values) > P8_N}
    if differences is None or REFERENCE_ACTIVATION not in arms or len(arms) < 2:
        return None
    is_supported = differences["p_holm"] < 1 - CONFIDENCE
    signs = differences["difference"].gt(0).mul(2).sub(1).where(is_supported, 0)
    supported = dict(zip(differences["activation"], signs, strict=True))
    return small_samples(arms, REFERENCE_ACTIVATION, supported, n=P8_N, draws=P8_RESAMPLES)


def _judgements(runs: pd.DataFrame, small: SmallSamples | None) -> list[Judgement]:
    """Judge P8; leave out parts whose activations have no runs."""
    found = []
    wide = runs.pivot(index="seed", columns="activation", values=METRIC)  # noqa: PD010 - a pivot_table drops arms
    if set(GATES_CLAIM) <= set(wide):
        first, second = GATES_CLAIM
        found.append(judge("P8", "gates", mean_interval((wide[first] - wide[second]).dropna())))
    if small is not None:
        remark = f"n is the number of draws of {P8_N} seeds; the interval is of the drawing alone, not of other seeds"
        found.append(judge("P8", "small_n", small.unsupported, remark))
    return found


def _shown(table: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "better": f"{100 * row['share_better']:.1f}",
            "worse": f"{100 * row['share_worse']:.1f}",
            "not supported by all seeds": f"{100 * row['share_unsupported']:.1f}",
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)
