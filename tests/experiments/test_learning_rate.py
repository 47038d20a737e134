"""Learning rates: which runs each round asks for, what is chosen of them, and what the comparison then says."""

import math
import re
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from fake_records import all_rounds, record
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments import learning_rate
from experiments.learning_rate import TUNED_SEEDS
from study.activations import REGISTRY
from study.analysis import tuning
from study.analysis.tuning import FINALIST_SEEDS, FINALISTS, HALF_DECADES, MOST_EXTENSIONS, TUNING_SEEDS
from study.constants import FIRST_FRESH_SEED, TUNING_EPOCHS
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report.rendering import Page, render
from study.report.section import Section
from study.settings import Settings

STYLE = Style({name: entry.label for name, entry in REGISTRY.items()}, {name: i for i, name in enumerate(REGISTRY)})
PAIR = Plan(("relu", "gelu"))


def peaked(**optima: float) -> Callable[[Settings], float]:
    """Accuracy 0.98 at an activation's optimum (log10 of the rate), a point less for each decade away from it."""

    def accuracy(settings: Settings) -> float:
        away = abs(math.log10(settings.learning_rate) - optima[settings.activation])
        return max(0.98 - 0.01 * away + 1e-4 * (settings.seed % 7), 0.1)

    return accuracy


def page_of(section: Section) -> Page:
    return render(section, STYLE.labels)


