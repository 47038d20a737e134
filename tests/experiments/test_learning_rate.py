"""Learning rates: which runs each round asks for, what is chosen of them, and what the comparison then says."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from both_languages import render
from fake_records import all_rounds
from fake_studies import STYLE, Accuracy
from hypothesis import given
from hypothesis import strategies as st

from experiments import baseline, learning_rate
from study.activations import REGISTRY
from study.analysis import rule_errors, tuning
from study.analysis.tuning import GRID_SEEDS, HALF_DECADES, MOST_EXTENSIONS
from study.constants import FIRST_FRESH_SEED, FIRST_SEEDS, MOST_SEEDS, NOISE_AMPLITUDES, TUNING_EPOCHS
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report.rendering import Page
from study.settings import Settings

PAIR = Plan(("relu", "gelu"))


def peaked(**optima: float) -> Accuracy:
    """Accuracy 0.98 at an activation's optimum (log10 of the rate), a point less for each decade away from it."""

    def accuracy(settings: Settings) -> float:
        away = abs(math.log10(settings.learning_rate) - optima[settings.activation])
        return max(0.98 - 0.01 * away + 1e-4 * (settings.seed % 7), 0.1)

    return accuracy


FOUND = peaked(relu=-3, gelu=-2)


@pytest.fixture(autouse=True)
def _simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the simulation of the rule small: it has its own tests."""
    monkeypatch.setattr(rule_errors, "STUDIES", 4)


def ran(plan: Plan, accuracy: Accuracy) -> list[Record]:
    return all_rounds(learning_rate.rounds, plan, accuracy)


def interpreted(plan: Plan, accuracy: Accuracy) -> tuple[dict[str, pd.DataFrame], Page]:
    section = learning_rate.interpret(plan, ran(plan, accuracy), STYLE)
    return section.tables, render(section, STYLE.labels)


def settings_of(records: list[Record]) -> list[Settings]:
    return [Settings(**found["identity"]["settings"]) for found in records]


def stage(plan: Plan, records: list[Record], name: str) -> list[Settings]:
    return settings_of(learning_rate.by_stage(plan, records)[name])


def table(accuracies: dict[float, list[float]], asked: int = GRID_SEEDS) -> pd.DataFrame:
    """Make `tuning.rate_table` of one activation whose seeds ended so at these rates; NaN diverged."""
    rows = [("relu", rate, seed, value) for rate, values in accuracies.items() for seed, value in enumerate(values)]
    frame = pd.DataFrame(rows, columns=["activation", "learning_rate", "seed", "best_validation_accuracy"])
    diverged = frame["best_validation_accuracy"].isna()
    return tuning.rate_table(frame.assign(status=np.where(diverged, "diverged", "done")), asked)


@given(st.integers(-20, 4))
def test_rates_are_half_decades(k: int) -> None:
    """A rate's square is a power of ten, and it knows its k; whole decades are, to the bit, what a person types."""
    assert tuning.learning_rate_of(k) ** 2 == pytest.approx(10.0**k)
    assert tuning.half_decade_of(tuning.learning_rate_of(k)) == k
    typed = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert [tuning.learning_rate_of(2 * decade) for decade in range(-6, 2)] == typed


def test_the_first_round_is_one_grid_for_all_and_the_baseline() -> None:
    """Every activation with every rate and grid seed, nothing twice, none stopped early; a quick look has no round."""
    plan = Plan(tuple(REGISTRY))
    runs = learning_rate.rounds(plan, [])
    grid = [s for s in runs if s.epochs == TUNING_EPOCHS]
    assert len(grid) == len(set(grid)) == len(REGISTRY) * len(HALF_DECADES) * GRID_SEEDS
    assert {(s.patience, s.depth, s.optimizer) for s in grid} == {(None, 3, "adam")}
    rates = set(map(tuning.learning_rate_of, HALF_DECADES))
    assert all({s.learning_rate for s in grid if s.activation == name} == rates for name in REGISTRY)
    assert learning_rate.ARTICLE_RATE in {s.learning_rate for s in grid}
    assert [s for s in runs if s.epochs != TUNING_EPOCHS] == baseline.run_settings(plan, plan.activations)
    assert learning_rate.rounds(Plan(("relu",), is_quick=True), []) == []


TOP = HALF_DECADES[-1]


