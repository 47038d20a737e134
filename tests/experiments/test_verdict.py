"""The decision table and the recommendation, on made-up tables a person can check, one for each branch of the rule."""

import math
from typing import Any

import pandas as pd
import pytest
from fake_records import all_rounds

from experiments import learning_rate, robustness, verdict
from study.analysis.decision import Source, apart, decision_table, findings, recommended
from study.figures.style import Style
from study.plan import Plan
from study.report.rendering import Page, render
from study.report.section import Evidence

NAMES = ("relu", "sigmoid", "gelu")
TUNED = next(source for source in verdict.SOURCES if source.table == "tuned").columns.values()
STYLE = Style({"relu": "ReLU", "sigmoid": "Sigmoid", "gelu": "G*LU"}, {"relu": 0, "sigmoid": 1, "gelu": 2})


def comparison(activation: str, difference: float, p_holm: float, **more: Any) -> dict[str, Any]:
    row = {
        "experiment": "learning_rate", "metric": "best_test_accuracy", "activation": activation, "reference": "relu",
        "difference": difference, "ci_low": difference - 0.001, "ci_high": difference + 0.001, "n": 10,
        "p_holm": p_holm, "equivalent": False, "margin": 0.002, "smallest_p": 2 / 2**10,
        "detectable_difference": 0.0015,
    }  # fmt: skip
    return row | more


def compared(sigmoid: float = 0.0, gelu: float = 0.0, **more: Any) -> pd.DataFrame:
    """Make differences from ReLU; a difference of 0.01 or more is significant."""
    rows = [("sigmoid", sigmoid), ("gelu", gelu)]
    return pd.DataFrame([comparison(name, value, 0.001 if abs(value) >= 0.01 else 0.6, **more) for name, value in rows])


def page(tables: dict[str, pd.DataFrame]) -> Page:
    section = verdict.conclude(Plan(NAMES), Evidence(tables), STYLE)
    assert section is not None
    return render(section, STYLE.labels)


def say(tables: dict[str, pd.DataFrame]) -> str:
    return page(tables).answer


def accuracy(experiment: str = "baseline") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "experiment": experiment, "activation": NAMES, "n": 10, "test_accuracy_mean": [0.97, 0.96, 0.98],
            "ci_low": 0.95, "ci_high": 0.99,
        }
    )  # fmt: skip


def depths(low: list[int], high: list[int], optimiser: str = "sgd") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "experiment": "depth", "activation": NAMES, "optimiser": optimiser, "n": 5, "low": low, "median": low,
            "high": high, "deepest": 50,
        }
    )  # fmt: skip


def test_no_difference_means_the_reference_and_says_how_small_a_difference_was_excluded() -> None:
    """Intervals reach from -0.5 - 0.1 to 0.1 + 0.1 points; no more is claimed than they and the power say."""
    text = say({"accuracy": accuracy(), "comparisons": compared(sigmoid=-0.005, gelu=0.001)})
    assert text.startswith("**Use ReLU.** No difference from ReLU in test accuracy was seen")
    for part in (
        "from 0.60 points worse to 0.20 points better",
        "Equivalence within 0.2 points is shown for none",
        "With 10 paired seeds, a true gap of 0.15 points",
    ):
        assert part in text
    assert "Better" not in text
    assert "Worse" not in text


def test_equivalence_is_named() -> None:
    """Only those for which it is shown."""
    rows = compared()
    rows["equivalent"] = [True, False]
    assert "Equivalence within 0.2 points is shown for Sigmoid." in say({"accuracy": accuracy(), "comparisons": rows})