def table(accuracies: dict[float, list[float]], is_over: bool = False) -> pd.DataFrame:
    """`tuning.by_rate` of one activation whose seeds ended so at these rates; NaN diverged."""
    rows = [
        {
            "activation": "relu", "learning_rate": rate, "seed": seed, "best_validation_accuracy": value,
            "status": "diverged" if math.isnan(value) else "done",
        }
        for rate, values in accuracies.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return tuning.by_rate(pd.DataFrame(rows), is_over)


# The grid


def test_rates_are_the_nearest_numbers_to_half_decades() -> None:
    """At whole decades what a person types, and between them the square root of ten away."""
    assert [tuning.rate(k) for k in (-8, -6, -4, -2, 0, 2)] == [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert tuning.rate(-5) == pytest.approx(0.00316227766, rel=1e-9)
    assert learning_rate.ARTICLE_RATE in [tuning.rate(k) for k in HALF_DECADES]


@given(st.integers(-20, 4))
def test_a_rate_knows_its_half_decade(k: int) -> None:
    assert tuning.half_decades(tuning.rate(k)) == k


def test_the_first_round_is_one_grid_for_all() -> None:
    """Every activation with every rate and tuning seed, nothing twice, for the stated epochs, none stopped early."""
    runs = learning_rate.rounds(Plan(tuple(REGISTRY)), [])
    assert len(runs) == len(set(runs)) == len(REGISTRY) * len(HALF_DECADES) * TUNING_SEEDS
    assert {(s.epochs, s.patience, s.depth, s.optimizer) for s in runs} == {(TUNING_EPOCHS, None, 3, "adam")}
    for name in REGISTRY:
        assert {s.learning_rate for s in runs if s.activation == name} == set(map(tuning.rate, HALF_DECADES))


def test_nothing_runs_in_a_quick_look() -> None:
    assert learning_rate.rounds(Plan(("relu",), is_quick=True), []) == []


FOUND = peaked(relu=-3, gelu=-2)
FINALS = {("relu", tuning.rate(-7)), ("relu", 1e-3), ("gelu", tuning.rate(-5)), ("gelu", 1e-2)}  # if so; ties go down


def test_finalists_have_more_seeds_once_every_optimum_is_inside() -> None:
    """Every activation's two best rates, and of each the seeds that the first round did not have."""
    first = learning_rate.rounds(PAIR, [])
    second = learning_rate.rounds(PAIR, [record(s, FOUND(s)) for s in first])
    assert {(s.activation, s.learning_rate) for s in second} == FINALS
    assert len(second) == len(set(second)) == len(FINALS) * (FINALIST_SEEDS - TUNING_SEEDS)
    assert {s.seed for s in second} == set(range(TUNING_SEEDS, FINALIST_SEEDS))


def test_fresh_seeds_follow_the_finalists() -> None:
    """All arms have the same seeds, none of which chose a rate; a rate that is the article's is run once."""
    first = learning_rate.rounds(PAIR, [])
    records = [record(s, FOUND(s)) for s in first]
    records += [record(s, FOUND(s)) for s in learning_rate.rounds(PAIR, records)]
    fresh = learning_rate.rounds(PAIR, records)
    arms = {(s.activation, s.learning_rate) for s in fresh}
    assert arms == FINALS | {("relu", 1e-2)}
    assert len(fresh) == len(set(fresh)) == len(arms) * TUNED_SEEDS
    for name, rate in arms:
        seeds = [s.seed for s in fresh if (s.activation, s.learning_rate) == (name, rate)]
        assert seeds == list(range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + TUNED_SEEDS))
    assert not {s.seed for s in fresh} & {r["identity"]["settings"]["seed"] for r in records}
    assert learning_rate.rounds(PAIR, [*records, *(record(s, 0.9) for s in fresh)]) == []


def test_seeds_are_the_fresh_ones() -> None:
    """SEEDS=2 asks for two fresh seeds; the tuning seeds stay."""
    runs = [r["identity"]["settings"] for r in all_rounds(learning_rate.rounds, Plan(("relu",), 2), peaked(relu=-3))]
    assert len({s["seed"] for s in runs if s["seed"] >= FIRST_FRESH_SEED}) == 2
    assert len({s["seed"] for s in runs if s["seed"] < FIRST_FRESH_SEED}) == FINALIST_SEEDS


@pytest.mark.parametrize(("optimum", "added"), [(-4.6, (-9, -10)), (-0.4, (-1, 0)), (-3.0, ())])
def test_the_grid_grows_for_every_activation(optimum: float, added: tuple[int, ...]) -> None:
    """Until the optimum has a neighbour on both sides: one activation's edge costs all of them the same runs."""
    records = all_rounds(learning_rate.rounds, PAIR, peaked(relu=-3, gelu=optimum))
    tuned = [r["identity"]["settings"] for r in records if r["identity"]["settings"]["seed"] < FIRST_FRESH_SEED]
    for name in PAIR.activations:
        rates = [s["learning_rate"] for s in tuned if s["activation"] == name and s["seed"] < TUNING_SEEDS]
        assert sorted(rates) == sorted(TUNING_SEEDS * [tuning.rate(k) for k in {*HALF_DECADES, *added}])
        finals = [s["learning_rate"] for s in tuned if s["activation"] == name and s["seed"] >= TUNING_SEEDS]
        assert len(set(finals)) == FINALISTS


def test_the_grid_stops_growing_and_says_so() -> None:
    """If accuracy keeps rising with the rate, the grid ends at the most extensions; the report names the activation."""
    records = all_rounds(learning_rate.rounds, PAIR, peaked(relu=-3, gelu=9))
    rates = {r["identity"]["settings"]["learning_rate"] for r in records}
    assert max(rates) == tuning.rate(HALF_DECADES[-1] + MOST_EXTENSIONS)
    section = learning_rate.interpret(PAIR, records, STYLE)
    assert "grew for every activation, because an optimum stood at its edge" in page_of(section).body
    assert "Still at the edge of the grid, after all extensions: GELU." in page_of(section).body
    assert section.tables["tuned"].set_index("activation")["is_edge"].to_dict() == {"relu": False, "gelu": True}


# The choice


def test_the_highest_mean_is_chosen_and_what_joins_it_is_tolerated() -> None:
    """Of 0.980, the rates beside it with 0.979 and 0.9785 are within 0.002. The 0.979 beyond a gap does not count."""
    rates = [tuning.rate(k) for k in range(-8, -2)]
    means = [0.979, 0.970, 0.9785, 0.980, 0.979, 0.977]
    found = table({rate: [mean] * TUNING_SEEDS for rate, mean in zip(rates, means, strict=True)})
    assert found["is_chosen"].tolist() == [False, False, False, True, False, False]
    assert found["is_tolerated"].tolist() == [False, False, True, True, True, False]
    row = tuning.tolerance(found).iloc[0]
    assert (row["learning_rate"], row["tolerance_low"], row["tolerance_high"]) == (rates[3], rates[2], rates[4])
    assert row["tolerance_decades"] == 1.0
    assert not row[["is_open_low", "is_open_high", "is_edge"]].any()


def test_a_rate_at_which_a_seed_diverged_cannot_be_chosen() -> None:
    """However good the others were; nor does the tolerance reach over it."""
    found = table({1e-3: [0.97, 0.97, 0.97], 1e-2: [0.99, 0.99, math.nan], 1e-1: [0.9699, 0.9699, 0.9699]})
    assert tuning.chosen(found) == {"relu": 1e-3}
    assert found["diverged"].tolist() == [0, 1, 0]
    assert tuning.tolerance(found)["tolerance_high"].tolist() == [1e-3]


@pytest.mark.parametrize("seeds", [TUNING_SEEDS, FINALIST_SEEDS])
def test_a_run_without_a_record_counts_as_failed(seeds: int) -> None:
    """A rate with fewer seeds than it should have is not chosen."""
    found = table({1e-3: [0.97] * seeds, 1e-2: [0.99] * (seeds - 1)})
    assert tuning.chosen(found) == {"relu": 1e-3}


def test_all_seeds_of_the_finalists_choose() -> None:
    """The first three seeds would choose 0.01, and all choose 0.001. The rate 0.0001 has a higher mean than either, but
    over three easy seeds. On these it is 0.004 behind, which is more than the tolerance.
    """
    later = FINALIST_SEEDS - 3
    found = table({1e-4: [0.975] * 3, 1e-3: [0.979] * 3 + [0.960] * later, 1e-2: [0.980] * 3 + [0.950] * later})
    assert found["is_finalist"].tolist() == [False, True, True]
    assert found["is_chosen"].tolist() == [False, True, False]
    assert found["is_tolerated"].tolist() == [False, True, False]
    assert tuning.undecided(found) == []


def test_a_rate_that_lost_all_its_later_seeds_is_no_finalist_in_the_end() -> None:
    """They crashed and left no record, so that it looks as one of the first round; the next best has them all."""
    frame = {1e-4: [0.96] * FINALIST_SEEDS, 1e-3: [0.97] * FINALIST_SEEDS, 1e-2: [0.98] * TUNING_SEEDS}
    assert table(frame)["is_finalist"].tolist() == [False, True, True]
    assert table(frame, is_over=True)["is_finalist"].tolist() == [True, True, False]
    assert tuning.chosen(table(frame, is_over=True)) == {"relu": 1e-3}


def test_the_report_chooses_as_the_rounds_did() -> None:
    """A run that crashed is seen by the rounds, and the report has no record of it."""

    def has_crashed(s: Settings) -> bool:
        return s.activation == "gelu" and s.learning_rate == 1e-2 and TUNING_SEEDS <= s.seed < FIRST_FRESH_SEED

    records = all_rounds(learning_rate.rounds, PAIR, lambda s: math.nan if has_crashed(s) else FOUND(s))
    left = [r for r in records if not has_crashed(Settings(**r["identity"]["settings"]))]
    assert len(left) == len(records) - (FINALIST_SEEDS - TUNING_SEEDS)
    for seen in (records, left):
        tuned = learning_rate.interpret(PAIR, seen, STYLE).tables["tuned"].set_index("activation")
        assert tuned.loc["gelu", ["learning_rate", "runner_up"]].tolist() == [tuning.rate(-5), tuning.rate(-3)]


def test_the_next_best_takes_the_place_of_a_finalist_that_diverged() -> None:
    """In a later seed; it then has the seeds to come that the other finalist has had."""
    lost = [0.98] * (FINALIST_SEEDS - 1) + [math.nan]
    found = table({1e-4: [0.95] * 3, 1e-3: [0.96] * 3, 1e-2: [0.97] * FINALIST_SEEDS, 1e-1: lost})
    assert found["is_finalist"].tolist() == [False, True, True, False]
    assert tuning.chosen(found) == {"relu": 1e-2}
    assert tuning.undecided(found) == [("relu", 1e-3)]


def test_the_choice_never_sees_test_data() -> None:
    """Test accuracies turned upside down choose the same rates."""
    first = learning_rate.rounds(PAIR, [])
    records = [record(s, peaked(relu=-3, gelu=-2)(s)) for s in first]
    frame = runs_frame(records)
    is_test = [column for column in frame if "test_" in column]
    turned = frame.assign(**{column: 1 - frame[column] for column in is_test})
    assert tuning.chosen(tuning.by_rate(frame)) == tuning.chosen(tuning.by_rate(turned))


def test_where_all_diverge_the_grid_goes_down_and_nothing_is_chosen() -> None:
    """Runs diverge where rates are too large, so smaller ones are tried; then the report says that there is none."""
    records = all_rounds(
        learning_rate.rounds, PAIR, lambda s: math.nan if s.activation == "gelu" else peaked(relu=-3)(s)
    )
    assert min(r["identity"]["settings"]["learning_rate"] for r in records) == tuning.rate(
        HALF_DECADES[0] - MOST_EXTENSIONS
    )
    section = learning_rate.interpret(PAIR, records, STYLE)
    assert "No rate at which every seed finished: GELU." in page_of(section).body
    row = section.tables["tuned"].set_index("activation").loc["gelu"]
    assert math.isnan(row["learning_rate"])
    assert math.isnan(row["tuned_n"])
    assert row["untuned_diverged"] == TUNED_SEEDS


# The comparison


def drawn(names: tuple[str, ...], seeds: range, column: str) -> pd.DataFrame:
    """Accuracies about 0.97 at two rates, by chance; some arms are better than others."""
    rng = np.random.default_rng(3)
    keys = pd.MultiIndex.from_product([names, (1e-3, 1e-2), seeds], names=["activation", "learning_rate", "seed"])
    of_arms = np.repeat(rng.normal(0.97, 0.002, 2 * len(names)), len(seeds))
    return pd.DataFrame({column: rng.normal(of_arms, 0.002), "status": "done"}, keys).reset_index()


def test_what_depends_on_the_choice_agrees_with_scipy() -> None:
    """The lead's interval is the interval of scipy's paired test. The difference from the reference reaches from the
    least to the largest end of four such intervals. Both hold for every activation of the registry.
    """
    runs = drawn(tuple(REGISTRY), range(FINALIST_SEEDS), "best_validation_accuracy")
    fresh = drawn(tuple(REGISTRY), range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + 9), "accuracy")
    rates = tuning.by_rate(runs)
    leads, spans = tuning.leads(runs, rates), tuning.from_reference(fresh, rates, "accuracy")
    assert list(leads.index) == list(REGISTRY)
    assert list(spans.index) == [name for name in REGISTRY if name != "relu"]
    validation, test = (
        frame.groupby(["activation", "learning_rate"])[column].apply(np.array)
        for frame, column in ((runs, "best_validation_accuracy"), (fresh, "accuracy"))
    )
    for name, row in leads.iterrows():
        best, other = sorted((1e-3, 1e-2), key=lambda rate: -validation[name, rate].mean())
        interval = stats.ttest_rel(validation[name, best], validation[name, other]).confidence_interval()
        assert row["runner_up"] == other
        assert row[["lead_ci_low", "lead_ci_high"]].tolist() == pytest.approx([*interval])
    for name, row in spans.iterrows():
        couples = product((1e-3, 1e-2), repeat=2)
        ends = [stats.ttest_rel(test[name, a], test["relu", b]).confidence_interval() for a, b in couples]
        expected = [min(low for low, _ in ends), max(high for _, high in ends)]
        counts = [sum(low > 0 for low, _ in ends), sum(high < 0 for _, high in ends), 4]
        assert row.tolist() == pytest.approx([*expected, *counts])
    assert spans[["pairings_better", "pairings_worse"]].gt(0).any().all()  # else the counts were not tested


