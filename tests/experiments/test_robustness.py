"""Noise on the images: whose runs it uses, what is compared, and the claim it judges."""

import math

import numpy as np
import pytest
from both_languages import render
from fake_records import all_rounds
from fake_studies import STYLE

from experiments import baseline, digits, learning_rate, robustness
from study.activations import REGISTRY
from study.constants import FIRST_FRESH_SEED, NOISE_AMPLITUDES
from study.plan import Plan
from study.report.section import Evidence, Section
from study.settings import Settings

FOUR = ("relu", "sigmoid", "gelu", "swish")


def accuracy(settings: Settings) -> float:
    """Raise each activation above the one before it in the registry, and let seeds differ a little."""
    return 0.9 + 0.01 * list(REGISTRY).index(settings.activation) / len(REGISTRY) + 1e-4 * (settings.seed % 5)


def section_of(plan: Plan, how=accuracy) -> Section:
    return robustness.interpret(plan, all_rounds(robustness.rounds, plan, how), STYLE)


def test_the_runs_are_the_tuned_ones() -> None:
    """This question asks for no run of its own. Every tuned run is measured under noise, and no run of a quick look."""
    plan = Plan(FOUR, 2)
    records = all_rounds(robustness.rounds, plan, accuracy)
    assert robustness.rounds(plan, records) == learning_rate.rounds(plan, records) == []
    tuned = learning_rate.tuned(plan, records)
    assert {tuple(record["identity"]["settings"]["noise"]) for record in tuned} == {NOISE_AMPLITUDES}
    quick = Plan(FOUR, is_quick=True)
    assert robustness.rounds(quick, []) == []
    assert {settings.noise for settings in baseline.rounds(quick, [])} == {()}


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
    loud = table[table["amplitude"] == 3].set_index("activation")
    assert loud["test_loss_mean"]["relu"] == pytest.approx(2 - 0.9 / 4, abs=1e-3)


def test_a_diverged_run_is_left_out_of_pairs_not_averaged() -> None:
    """ReLU's first fresh seed diverged: nine pairs are left, and one is counted as dropped."""
    lost = ("relu", FIRST_FRESH_SEED)
    section = section_of(
        Plan(("relu", "gelu"), 10), lambda s: math.nan if (s.activation, s.seed) == lost else accuracy(s)
    )
    row = section.tables["comparisons"].iloc[0]
    assert (row["n"], row["dropped"]) == (9, 1)


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
