"""The comparison on other seeds: which runs it asks for, when it ends, and what it says alone and pooled."""

import math
import zlib

import numpy as np
import pandas as pd
import pytest
from both_languages import render
from fake_records import all_rounds
from fake_studies import STYLE
from scipy import stats

from experiments import learning_rate, narrow, verdict
from study.analysis.comparisons import table_by_seed
from study.constants import EQUIVALENCE_MARGIN, FIRST_FRESH_SEED, HALF_WIDTH, MOST_SEEDS, NARROW_HALF_WIDTH
from study.plan import Plan
from study.records.store import Record
from study.report.section import Evidence
from study.settings import Settings

PLAN = Plan(("relu", "gelu", "swish"))
LEADS = {"relu": 0.0, "gelu": 0.0013, "swish": 0.0}


def accuracy(settings: Settings) -> float:
    """Accuracy 0.97 at a rate of 0.001, with GELU 0.13 points ahead and seeds that scatter by 0.17 points."""
    noise = np.random.default_rng(zlib.crc32(f"{settings.activation} {settings.seed}".encode())).normal(0, 0.0017)
    return 0.97 + LEADS[settings.activation] + noise - 0.01 * abs(math.log10(settings.learning_rate) + 3)


def ran(plan: Plan = PLAN) -> list[Record]:
    return all_rounds(narrow.rounds, plan, accuracy)


def seeds(records: list[Record]) -> set[int]:
    found = {record["identity"]["settings"]["seed"] for record in records}
    return {seed for seed in found if seed >= FIRST_FRESH_SEED}


def test_its_seeds_are_no_seeds_of_the_tuned_comparison_and_its_rates_are_chosen_alike() -> None:
    own, tuned = ran(), all_rounds(learning_rate.rounds, PLAN, accuracy)
    assert min(seeds(own)) == FIRST_FRESH_SEED + MOST_SEEDS
    assert not seeds(own) & seeds(tuned)
    both = (learning_rate.runs_by_stage(PLAN, records)["to_the_end"] for records in (own, tuned))
    rates = [runs.groupby("activation")["learning_rate"].unique().map(sorted).to_dict() for runs in both]
    assert rates[0] == rates[1]


def test_it_ends_when_both_blocks_together_are_narrow() -> None:
    """The widths are of t intervals here, and of pooled variances in the plan: they agree to a few percent."""
    section = narrow.interpret(PLAN, ran(), STYLE)
    alone = section.tables["comparisons"]["half_width"].max()
    assert alone <= narrow.OWN_HALF_WIDTH
    assert (alone**-2 + HALF_WIDTH**-2) ** -0.5 <= NARROW_HALF_WIDTH * (1 + 1e-9)
    assert pytest.approx(EQUIVALENCE_MARGIN) == NARROW_HALF_WIDTH * 3


def test_seeds_asked_for_are_run_and_a_quick_look_has_none() -> None:
    assert len(seeds(ran(Plan(("relu", "gelu"), seeds=3)))) == 3
    assert narrow.rounds(Plan(("relu", "gelu"), is_quick=True), []) == []
    assert narrow.expected(Plan(("relu", "gelu"), is_quick=True)) == []
    assert len(narrow.expected(PLAN)) == len(narrow.rounds(PLAN, [])) + 3 * 50 * len(PLAN.activations)


def test_the_page_tells_its_own_findings_and_the_verdict_the_pooled_ones() -> None:
    """The pooled differences are scipy's over the seeds of both experiments; a seed in both counts once."""
    own = narrow.interpret(PLAN, ran(), STYLE).tables
    tuned = learning_rate.runs_by_stage(PLAN, all_rounds(learning_rate.rounds, PLAN, accuracy))["tuned"]
    first = tuned[["activation", "seed"]].assign(experiment="learning_rate", accuracy=tuned[narrow.METRIC])
    both = pd.concat([first, own["compared_accuracies"], own["compared_accuracies"].assign(experiment="learning_rate")])
    section = verdict.conclude(PLAN, Evidence({**own, "compared_accuracies": both}, {}, []), STYLE)
    assert section is None  # without the tables of the other experiments there is no verdict
    pooled = verdict._pooled_comparisons({"compared_accuracies": both})
    wide = table_by_seed(both.drop_duplicates(["activation", "seed"]), "accuracy")
    for row in pooled.itertuples():
        test = stats.ttest_1samp(wide[row.activation] - wide["relu"], 0)
        assert row.n == len(wide) > own["comparisons"]["n"].max()
        low, high = test.confidence_interval(0.975)
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high))
        is_tie = low > -EQUIVALENCE_MARGIN and high < EQUIVALENCE_MARGIN
        assert row.finding == ("tie" if is_tie else "undecided")


def test_an_activation_that_one_block_lacks_is_not_pooled() -> None:
    rows = [(name, where, seed) for name in ("relu", "gelu") for where, seed in (("learning_rate", 1), ("narrow", 2))]
    rows.append(("mish", "learning_rate", 1))
    frame = pd.DataFrame(rows, columns=["activation", "experiment", "seed"]).assign(accuracy=0.97)
    pooled = verdict._pooled_comparisons({"compared_accuracies": frame})
    assert pooled["activation"].tolist() == ["gelu"]
    assert verdict._pooled_comparisons({"compared_accuracies": frame[frame["experiment"] == "learning_rate"]}) is None


def test_the_page_names_every_difference_with_its_interval() -> None:
    section = narrow.interpret(PLAN, ran(), STYLE)
    page = render(section, STYLE.labels)
    assert "GELU +0." in page.answer
    assert page.displays[0].name == "narrow"
    assert render(narrow.interpret(PLAN, [], STYLE), STYLE.labels).answer.startswith("No two activations")
