"""Compare each activation with the reference, in the runs of one arm."""

import pandas as pd

from study.analysis.statistics import compare_with_reference
from study.constants import EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION


def against_reference(runs: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame | None:
    """Compare each activation with the reference by seed: rows of the table `comparisons`, one an activation.

    `runs`: activation, seed, `metric` in [0, 1]; one row per run. Return None without the reference or
    without another activation.
    """
    names = set(runs["activation"]) if len(runs) else set()
    if REFERENCE_ACTIVATION not in names or len(names) < 2:
        return None
    found = compare_with_reference(runs, metric=metric, reference=REFERENCE_ACTIVATION, margin=EQUIVALENCE_MARGIN)
    found.insert(0, "experiment", experiment)
    found.insert(1, "metric", metric)
    found.insert(3, "reference", REFERENCE_ACTIVATION)
    return found