def test_what_is_not_known_of_one_pairing_is_not_known_of_all() -> None:
    """A finalist that diverged on all fresh seeds, or on all but one: no smaller span is given in its stead."""
    runs = drawn(("relu", "gelu"), range(FINALIST_SEEDS), "best_validation_accuracy")
    fresh = drawn(("relu", "gelu"), range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + 9), "accuracy")
    rates = tuning.by_rate(runs, is_over=True)
    for name, rate, kept in product(("relu", "gelu"), (1e-3, 1e-2), (0, 1)):
        is_lost = (fresh["activation"] == name) & (fresh["learning_rate"] == rate)
        is_lost &= fresh["seed"] >= FIRST_FRESH_SEED + kept
        for part in (fresh.assign(accuracy=fresh["accuracy"].mask(is_lost)), fresh[~is_lost]):
            assert tuning.from_reference(part, rates, "accuracy").drop(columns="pairings").isna().all(axis=None)


def test_a_choice_that_validation_hardly_made_is_named() -> None:
    """ReLU's two best rates differ by chance alone, GELU's by half a point in every seed."""

    def accuracy(s: Settings) -> float:
        is_close = s.activation == "relu" and s.learning_rate in (1e-3, tuning.rate(-7))
        return 0.98 + 1e-3 * math.sin(s.seed / s.learning_rate) if is_close else FOUND(s)

    section = learning_rate.interpret(PAIR, all_rounds(learning_rate.rounds, PAIR, accuracy), STYLE)
    said = "cannot tell the chosen rate from the next best for ReLU: the interval of the lead includes 0."
    assert said in page_of(section).body


