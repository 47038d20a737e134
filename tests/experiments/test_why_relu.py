"""Why ReLU replaced the sigmoid: the table of cause and effect, from made-up tables whose answer is known."""

import pandas as pd
import pytest
from both_languages import render

from experiments import why_relu
from study.analysis.claims import CLAIMS, claims_table, judge
from study.analysis.statistics import Interval
from study.figures.style import Style
from study.plan import Plan
from study.report.rendering import Page
from study.report.section import Evidence, Section

STYLE = Style({"relu": "ReLU", "sigmoid": "Sigmoid", "gelu": "GELU"}, {"relu": 0, "sigmoid": 1, "gelu": 2})
FACTORS = {"relu": 0.5, "sigmoid": 0.1, "gelu": 0.4}  # of the error, a layer
REACHED = {"relu": {3: 0.97, 10: 0.94}, "sigmoid": {3: 0.96, 10: 0.11}, "gelu": {3: 0.97, 10: 0.95}}

# The factors per layer that judge claim A3: ReLU's weight gradients keep their size, and its error shrinks.
A3 = {"sigmoid_weights": 0.2, "relu_weights": 1.0, "sigmoid_error": 0.2, "relu_error": 0.7}


def tables() -> dict[str, pd.DataFrame]:
    """Make the tables of a study in which each layer multiplies the error by FACTORS, and accuracies are REACHED."""
    norms = [
        {"experiment": "baseline", "measure": "error", "step": 0, "activation": name, "layer": layer, "mean": f**-layer}
        for name, f in FACTORS.items()
        for layer in range(1, 5)
    ]
    theory = [
        {
            "activation": name, "init": "glorot_uniform", "quantity": "error_norm_ratio", "width": 100, "depth": 10,
            "layer": layer, "measured": 7 * f ** (10 - layer),
        }
        for name, f in FACTORS.items()
        for layer in range(1, 12)
    ]  # fmt: skip
    success = [
        {
            "experiment": "depth", "optimiser": "adam", "activation": name, "depth": depth, "mean": accuracy,
            "ci_low": accuracy, "ci_high": accuracy, "n": 3,
        }
        for name, of_depth in REACHED.items()
        for depth, accuracy in of_depth.items()
    ]  # fmt: skip
    factors = [
        {"experiment": "depth", "activation": name, "depth": 10, "width": 100, "factor": f}
        for name, f in FACTORS.items()
    ]
    curves = [
        {"activation": name, "x": x, "value": x, "derivative": f} for name, f in FACTORS.items() for x in (-1.0, 1.0)
    ]
    rows = {
        "gradient_norms": norms, "theory": theory, "depth_success": success, "shrink_factors": factors,
        "activations": curves,
    }  # fmt: skip
    return {name: pd.DataFrame(of_table) for name, of_table in rows.items()}


def concluded(found: dict[str, pd.DataFrame]) -> tuple[Section, Page]:
    section = why_relu.conclude(Plan(tuple(FACTORS)), Evidence(found), STYLE)
    return section, render(section, STYLE.labels)


def test_the_share_of_the_error_is_a_power_of_the_factor() -> None:
    """Through two and nine layers: 0.1^2 and 0.1^9 of the sigmoid's error reach layer 1. The answer tells both."""
    section, page = concluded(tables())
    shares = section.tables["why_relu"].set_index(["activation", "depth"])["share_of_error"]
    expected = {(name, depth): f ** (depth - 1) for name, f in FACTORS.items() for depth in (3, 10)}
    assert shares.to_dict() == pytest.approx(expected)
    assert "about 1 billionth of the error reach layer 1 (ReLU: 0.2%)" in page.answer
    assert "one epoch of Adam brings 11.0% accuracy (ReLU: 94.0%)." in page.answer
    assert "GELU lose" in page.body
    assert page.displays[0].frame["Hidden layers"].tolist() == ["3 (the article)", "10"]


@pytest.mark.parametrize(("sigmoid", "said"), [(0.9785, True), (0.9775, False), (None, False)])
def test_the_sigmoid_keeps_up_if_its_tuned_accuracy_does(sigmoid: float | None, said: bool) -> None:
    """Within the margin of ReLU's; of an activation that was not tuned nothing is said."""
    tuned = pd.DataFrame({"activation": ["relu", "sigmoid"], "tuned_accuracy_mean": [0.98, sigmoid]})
    assert ("nearly keeps up" in concluded(tables() | {"tuned": tuned})[1].answer) == said


@pytest.mark.parametrize(("last", "best", "said"), [("undecided", "better", True), ("tie", "worse", False)])
def test_the_page_says_if_the_sigmoid_is_not_worse_at_the_articles_rate(last: str, best: str, said: bool) -> None:
    """The findings are those of the comparisons by the last weights and by the lowest validation loss."""
    compared = {"activation": "sigmoid", "experiment": ["baseline", "baseline_best"], "finding": [last, best]}
    tuned = pd.DataFrame({"activation": ["relu", "sigmoid"], "tuned_accuracy_mean": [0.98, 0.97]})
    more = {"tuned": tuned, "comparisons": pd.DataFrame({**compared, "difference": [0.002, 0.0035]})}
    sentence = "the sigmoid is not worse (+0.20 points: undecided; +0.35 by the weights"
    assert (sentence in concluded(tables() | more)[1].body) == said


def test_the_articles_claims_stand_on_the_page_with_their_verdicts() -> None:
    """Both pages have every claim of the article and no other; a claim whose aspects differ has the verdict on each."""
    judgements = [
        judge("A1", "elementwise", Interval(0.2, 0.1, 0.3, 5)),
        *(judge("A3", part, Interval(value, value, value, 5)) for part, value in A3.items()),
        judge("P3", "trains", Interval(1.0, 0.9, 1.0, 5)),
    ]
    _, page = concluded(tables() | {"claims": claims_table(judgements)})
    frame = next(display.frame for display in page.displays if display.name == "why_claims")
    shown = dict(frame.itertuples(index=False))
    assert list(shown) == [claim.statement for name, claim in CLAIMS.items() if name.startswith("A")]
    assert shown[CLAIMS["A1"].statement] == "reproduced"
    assert shown[CLAIMS["A3"].statement] == "weight gradients, layer by layer: reproduced; the error: contradicted"
    assert shown[CLAIMS["A4"].statement] == "not run"


def test_the_page_says_so_if_the_sigmoid_never_fails() -> None:
    found = tables()
    found["depth_success"]["mean"] = 0.9
    assert "The sigmoid trains at every depth that was run, up to 10" in concluded(found)[1].answer


def test_without_the_pair_or_a_measurement_there_is_no_such_section() -> None:
    assert why_relu.conclude(Plan(("relu", "gelu")), Evidence(tables()), STYLE) is None
    assert why_relu.conclude(Plan(tuple(FACTORS)), Evidence({}), STYLE) is None