def test_the_better_ones_are_recommended_cheapest_first() -> None:
    """GELU and sigmoid are both better; sigmoid's step is cheaper; without costs the table's order holds."""
    rows = compared(sigmoid=0.02, gelu=0.03)
    cost = pd.DataFrame({"activation": NAMES, "step_ms": [1.0, 2.0, 3.0], "forward_backward_ns": 1.0})
    text = say({"accuracy": accuracy(), "comparisons": rows, "cost": cost})
    assert text.startswith(
        r"**Use Sigmoid.** Better than ReLU in test accuracy, each at a learning rate of its own, 6 epochs:"
    )
    assert "Of these, Sigmoid comes first" in text
    assert (
        "A training step takes 2.00 ms with Sigmoid. Over all activations it takes from 1.00 ms (ReLU) to 3.00" in text
    )
    dear = cost.assign(step_ms=[1.0, 4.0, 3.0])
    assert say({"accuracy": accuracy(), "comparisons": rows, "cost": dear}).startswith(r"**Use G\*LU.**")
    assert "ms" not in say({"accuracy": accuracy(), "comparisons": rows})


def test_what_hangs_on_the_choice_of_rates_is_said() -> None:
    """Of activations with several pairings, all known; and not where the tuned comparison does not decide."""
    tuned = pd.DataFrame(
        {
            "activation": NAMES, **dict.fromkeys(TUNED, 0.5), "any_finalist_low": [None, -0.003, 1e-4],
            "any_finalist_high": [None, 0.002, 0.002],
            "pairings_better": [None, 0, 4], "pairings_worse": [None, 0, 0], "pairings": [None, 4, 4],
        }
    )  # fmt: skip
    found = {"accuracy": accuracy(), "comparisons": compared(gelu=0.02)}
    said = (
        "Over all their pairings, the 95% intervals of the difference reach, in points: "
        r"Sigmoid -0.30 to +0.20 (neither in any of 4); G\*LU +0.01 to +0.20 (better in 4 of 4)."
    )
    assert said in say(found | {"tuned": tuned})
    untuned = found["comparisons"].assign(experiment="baseline")
    unknown = tuned.assign(any_finalist_high=math.nan)
    for other in ({"tuned": tuned.assign(pairings=1)}, {"tuned": unknown}, {"tuned": tuned, "comparisons": untuned}):
        assert "two best rates" not in say(found | other)


def test_the_worse_are_named_and_the_rest_bounded() -> None:
    """Sigmoid is worse by 2 points, which does not widen what is said of GELU."""
    text = say({"accuracy": accuracy(), "comparisons": compared(sigmoid=-0.02, gelu=0.003)})
    assert text.startswith("**Use ReLU.** Worse than ReLU in test accuracy")
    assert r"No difference from ReLU is shown for G\*LU." in text
    assert "reach from 0.00 points worse to 0.40 points better" in text


def test_too_few_seeds_say_so() -> None:
    """At n = 3 the smallest p is 0.25: nothing could have been rejected, and the answer does not read as a finding."""
    text = say({"accuracy": accuracy(), "comparisons": compared(n=3, smallest_p=0.25)})
    assert "too few for the test to reject anything" in text
    assert "No difference" not in text


def test_the_tuned_comparison_decides_where_it_was_run() -> None:
    """Where it was not run the article's network decides, and the text names it."""
    untuned = compared(gelu=0.02).assign(experiment="baseline")
    both = pd.concat([untuned, compared(sigmoid=0.02)])
    assert say({"accuracy": accuracy(), "comparisons": both}).startswith("**Use Sigmoid.**")
    text = say({"accuracy": accuracy(), "comparisons": untuned})
    assert text.startswith(r"**Use G\*LU.**")
    assert "in the article's network" in text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ([5, 1, 2], [5, 1, 5], "ReLU 5, Sigmoid 1."),  # GELU's range touches ReLU's
        ([5, 20, 5], [10, 50, 5], "ReLU 5 (5 to 10), Sigmoid 20 (20 to ≥ 50)."),
        ([5, 5, 5], [5, 5, 5], ""),
    ],
)
def test_depth_is_mentioned_where_ranges_lie_apart(low: list[int], high: list[int], said: str) -> None:
    text = say({"accuracy": accuracy(), "comparisons": compared(), "trainable_depth": depths(low, high)})
    start = "Under SGD, the deepest network that trains in 480 updates has, in hidden layers: "
    assert (start + said in text) if said else ("deepest" not in text)
    assert "Adam" not in text