@pytest.mark.parametrize(
    ("optimum", "added"),
    [(-4.6, (-9, -10)), (-0.4, (-1, 0)), (-3.0, ()), (9.0, range(TOP + 1, TOP + 1 + MOST_EXTENSIONS))],
)
def test_the_grid_grows_for_every_activation(optimum: float, added: Sequence[int]) -> None:
    """Until one activation's optimum has a neighbour on both sides, or to the most extensions; the page tells both."""
    tables, page = interpreted(PAIR, peaked(relu=-3, gelu=optimum))
    rates = tables["learning_rate_grid"].set_index("activation")["learning_rate"]
    for name in PAIR.activations:
        assert sorted(rates[name]) == sorted(map(tuning.learning_rate_of, {*HALF_DECADES, *added}))
    assert set(tables["learning_rate_grid"]["n"]) == {GRID_SEEDS}
    assert ("grew for every activation, because an activation's best" in page.body) == (len(added) > 0)
    is_edge = len(added) == MOST_EXTENSIONS
    assert tables["tuned"]["is_edge"].tolist() == [False, is_edge]
    assert ("Still at the edge of the grid, after all extensions: GELU." in page.body) == is_edge
    shown = {display.name: display.frame for display in page.displays}["learning_rate"]
    assert shown["decades"].str.startswith("≥ ").tolist() == [False, is_edge]


def test_each_seed_s_validation_chooses_its_rate() -> None:
    """ReLU is better at 0.001 on even seeds and at the next lower rate on odd ones; a third rate is worse."""

    def accuracy(s: Settings) -> float:
        is_high = s.learning_rate == 1e-3
        if s.learning_rate > 1e-3:
            return FOUND(s) if s.epochs == TUNING_EPOCHS else 0.9
        return FOUND(s) if s.epochs == TUNING_EPOCHS else 0.97 if is_high == (s.seed % 2 == 0) else 0.96

    plan = Plan(("relu",), 4)
    records = ran(plan, accuracy)
    both = stage(plan, records, "to_the_end")
    assert {s.learning_rate for s in both} == {1e-3, *map(tuning.learning_rate_of, (-5, -7))}
    assert {(s.patience, s.epochs) for s in both} == {(Settings.patience, Settings.epochs)}
    chosen = {s.seed: s.learning_rate for s in settings_of(learning_rate.tuned_records(plan, records))}
    assert chosen == {2000: 1e-3, 2001: tuning.learning_rate_of(-7), 2002: 1e-3, 2003: tuning.learning_rate_of(-7)}
    tables = learning_rate.interpret(plan, records, STYLE).tables
    assert tables["rates_chosen"].set_index("learning_rate")["seeds_chosen"].sort_index().tolist() == [2, 2, 0]
    assert tables["tuned"]["tuned_accuracy_mean"].tolist() == pytest.approx([0.97])


@pytest.mark.parametrize(
    ("optimum", "tried"), [(-2, (-3, -4, -5)), (-3, (-4, -5, -6, -7)), (-9, range(-8, -3)), (0, range(-5, 0))]
)
def test_rates_are_added_until_the_usual_one_has_two_neighbours(optimum: float, tried: Sequence[int]) -> None:
    """The grid's best rate is 0.01. To the end, the rates go half a decade beyond the optimum, or to the fifth rate."""

    def accuracy(s: Settings) -> float:
        return peaked(relu=-2 if s.epochs == TUNING_EPOCHS else optimum, gelu=-2)(s)

    plan = replace(PAIR, seeds=3)
    rates = stage(plan, ran(plan, accuracy), "to_the_end")
    assert {tuning.half_decade_of(s.learning_rate) for s in rates if s.activation == "relu"} == set(tried)
    assert {tuning.half_decade_of(s.learning_rate) for s in rates if s.activation == "gelu"} == {-3, -4, -5}


def test_the_first_seeds_alone_decide_which_rates_are_tried() -> None:
    """All seeds run at all rates tried. Later seeds would prefer a lower rate, but no more rates follow."""

    def accuracy(s: Settings) -> float:
        is_late = s.seed >= FIRST_FRESH_SEED + FIRST_SEEDS
        return peaked(relu=-4 if is_late and s.epochs > TUNING_EPOCHS else -3)(s)

    plan = Plan(("relu",), FIRST_SEEDS + 30)
    found = stage(plan, ran(plan, accuracy), "to_the_end")
    assert len(found) == len(set(found)) == 3 * (FIRST_SEEDS + 30)
    assert {tuning.half_decade_of(s.learning_rate) for s in found} == {-5, -6, -7}


