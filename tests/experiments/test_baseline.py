"""The baseline judges claims by its records, and tells what three of its seeds would have said."""

import math
from collections import defaultdict
from typing import Any

import fake_records
import numpy as np
import pytest
from both_languages import render
from matplotlib.figure import Figure

from experiments import baseline, few_seeds
from study.analysis.claims import CONTRADICTED, NOT_TESTABLE, REPRODUCED
from study.constants import FIRST_FRESH_SEED
from study.engine.measures import PROBE_MEASURES
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.report.rendering import Page
from study.report.section import Section
from study.settings import Settings

NAMES = ("relu", "sigmoid", "gelu", "swish")
STYLE = Style({name: name.upper() for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
SPARSITY = {"relu": 0.5, "sigmoid": 0.0, "gelu": 0.2, "swish": 0.0, "leaky_relu": 0.0}


def records(means: dict[str, float], seeds: int = 10, diverged: tuple[str, ...] = ()) -> list[Record]:
    """Accuracies scatter about the means by up to 0.0005, the same for every activation; sparsity is as above in both
    hidden layers at the last step, and 0.9 before."""
    scatter = np.random.default_rng(0).uniform(-0.0005, 0.0005, 100)
    made = []
    for name, mean in means.items():
        for seed in range(seeds):
            accuracy = math.nan if name in diverged else mean + scatter[seed]
            measures = {measure: [[1.0, 1.0, math.nan]] * 2 for measure in ("error", *PROBE_MEASURES)}
            measures |= {
                "weight_gradient": [[1.0] * 3] * 2,
                "example_weight_gradient": [[1.0] * 3] * 2,
                "sparsity": [[0.9, 0.9, math.nan], [SPARSITY[name]] * 2 + [math.nan]],
                "dead_units": [[0.9, 0.9, math.nan], [0.1, 0.3, math.nan]],
            }
            at = {"step": [0, 9], "epoch": [0.0, 3.0]}
            settings = Settings(activation=name, seed=FIRST_FRESH_SEED + seed, noise=(1.0,))
            made.append(fake_records.record(settings, accuracy, measures=at | measures))
    return made


def section_of(module: Any, means: dict[str, float], **more: Any) -> Section:
    section: Section = module.interpret(Plan(tuple(means)), records(means, **more), STYLE)
    return section


def verdicts(module: Any, means: dict[str, float], **more: Any) -> dict[tuple[str, str], str]:
    judgements = section_of(module, means, **more).judgements
    return {(judgement.claim, judgement.part): judgement.verdict for judgement in judgements}


def page(section: Section) -> Page:
    return render(section, STYLE.labels)


ALIKE = dict.fromkeys(NAMES, 0.9690)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not what is tested here."""
    monkeypatch.setattr(baseline, "_pictures", lambda *args: defaultdict(Figure))


def test_the_articles_claims_are_judged() -> None:
    """Half of ReLU's entries are zeros and none of the sigmoid's; an absent activation lacks its parts alone."""
    sparsity = {("A2", "relu"): REPRODUCED, ("A2", "sigmoid"): REPRODUCED}
    assert verdicts(baseline, ALIKE) == {**sparsity, ("A5", "accuracy"): REPRODUCED}
    assert verdicts(baseline, ALIKE | {"relu": 0.98})["A5", "accuracy"] == CONTRADICTED
    assert verdicts(baseline, {"gelu": 0.97, "swish": 0.97}) == {}
    assert verdicts(baseline, {"relu": 0.9696}).keys() == {("A2", "relu"), ("A5", "accuracy")}


@pytest.mark.parametrize(
    ("leaky", "verdict"), [(0.965, REPRODUCED), (0.9675, CONTRADICTED), (0.97, CONTRADICTED), (math.nan, NOT_TESTABLE)]
)
def test_exact_zeros_are_judged_by_leaky_relu_on_the_same_seeds(leaky: float, verdict: str) -> None:
    """They help if ReLU is better by the margin; 20% of the units are dead, where half of the entries are 0."""
    means, lost = ALIKE | {"leaky_relu": leaky}, ("leaky_relu",) if math.isnan(leaky) else ()
    section = baseline.interpret(Plan(NAMES), records(means, diverged=lost), STYLE)
    found = {(judgement.claim, judgement.part): judgement for judgement in section.judgements}
    assert found["A2", "zeros"].verdict == verdict
    names = [set(table["activation"]) for table in section.tables.values() if "activation" in table]
    assert set().union(*names) == set(NAMES)
    zeros = section.tables["zeros"].set_index("quantity")["estimate"]
    np.testing.assert_allclose(zeros[["accuracy", "dead"]], [0.969 - leaky, 0.4], atol=1e-12)
    assert "Of RELU's exact zeros, 40.00% belong to dead units" in page(section).body


def test_what_diverged_is_counted_and_judges_nothing() -> None:
    """Every ReLU run diverged: no sparsity of it, no accuracy, a rate of one, and no comparison of few seeds."""
    section = section_of(baseline, ALIKE, diverged=("relu",))
    assert {judgement.part for judgement in section.judgements} == {"sigmoid"}
    rates = section.tables["outcomes"].set_index(["activation", "outcome"])
    assert rates.loc[("relu", "diverged"), ["n", "count", "share"]].tolist() == [10, 10, 1.0]
    assert rates.loc[("relu", "diverged"), "ci_low"] == pytest.approx(0.025**0.1)
    assert rates.loc[("gelu", "below_article"), "count"] == 10
    assert verdicts(few_seeds, ALIKE, diverged=("relu",)).keys() == {("P8", "gates")}


def test_the_smooth_gates_are_judged_by_their_paired_difference() -> None:
    """Alike: within 0.2 points. Apart by 1: contradicted. One seed has no interval. Without one of them: no part."""
    assert verdicts(few_seeds, ALIKE)["P8", "gates"] == REPRODUCED
    assert verdicts(few_seeds, ALIKE | {"swish": 0.98})["P8", "gates"] == CONTRADICTED
    assert verdicts(few_seeds, ALIKE, seeds=1)["P8", "gates"] == NOT_TESTABLE
    assert verdicts(few_seeds, {"relu": 0.97, "gelu": 0.97}).keys() == {("P8", "small_n")}
    assert verdicts(few_seeds, {"gelu": 0.97, "swish": 0.97}).keys() == {("P8", "gates")}


def test_what_all_seeds_support_is_no_false_winner() -> None:
    """Ten seeds support that GELU is better (or worse) by a point, and three find it: none is unsupported."""
    worse = section_of(few_seeds, ALIKE | {"gelu": 0.959}).tables["few_seeds"].set_index("activation").loc["gelu"]
    assert worse["share_worse"] > 0.99
    assert worse["share_unsupported"] == 0
    section = section_of(few_seeds, ALIKE | {"gelu": 0.979})
    table = section.tables["few_seeds"].set_index("activation")
    assert table.loc["gelu", "share_better"] > 0.99
    assert table.loc["gelu", "share_unsupported"] == 0
    assert table.loc["swish", "share_unsupported"] == table.loc["swish", ["share_better", "share_worse"]].sum()
    shown = page(section)
    most = 100 * table["share_unsupported"].max()
    assert f". {most:.1f}% find a difference of " in shown.answer
    numbers = 100 * table[["share_better", "share_worse", "share_unsupported", "share_by_noise"]].to_numpy()
    np.testing.assert_allclose(shown.displays[0].frame.iloc[:, 1:].astype(float), numbers, atol=0.05 + 1e-9)


def test_the_page_tells_the_means_the_article_and_the_failures() -> None:
    """In the order of the means; seeds below the article's 96.96%; diverged runs; units at the end, in percent."""
    shown = page(section_of(baseline, ALIKE | {"gelu": 0.979}, diverged=("swish",)))
    assert "the mean test accuracies are GELU 97.91%, " in shown.answer
    assert "Better than RELU: GELU." in shown.answer
    assert "Of 10 seeds here, 10 end below it" in shown.body
    assert "10 diverged (the loss became infinite or undefined) and 0 only guessed" in shown.body
    assert "the true rate may still be up to 31%" in shown.body
    frames = {display.name: display.frame.set_index("Activation") for display in shown.displays}
    assert frames["final_units"].loc["RELU", "sparsity"] == "50.00"
    assert frames["baseline"].loc["GELU", "finding"] == "better"
    assert frames["baseline"].loc["SWISH"].tolist() == ["0", "10", "–", "–", "–", "3.0", "–", "undecided"]
