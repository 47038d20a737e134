"""Noise on the images: whose runs it uses, what is compared, and the claim it judges."""

import math

import numpy as np
import pytest
from fake_records import all_rounds, record

from experiments import baseline, robustness
from study.activations import REGISTRY
from study.constants import NOISE_AMPLITUDES
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Display, Picture, Section
from study.settings import Settings

STYLE = Style({name: entry.label for name, entry in REGISTRY.items()}, {name: i for i, name in enumerate(REGISTRY)})
FOUR = ("relu", "sigmoid", "gelu", "swish")


def accuracy(settings: Settings) -> float:
    """Each activation a point above the one before it, and a little by seed."""
    return 0.9 + 0.01 * list(REGISTRY).index(settings.activation) / len(REGISTRY) + 1e-4 * (settings.seed % 5)


def section_of(plan: Plan, how=accuracy) -> Section:
    return robustness.interpret(plan, all_rounds(robustness.rounds, plan, how), STYLE)


def test_the_runs_are_the_baseline_s() -> None:
    """Not one is made for this question; all of them are measured under noise."""
    runs = robustness.rounds(Plan(FOUR), [])
    assert runs == baseline.rounds(Plan(FOUR), [])
    assert {settings.noise for settings in runs} == {NOISE_AMPLITUDES}


def test_a_quick_look_measures_no_noise() -> None:
    plan = Plan(FOUR, is_quick=True)
    assert robustness.rounds(plan, []) == []
    assert {settings.noise for settings in baseline.rounds(plan, [])} == {()}


def test_one_comparison_an_activation_over_the_amplitudes_above_zero() -> None:
    """The fake accuracy falls as 1 / (1 + a): its mean over a > 0, and of the differences, is checked by hand."""
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
    assert clean["test_accuracy_mean"]["relu"] == pytest.approx(0.9002)
    assert clean["difference"]["swish"] == pytest.approx(0.03 / len(REGISTRY))
    assert table.loc[table["activation"] == "relu", "difference"].isna().all()


def test_p2_is_the_paired_difference() -> None:
    """GELU above ReLU by the same in every seed: reproduced, n = 10. Without one of them there is no judgement."""
    (judgement,) = section_of(Plan(FOUR, 10)).judgements
    assert (judgement.claim, judgement.part, judgement.verdict) == ("P2", "accuracy", "reproduced")
    assert judgement.measured.n == 10
    assert section_of(Plan(("gelu", "swish"))).judgements == []


def test_a_diverged_run_is_left_out_of_pairs_not_averaged() -> None:
    """Seed 0 of ReLU diverged: nine pairs are left, and one is counted as dropped."""
    section = section_of(
        Plan(("relu", "gelu"), 10), lambda s: math.nan if s.activation == "relu" and s.seed == 0 else accuracy(s)
    )
    row = section.tables["comparisons"].iloc[0]
    assert (row["n"], row["dropped"]) == (9, 1)


@pytest.mark.parametrize("names", [("relu",), ("tanh",), ("sigmoid", "gelu"), tuple(REGISTRY)], ids=len)
@pytest.mark.parametrize("seeds", [1, 3])
def test_any_plan_has_an_answer(names: tuple[str, ...], seeds: int) -> None:
    """What is not known is a dash."""
    section = section_of(Plan(names, seeds))
    (display,) = [block for block in section.blocks if isinstance(block, Display)]
    assert len(display.frame) == len(names)
    assert not display.frame.astype(str).isin(["nan"]).any(axis=None)
    assert any(isinstance(block, Picture) for block in section.blocks)


def test_without_a_measured_run_it_says_so() -> None:
    """All diverged, so no weights were measured under noise."""
    section = section_of(Plan(("relu", "gelu")), lambda _: math.nan)
    assert section.answer == ""
    assert section.tables == {}


def test_an_activation_whose_runs_all_diverged_is_a_row_of_dashes() -> None:
    plan = Plan(("relu", "gelu"))
    records = [record(s, math.nan if s.activation == "gelu" else 0.9) for s in robustness.rounds(plan, [])]
    section = robustness.interpret(plan, records, STYLE)
    (display,) = [block for block in section.blocks if isinstance(block, Display)]
    assert display.frame.iloc[1].tolist()[1:] == [0, *["–"] * (len(display.frame.columns) - 2)]