def test_a_run_that_failed_chooses_no_rate() -> None:
    """GELU's usual rate is 0.01. Without runs at a higher one, it is added; if all runs crash, no rate is."""
    frame = runs_frame(learning_rate.by_stage(PAIR, ran(PAIR, FOUND))["to_the_end"])
    is_gelu = frame["activation"] == "gelu"
    assert tuning.added_rates(frame) == []
    few = frame[~is_gelu | (frame["learning_rate"] < 0.02)]
    assert tuning.added_rates(few) == [("gelu", tuning.learning_rate_of(-3))]
    assert tuning.added_rates(frame.assign(status=frame["status"].mask(is_gelu, "failed"))) == []


@pytest.mark.parametrize("name", ["grid", "to_the_end"])
def test_no_choice_sees_test_data(name: str) -> None:
    """Test accuracies turned upside down choose the same rates, for all seeds and for each."""
    frame = runs_frame(learning_rate.by_stage(PAIR, ran(PAIR, noisy(3e-4)))[name])
    turned = frame.assign(**{column: 1 - frame[column] for column in frame if "test_" in column})
    best, of_turned = (tuning.best_rates(tuning.rate_table(rows, GRID_SEEDS)) for rows in (frame, turned))
    assert best == of_turned
    assert tuning.chosen_by_seed(turned).index.equals(tuning.chosen_by_seed(frame).index)


def test_of_equal_rates_the_lower_is_chosen_and_a_diverged_run_never_if_another_finished() -> None:
    frame = pd.DataFrame(
        {
            "activation": "relu", "seed": [0, 0, 1, 1, 2, 2], "learning_rate": [1e-3, 1e-2] * 3,
            "best_validation_accuracy": [0.9, 0.9, math.nan, 0.8, math.nan, math.nan],
        }
    )  # fmt: skip
    found = tuning.chosen_by_seed(frame).set_index("seed")["learning_rate"]
    assert found.to_dict() == {0: 1e-3, 1: 1e-2, 2: 1e-3}


def noisy(spread: float) -> Accuracy:
    """Scatter runs by activation and seed."""

    def accuracy(s: Settings) -> float:
        return FOUND(s) + np.random.default_rng(zlib.crc32(f"{s.activation} {s.seed}".encode())).normal(0, spread)

    return accuracy


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ({1e-3: 15, 3e-4: 11, 3e-3: 4}, 3e-4, 1e-3),
        ({1e-3: 12, 3e-4: 14, 1e-4: 4}, 3e-4, 1e-3),
        ({1e-3: 24, 1e-2: 6}, 1e-3, 1e-3),
        ({10.0**-k: 6 for k in range(5)}, 1e-4, 1.0),
    ],
)
def test_the_range_of_usual_rates_holds_what_a_quarter_of_the_seeds_chose(
    counts: dict[float, int], low: float, high: float
) -> None:
    """Two processors' counts have another usual rate and the same range. If no rate has a quarter, the most count."""
    rates = [rate for rate, count in counts.items() for _ in range(count)]
    found = tuning.usual_ranges(pd.DataFrame({"activation": "relu", "learning_rate": rates}))
    assert found.loc["relu"].tolist() == pytest.approx([low, high])


@pytest.mark.parametrize(
    ("spread", "least", "most"), [(3e-4, FIRST_SEEDS, FIRST_SEEDS), (2e-3, 30, 50), (9e-3, MOST_SEEDS, MOST_SEEDS)]
)
def test_fresh_seeds_are_added_until_the_interval_is_narrow(spread: float, least: int, most: int) -> None:
    """The same for all, under noise, none of which chose anything; the page tells the widest half width, rounded up."""
    records = ran(PAIR, noisy(spread))
    tuned = settings_of(learning_rate.tuned_records(PAIR, records))
    seeds = sorted(s.seed for s in tuned if s.activation == "relu")
    assert seeds == sorted(s.seed for s in tuned if s.activation == "gelu")
    assert seeds == list(range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + len(seeds)))
    assert least <= len(seeds) <= most
    assert {s.noise for s in tuned} == {NOISE_AMPLITUDES}
    assert not {s.seed for s in tuned} & {s.seed for s in stage(PAIR, records, "grid")}
    section = learning_rate.interpret(PAIR, records, STYLE)
    half = (section.tables["comparisons"]["ci_high"] - section.tables["comparisons"]["ci_low"]).max() / 2
    told = f"The widest interval ended at ±{math.ceil(1e4 * half) / 100:.2f} points."
    assert told in render(section, STYLE.labels).body


