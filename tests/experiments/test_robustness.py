"""Noise on the images: whose runs it uses, what is compared, and the claim it judges."""

import math
import re

import numpy as np
import pytest
from both_languages import render
from fake_records import all_rounds, record

from experiments import baseline, digits, learning_rate, robustness
from study.activations import REGISTRY
from study.constants import FIRST_FRESH_SEED, NOISE_AMPLITUDES
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Evidence, Section
from study.settings import Settings

STYLE = Style({name: entry.label for name, entry in REGISTRY.items()}, {name: i for i, name in enumerate(REGISTRY)})
FOUR = ("relu", "sigmoid", "gelu", "swish")


def accuracy(settings: Settings) -> float:
    """Raise each activation above the one before it in the registry, and let seeds differ a little."""
    return 0.9 + 0.01 * list(REGISTRY).index(settings.activation) / len(REGISTRY) + 1e-4 * (settings.seed % 5)


def section_of(plan: Plan, how=accuracy) -> Section:
    return robustness.interpret(plan, all_rounds(robustness.rounds, plan, how), STYLE)


def all_settings(plan: Plan) -> list[Settings]:
    return [Settings(**found["identity"]["settings"]) for found in all_rounds(robustness.rounds, plan, accuracy)]


def test_the_runs_are_the_tuned_ones() -> None:
    """This question asks for no run of its own; every run of the tuned arm is measured under noise."""
    plan = Plan(FOUR, 2)
    records = all_rounds(robustness.rounds, plan, accuracy)
    assert robustness.rounds(plan, records) == learning_rate.rounds(plan, records) == []
    tuned = learning_rate.tuned(plan, records)
    assert {tuple(record["identity"]["settings"]["noise"]) for record in tuned} == {NOISE_AMPLITUDES}


def test_a_quick_look_measures_no_noise() -> None:
    plan = Plan(FOUR, is_quick=True)
    assert robustness.rounds(plan, []) == []
    assert {settings.noise for settings in baseline.rounds(plan, [])} == {()}


def test_one_comparison_an_activation_over_the_amplitudes_above_zero() -> None:
    """The fake accuracy falls as 1 / (1 + a): its mean over a > 0, and of the differences, is worked out here."""
    found = section_of(Plan(FOUR)).tables["comparisons"].set_index("activation")
    share = np.mean([1 / (1 + a) for a in NOISE_AMPLITUDES if a > 0])
    step = 0.01 / len(REGISTRY)
    assert found["difference"].to_dict() == pytest.approx(
        {"sigmoid": step * share, "gelu": 2 * step * share, "swish": 3 * step * share}
    )
    assert set(found["metric"]) == {"noise_accuracy"}
    assert set(found["experiment"]) == {"robustness"}


def test_the_table_has_every_amplitude() -> None:
    """Accuracy, loss and difference of each activation at each; the reference differs from itself by nothing known."""
    table = section_of(Plan(FOUR, 10)).tables["robustness"]
    assert len(table) == len(FOUR) * len(NOISE_AMPLITUDES)
    clean = table[table["amplitude"] == 0].set_index("activation")
    assert clean["test_accuracy_mean"]["relu"] == pytest.approx(0.9 + 1e-4 * np.mean(np.arange(2000, 2010) % 5))
    assert clean["difference"]["swish"] == pytest.approx(0.03 / len(REGISTRY))
    assert table.loc[table["activation"] == "relu", "difference"].isna().all()


def test_a_diverged_run_is_left_out_of_pairs_not_averaged() -> None:
    """ReLU's first fresh seed diverged: nine pairs are left, and one is counted as dropped."""
    lost = ("relu", FIRST_FRESH_SEED)
    section = section_of(
        Plan(("relu", "gelu"), 10), lambda s: math.nan if (s.activation, s.seed) == lost else accuracy(s)
    )
    row = section.tables["comparisons"].iloc[0]
    assert (row["n"], row["dropped"]) == (9, 1)


@pytest.mark.parametrize("names", [("relu",), ("tanh",), ("sigmoid", "gelu"), tuple(REGISTRY)], ids=len)
@pytest.mark.parametrize("seeds", [1, 3])
def test_any_plan_has_an_answer(names: tuple[str, ...], seeds: int) -> None:
    """Every activation has a row, and what is not known is a dash; the answer has the five highest means, in order."""
    section = section_of(Plan(names, seeds))
    page = render(section, STYLE.labels)
    shown = page.displays[0].frame
    assert len(shown) == len(names)
    assert not shown.astype(str).isin(["nan"]).any(axis=None)
    means = [float(mean) for mean in re.findall(r"([\d.]+)%", page.answer)]
    assert len(means) == min(len(names), 5)
    assert means == sorted(means, reverse=True)
    assert ("paired differences" in page.body) == ("relu" in names and len(names) > 1)
    assert [picture.name for picture in page.pictures] == ["robustness"]


def test_losses_under_the_strongest_noise_are_told() -> None:
    """The fake loss is 2 less the accuracy, 0.9 / (1 + 3) for every seed: 1.775."""
    page = render(section_of(Plan(("gelu",), 3), lambda s: 0.9 if s.learning_rate == 1e-3 else 0.5), STYLE.labels)
    assert "At a = 3 the mean losses (geometric) are GELU 1.78" in page.body


def test_without_a_measured_run_it_says_so() -> None:
    """All diverged, so no weights were measured under noise."""
    section = section_of(Plan(("relu", "gelu")), lambda _: math.nan)
    page = render(section, STYLE.labels)
    assert page.answer == ""
    assert page.body == "No run of the tuned comparison ended with weights that could be measured under noise."
    assert section.tables == {}


def test_an_activation_whose_runs_all_diverged_is_a_row_of_dashes() -> None:
    """GELU has no accuracy at any amplitude; its row stays."""
    plan = Plan(("relu", "gelu"), 2)
    fresh = [s for s in all_settings(plan) if plan.is_fresh(s.seed) and s.noise]
    records = [record(s, math.nan if s.activation == "gelu" else 0.9) for s in fresh]
    shown = render(robustness.interpret(plan, records, STYLE), STYLE.labels).displays[0].frame
    assert shown.iloc[1].tolist()[1:] == ["0", *["–"] * (len(shown.columns) - 3), "undecided"]


def test_the_digits_of_the_document_are_a_table_and_a_picture() -> None:
    """A pixel a row, from the top left; without the document there is no such section."""
    pixels = [0] * 784
    pixels[30] = 255
    document = {"content": {"images": {"7": pixels}}}
    section = digits.conclude(Plan(FOUR), Evidence({}, {"digits": document}), STYLE)
    assert section is not None
    table = section.tables["digits"]
    assert table[table["brightness"] > 0].to_numpy().tolist() == [["7", 1, 2, 1.0]]
    assert len(table) == 784
    assert "Each panel" in render(section, STYLE.labels).body
    assert digits.conclude(Plan(FOUR), Evidence({}), STYLE) is None
