"""What would three seeds have said? And do the two smooth gates, Swish and GELU, differ?

The module asks for no runs of its own. It takes the runs of `learning_rate` at each activation's chosen rates, and many
times draws three runs per activation, as if a study had no others. It judges both parts of claim P8.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments import learning_rate
from study.analysis import comparisons
from study.analysis.claims import Judgement, judge
from study.analysis.resampling import SmallSamples, draw_small_samples
from study.analysis.statistics import mean_interval
from study.constants import GATES_CLAIM, P8_N, P8_RESAMPLES, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report.section import Section

PAGE = Path(__file__).with_suffix(".md")
METRIC = learning_rate.METRIC


rounds, expected = learning_rate.rounds, learning_rate.expected  # this module uses the same runs


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Count how often three runs per activation show a difference that all seeds do not support, and judge P8."""
    tuned = learning_rate.tuned_records(plan, records)
    if not tuned:
        return Section(PAGE)
    runs = runs_frame(tuned)
    small = _small_samples(runs)
    tables = {} if small is None else {"few_seeds": small.table}
    return Section(PAGE, tables, judgements=_judgements(runs, small))


def _small_samples(runs: pd.DataFrame) -> SmallSamples | None:
    """Draw P8_N runs per activation, P8_RESAMPLES times; count differences from the reference (`draw_small_samples`).

    Activations that never finished are left out, and then each seed on which another activation did not finish. Return
    None if this leaves no reference, no other activation, or at most P8_N seeds.
    """
    compared = comparisons.against_reference(runs, learning_rate.NAME, METRIC)
    wide = comparisons.table_by_seed(runs, METRIC).dropna(axis=1, how="all").dropna()
    if compared is None or REFERENCE_ACTIVATION not in wide or wide.shape[1] < 2 or len(wide) <= P8_N:
        return None
    signs = np.select([compared["ci_low"] > 0, compared["ci_high"] < 0], [1.0, -1.0], 0.0)
    pairs = zip(compared["activation"], signs.tolist(), strict=True)
    supported = {name: sign for name, sign in pairs if name in wide}
    return draw_small_samples(wide, REFERENCE_ACTIVATION, supported, n=P8_N, draws=P8_RESAMPLES)


def _judgements(runs: pd.DataFrame, small: SmallSamples | None) -> list[Judgement]:
    """Judge P8's parts `gates` (Swish's accuracy minus GELU's) and `small_n` (excess of false winners), if measured."""
    found = []
    wide = comparisons.table_by_seed(runs, METRIC)
    if set(GATES_CLAIM) <= set(wide):
        first, second = GATES_CLAIM
        found.append(judge("P8", "gates", mean_interval((wide[first] - wide[second]).dropna())))
    if small is not None:
        found.append(judge("P8", "small_n", small.excess))
    return found