def test_an_activation_that_diverges_on_fresh_seeds_does_not_end_the_sampling_of_the_others() -> None:
    def accuracy(s: Settings) -> float:
        if s.activation == "elu":
            return math.nan if s.seed >= FIRST_FRESH_SEED else 0.97
        return noisy(9e-3)(s)

    plan = replace(PAIR, activations=("relu", "gelu", "elu"))
    tuned = settings_of(learning_rate.tuned_records(plan, ran(plan, accuracy)))
    assert len({s.seed for s in tuned if s.activation == "gelu"}) == MOST_SEEDS


def test_seeds_asked_for_are_the_fresh_ones() -> None:
    """SEEDS=2 asks for two fresh seeds, and no more follow; FIRST_SEED shifts every seed."""
    plan = Plan(("relu",), 2, first_seed=7000)
    records = ran(plan, peaked(relu=-3))
    assert [s.seed - FIRST_FRESH_SEED for s in settings_of(learning_rate.tuned_records(plan, records))] == [7000, 7001]
    assert min(s.seed for s in settings_of(records)) == 7000
    assert "2 seeds were asked for." in render(learning_rate.interpret(plan, records, STYLE), STYLE.labels).body


def test_the_highest_mean_is_best_and_what_joins_it_is_tolerated() -> None:
    """Of 0.980, the rates beside it with 0.979 and 0.9785 are within 0.002. The 0.979 beyond a gap does not count."""
    rates = [tuning.learning_rate_of(k) for k in range(-8, -2)]
    means = [0.979, 0.970, 0.9785, 0.980, 0.979, 0.977]
    found = table({rate: [mean] * GRID_SEEDS for rate, mean in zip(rates, means, strict=True)})
    assert found["is_best"].tolist() == [False, False, False, True, False, False]
    assert found["is_tolerated"].tolist() == [False, False, True, True, True, False]
    row = tuning.tolerated_ranges(found).iloc[0]
    assert (row["tolerance_low"], row["tolerance_high"], row["tolerance_decades"]) == (rates[2], rates[4], 1.0)
    assert not row[["is_open_low", "is_open_high", "is_edge"]].any()


def test_a_rate_at_which_a_seed_failed_cannot_be_best() -> None:
    """However good the others were; nor does the tolerance reach over it. A run without a record counts as failed."""
    found = table({1e-3: [0.97, 0.97, 0.97], 1e-2: [0.99, 0.99, math.nan], 1e-1: [0.9699, 0.9699, 0.9699]})
    assert tuning.best_rates(found) == {"relu": 1e-3}
    assert found["diverged"].tolist() == [0, 1, 0]
    assert tuning.tolerated_ranges(found)["tolerance_high"].tolist() == [1e-3]
    assert tuning.best_rates(table({1e-3: [0.97] * 5, 1e-2: [0.99] * 4}, 5)) == {"relu": 1e-3}


def test_where_all_diverge_the_grid_goes_down_and_nothing_is_chosen() -> None:
    """Runs diverge where rates are too large, so smaller ones are tried; then the report says that there is none."""
    tables, page = interpreted(PAIR, lambda s: math.nan if s.activation == "gelu" else peaked(relu=-3)(s))
    lowest = tuning.learning_rate_of(HALF_DECADES[0] - MOST_EXTENSIONS)
    assert tables["learning_rate_grid"]["learning_rate"].min() == lowest
    assert "No rate at which every seed finished: GELU." in page.body
    assert tables["tuned"].set_index("activation").loc["gelu", ["learning_rate", "tuned_n"]].isna().all()
    shown = {display.name: display.frame.set_index("Activation").loc["GELU"].tolist() for display in page.displays[:2]}
    assert shown["learning_rate"] == ["–"] * 6
    assert shown["tuned"] == ["–", "–", "–", "0, 15 diverged", "–", "– / –", "–", "–"]


def test_the_gain_is_paired_and_the_page_names_the_findings() -> None:
    """GELU's own rate is the article's, so that tuning gains nothing; ReLU's is a decade away, which is a point."""
    tables, page = interpreted(PAIR, FOUND)
    tuned = tables["tuned"].set_index("activation")
    assert tuned["gain"].to_dict() == pytest.approx({"relu": 0.01, "gelu": 0.0})
    assert tuned["gain_n"].to_dict() == {"relu": 15, "gelu": 15}
    found = tables["comparisons"].iloc[0]
    assert (found["experiment"], found["finding"], found["difference"]) == ("learning_rate", "tie", pytest.approx(0.0))
    said = "A tie with ReLU: GELU. Against the rate 0.01, tuning changes accuracy by +0.00 to +1.00 points."
    assert said in page.answer
    assert {picture.name for picture in page.pictures} == {"learning_rate", "tuned"}