def test_noise_is_mentioned_where_its_test_says_so() -> None:
    """By the family of tests under noise alone, and only if it found a difference."""
    noise = compared(sigmoid=-0.05).assign(experiment="robustness")
    text = say({"accuracy": accuracy(), "comparisons": pd.concat([compared(), noise])})
    assert "Under noise on the images, less accurate than ReLU: Sigmoid." in text
    quiet = compared().assign(experiment="robustness")
    assert "noise" not in say({"accuracy": accuracy(), "comparisons": pd.concat([compared(), quiet])})


def test_what_another_protocol_finds_is_said() -> None:
    """The tuned tests decide for ReLU; that the sigmoid is better by the article's best weights is not left out."""
    best = compared(sigmoid=0.02).assign(experiment="baseline_best")
    in_article = "Better than ReLU in the article's network, one learning rate for all"
    by_best = f"{in_article}, by the weights of the lowest validation loss: Sigmoid."
    text = say({"accuracy": accuracy(), "comparisons": pd.concat([compared(sigmoid=-0.02), best])})
    assert text.startswith("**Use ReLU.**")
    assert f"The result depends on the protocol. {by_best}" in text
    last = compared(sigmoid=0.02).assign(experiment="baseline")
    text = say({"accuracy": accuracy(), "comparisons": pd.concat([compared(sigmoid=-0.02), best, last])})
    assert f"The result depends on the protocol. {in_article}: Sigmoid. {by_best}" in text
    same = compared(sigmoid=-0.02).assign(experiment="baseline_best")
    assert "depends" not in say({"accuracy": accuracy(), "comparisons": pd.concat([compared(sigmoid=-0.02), same])})


def test_without_a_comparison_nothing_is_recommended() -> None:
    """No table of comparisons, one of another experiment, or one of activations that never finished."""
    never = compared().assign(p_holm=math.nan)
    for tables in ({}, {"comparisons": compared().assign(experiment="other")}, {"comparisons": never}):
        assert "none is recommended" in say({"accuracy": accuracy(), **tables})


def test_without_any_number_there_is_no_verdict() -> None:
    assert verdict.conclude(Plan(NAMES), Evidence({"accuracy": accuracy("other")}), STYLE) is None
    assert verdict.conclude(Plan(NAMES), Evidence({}), STYLE) is None


def test_a_new_activation_takes_its_row_unasked_and_what_is_missing_is_a_dash() -> None:
    """Every activation of the plan has a row, in the plan's order, whatever the tables hold."""
    style = Style({**STYLE.labels, "new": "New"}, {**STYLE.positions, "new": 3})
    section = verdict.conclude(Plan((*NAMES, "new")), Evidence({"accuracy": accuracy()}), style)
    assert section is not None
    assert section.leads
    table = section.tables["verdict"]
    assert table["activation"].tolist() == [*NAMES, "new"]
    shown = section.shown["verdict"]
    assert shown["Activation"].tolist() == ["ReLU", "Sigmoid", "G*LU", "New"]
    assert set(shown.iloc[3, 1:]) == {"–"}
    assert shown.iloc[0, 1] == "97.0 [95.0, 99.0]"
    assert "nan" not in shown.to_string().lower()


def test_sources_take_the_matching_rows() -> None:
    """Only rows with every wanted value; where a table or an activation is missing there is NaN."""
    table = pd.DataFrame({"activation": ["a", "a", "b"], "kind": ["x", "y", "x"], "value": [1.0, 2.0, 3.0]})
    sources = [
        Source("t", {"kind": "y"}, {"one": "value"}),
        Source("t", {"kind": "x"}, {"two": "value"}),
        Source("absent", {}, {"three": "value"}),
    ]
    found = decision_table(["b", "a", "c"], {"t": table}, sources).set_index("activation")
    assert found["two"].tolist()[:2] == [3.0, 1.0]
    assert found.loc["a", "one"] == 2.0
    assert found.loc[["b", "c"], "one"].isna().all()
    assert found["three"].isna().all()