def test_both_arms_are_compared_with_the_same_seeds() -> None:
    """Tuned, both reach 0.98; at 0.01 ReLU is a decade away and a point worse. The gain is the paired difference."""
    section = learning_rate.interpret(PAIR, all_rounds(learning_rate.rounds, PAIR, peaked(relu=-3, gelu=-2)), STYLE)
    tuned = section.tables["tuned"].set_index("activation")
    assert tuned["learning_rate"].to_dict() == {"relu": 1e-3, "gelu": 1e-2}
    assert tuned["gain"].to_dict() == pytest.approx({"relu": 0.01, "gelu": 0.0})
    assert tuned["lead"].to_dict() == pytest.approx({"relu": 0.005, "gelu": 0.005})
    reach = tuned.loc["gelu", ["any_finalist_low", "any_finalist_high"]]
    assert reach.tolist() == pytest.approx([-0.005, 0.005])  # the better of one against the worse of the other
    assert (tuned[["tuned_n", "untuned_n", "gain_n"]] == TUNED_SEEDS).all(axis=None)
    found = section.tables["comparisons"].set_index("experiment")
    assert found["difference"].to_dict() == pytest.approx({"learning_rate": 0.0, "learning_rate_untuned": 0.01})
    assert set(found["metric"]) == {"best_test_accuracy"}
    assert page_of(section).body.count("No optimum stood at the edge") == 1
    assert set(section.tables["accuracy"]["experiment"]) == {"learning_rate", "learning_rate_untuned"}
    assert tuned["untuned_rank"].to_dict() == {"relu": 2, "gelu": 1}
    assert "differs at the article's rate" in page_of(section).answer


def test_the_order_is_said_to_be_the_same_where_it_is() -> None:
    section = learning_rate.interpret(
        PAIR,
        all_rounds(learning_rate.rounds, PAIR, lambda s: peaked(relu=-2, gelu=-2)(s) - 0.01 * (s.activation == "gelu")),
        STYLE,
    )
    assert "is the same at the article's rate" in page_of(section).answer


def shown(records: list[Record], plan: Plan) -> Page:
    page = page_of(learning_rate.interpret(plan, records, STYLE))
    assert page.answer
    assert page.pictures
    cells = [str(cell) for display in page.displays for cell in display.frame.to_numpy().ravel()]
    assert not [cell for cell in cells if re.search(r"\b(nan|inf)\b", cell)]
    return page


@pytest.mark.parametrize("names", [("relu",), ("tanh",), ("sigmoid", "gelu"), tuple(REGISTRY)], ids=len)
@pytest.mark.parametrize("seeds", [1, 3])
def test_any_plan_has_an_answer(names: tuple[str, ...], seeds: int) -> None:
    """One activation, none of them the reference, one seed, the whole registry: an unknown number is a dash."""
    plan = Plan(names, seeds)
    page = shown(all_rounds(learning_rate.rounds, plan, peaked(**dict.fromkeys(names, -3))), plan)
    compared = [len(names) - 1] if "relu" in names and len(names) > 1 else []
    assert [len(display.frame) for display in page.displays] == [len(names), len(names), *compared]
    assert [picture.name for picture in page.pictures] == ["learning_rate", "tuned"]


def test_runs_that_all_diverged_have_an_answer() -> None:
    page = shown(all_rounds(learning_rate.rounds, PAIR, lambda _: math.nan), PAIR)
    assert page.answer == "No activation has a learning rate at which every tuning seed finished."


def test_tuning_runs_alone_have_an_answer() -> None:
    """As after an interruption: the rates are chosen, and nothing is compared."""
    records = [record(s, peaked(relu=-3, gelu=-2)(s)) for s in learning_rate.rounds(PAIR, [])]
    page = shown(records, PAIR)
    assert [picture.name for picture in page.pictures] == ["learning_rate"]