@pytest.mark.parametrize("source", [Source("t", {}, {"new": "value"}), Source("t", {"value": 1}, {})])
def test_a_column_that_a_source_misses_is_an_error(source: Source) -> None:
    """A renamed column is named, with the columns that are there; it never becomes NaN."""
    table = pd.DataFrame({"activation": ["a"], "renamed": [1.0]})
    with pytest.raises(ValueError, match="table 't' has no column value; it has activation, renamed"):
        decision_table(["a"], {"t": table}, [source])


@pytest.mark.parametrize(("module", "column"), [(learning_rate, "tuned"), (robustness, "noise")])
def test_the_sources_find_their_columns(module: Any, column: str) -> None:
    """In the tables that the questions make of records: no column is missing, and the activation has its number."""
    plan = Plan(("relu",), 1)
    tables = module.interpret(plan, all_rounds(module.rounds, plan, lambda _: 0.9), STYLE).tables
    assert decision_table(plan.activations, tables, verdict.SOURCES)[column].notna().all()


def family(sigmoid: float, gelu: float, experiment: str = "learning_rate") -> pd.DataFrame:
    return findings(compared(sigmoid, gelu).assign(experiment=experiment), [experiment], ["learning_rate"])


def test_findings_are_of_one_family() -> None:
    """Signs and p-values sort the activations; bounds are the ends of each interval, on either side of 0."""
    found = family(-0.02, 0.004).set_index("activation")
    assert found["finding"].to_dict() == {"sigmoid": "worse", "gelu": "undecided"}
    assert found.loc["gelu", ["most_better", "most_worse"]].tolist() == [pytest.approx(0.005), 0]
    assert found.loc["sigmoid", ["most_better", "most_worse"]].tolist() == [0, pytest.approx(0.021)]
    assert found["decides"].all()
    assert not found["is_new"].any()


def test_a_family_is_new_where_the_deciding_one_says_otherwise() -> None:
    """The sigmoid is better in one and worse in the other; GELU's difference is in both."""
    other = compared(0.02, 0.02).assign(experiment="other")
    both = pd.concat([other, compared(-0.02, 0.02)])
    found = findings(both, ["learning_rate", "other"], ["absent", "learning_rate"])
    assert found.set_index(["experiment", "activation"])["is_new"].to_dict() == {
        ("other", "sigmoid"): True, ("other", "gelu"): False,
        ("learning_rate", "sigmoid"): False, ("learning_rate", "gelu"): False,
    }  # fmt: skip
    assert found[found["decides"]]["experiment"].unique().tolist() == ["learning_rate"]


def test_the_rule_of_the_choice() -> None:
    """The better ones by cost, an unknown cost last; else the reference; else nobody."""
    assert recommended(family(0.02, 0.03), {"sigmoid": math.nan, "gelu": 2.0}) == ["gelu", "sigmoid"]
    assert recommended(family(0.02, 0.03), {"sigmoid": 1.0, "gelu": 2.0}) == ["sigmoid", "gelu"]
    assert recommended(family(-0.02, 0.0), {}) == ["relu"]
    assert recommended(family(0.02, 0.03, "other"), {}) == []


def test_apart_means_no_value_in_common() -> None:
    table = pd.DataFrame({"activation": list("abcd"), "x_low": [2, 1, 3, math.nan], "x_high": [2, 1, 4, math.nan]})
    assert apart(table, "a", "x").tolist() == ["", "below", "above", ""]
    assert apart(table, "d", "x").tolist() == [""] * 4


def test_the_rule_is_in_the_report() -> None:
    """In words, with the reference by its label; the table comes first."""
    text = page({"accuracy": accuracy()}).body
    assert text.startswith("| Activation |")
    assert "better or worse than the reference (ReLU) where" in text
