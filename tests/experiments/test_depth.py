"""The pages on depth, initialisation and remedies, on records whose errors and accuracies are known."""

import math
from collections import Counter
from collections.abc import Callable
from types import ModuleType

import fake_records
import numpy as np
import pytest

from experiments import depth, initialization, remedies
from study.constants import INITIAL_DEPTHS, INITIAL_WIDTHS, INITIALIZATIONS, PROFILE_DEPTH
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.report.rendering import Page, render
from study.report.section import Section
from study.settings import Settings

NAMES = ("relu", "sigmoid", "gelu")
LABELS = {"relu": "ReLU", "sigmoid": "Sigmoid", "gelu": "GELU"}
STYLE = Style(LABELS, {name: place for place, name in enumerate(NAMES)})
FACTORS = {"relu": 0.7, "sigmoid": 0.2, "gelu": 0.5}
QUANTITIES = ("preactivation_square", "error_norm_ratio", "example_weight_gradient_norm_ratio", "similarity")
POINT = {"sigma_w": 1.5, "sigma_b": 0.25, "first_square": None}


def plan(*names: str, is_quick: bool = False) -> Plan:
    """Make a plan with theory that predicts 1 everywhere; ReLU alone has a critical point."""
    networks = [
        (init, layers, width, layer, quantity)
        for init in INITIALIZATIONS
        for layers in INITIAL_DEPTHS
        for width in INITIAL_WIDTHS
        for layer in range(1, layers + 2)
        for quantity in QUANTITIES
    ]
    columns = dict(zip(("init", "depth", "width", "layer", "quantity"), zip(*networks, strict=True), strict=True))
    ones = {"predicted": [1.0] * len(networks), "predicted_spread": [1.0] * len(networks)}
    theory = {
        name: {
            "critical": POINT if name == "relu" else None,
            "why_none": "" if name == "relu" else "slope too small",
            "line": {"sigma_w": [1.4, 1.5], "sigma_b": [0.0, 0.25]},
            "rows": {"activation": [name] * len(networks), **columns, **ones},
        }
        for name in names
    }
    return Plan(names, 2, is_quick, theory)


def shrinking(settings: Settings, factors: dict[str, float], accuracy: float) -> Record:
    """Make a run whose errors change by a factor a layer, up to 0.1% by seed, and whose other measures are 1."""
    layers = settings.depth + 1
    factor = factors[settings.activation] * (1 + 0.001 * (settings.seed % 2))
    ones = [[1.0] * layers] * 2
    names = ("weight_gradient", "example_weight_gradient", "activation_rms", "preactivation_square")
    measures = {"step": [0, 480], "epoch": [0.0, 1.0], **dict.fromkeys(names, ones)}
    errors = [factor ** (settings.depth - layer) for layer in range(1, layers)] + [1.0]
    alike = [[0.9999 if settings.activation == "sigmoid" else 0.5] * layers] * 2
    return fake_records.record(settings, accuracy, measures=measures | {"error": [errors] * 2, "similarity": alike})


def interpreted(
    module: ModuleType,
    asked: Plan,
    accuracy: Callable[[Settings], float] = lambda settings: 0.9,
    factors: dict[str, float] = FACTORS,
) -> tuple[Section, Page]:
    runs = [shrinking(settings, factors, accuracy(settings)) for settings in module.rounds(asked, [])]
    section = module.interpret(asked, runs, STYLE)
    return section, render(section, LABELS)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not what is tested here; captions are rendered all the same."""
    names = ("errors_beside_theory", "norms_side_by_side", "similarity_by_layer", "accuracy_against_depth")
    for name in (*names, "error_heat_map", "remedies"):
        monkeypatch.setattr(f"study.figures.{name}", lambda *args: None)
    monkeypatch.setattr("study.figures.critical_lines", lambda *args: None)


def test_depth_answers_with_factors_and_depths() -> None:
    """Each activation has its own factor and depth: ReLU the whole grid, the others 1, as they guess or diverge."""
    accuracy = {"relu": 0.9, "sigmoid": 0.1, "gelu": math.nan}
    section, page = interpreted(
        depth, plan(*NAMES, is_quick=True), lambda s: 0.9 if s.depth == 1 else accuracy[s.activation]
    )
    assert "ReLU 0.70, Sigmoid 0.20, GELU 0.50." in page.answer
    assert page.answer.endswith("(median over seeds): ReLU ≥ 20, Sigmoid 1 but not 20, GELU 1 but not 20.")
    shown = section.shown["shrink_factors"].set_index("Activation")
    assert shown.columns.tolist() == ["n", "measured, width 100", "measured, width 256", "theory, infinite width"]
    assert shown["theory, infinite width"].tolist() == ["1.000"] * 3
    assert "3 of 6" in section.shown["theory_gaps_by_width"]["settings missed"].tolist()
    gap = 19 * (math.log(0.2) + math.log(1.001) / 3)  # one of three seeds has 0.1% more a layer
    assert section.shown["theory_gaps"].set_index("Activation").loc["Sigmoid", "width 100"].startswith(f"{gap:.3f} [")
    causes = section.shown["theory_gap_causes"]
    assert set(causes["Without"]) <= {"a finite width", "the logarithm's bias", "the images' lengths"}
    assert "nan" not in page.answer + page.body


def test_adam_cannot_save_a_network_whose_images_are_alike() -> None:
    """The page says so of an activation that fails at ten layers, if its images are alike there, and of no other."""
    text = "so no update of the weights above can tell digits apart"
    for failing, said in (("sigmoid", True), ("gelu", False), ("relu", None)):
        section, page = interpreted(
            depth, plan(*NAMES), lambda s, name=failing: 0.1 if s.activation == name != "relu" else 0.9
        )
        assert (text in page.body) == bool(said)
        assert ("so this is not why" in page.body) == (said is False)
    found = section.tables["similarity"]
    assert found["predicted"].notna().equals(found["when"] == "initial")
    assert set(found["layer"]) == set(range(1, 52))


@pytest.mark.parametrize(("factor", "side"), [(0.2, "outside"), (0.2499, "inside")])
def test_the_articles_bound_is_compared_with_the_interval(factor: float, side: str) -> None:
    """Factors of 0.2499 and 0.1% more have an interval about 0.25; of 0.2 they have not."""
    _, page = interpreted(depth, plan("sigmoid", is_quick=True), factors={"sigmoid": factor})
    assert f"0.25 is {side} this interval" in page.body


def test_what_is_said_of_one_activation_needs_it() -> None:
    """Without ReLU nothing is said of its slope and its offset, without the sigmoid nothing of the bound 0.25."""
    texts = {"relu": ("ReLU's slope is 1", "Hanin"), "sigmoid": ("The article's 0.25",), "gelu": ()}
    for name in NAMES:
        _, page = interpreted(depth, plan(name, is_quick=True))
        for other in NAMES:
            assert all((text in page.body) == (name == other) for text in texts[other])
        if name == "relu":
            assert "at width 100 the gap is -6.77" in page.body
            assert "-5L/(4n) = -0.25 lies outside" in page.body


@pytest.mark.parametrize("missing", ["deep", "trained", "nothing"])
def test_the_page_on_depth_needs_no_run_in_particular(missing: str) -> None:
    """Without the deep networks no factor is told; if all runs diverged, every depth is 0."""
    asked = plan(*NAMES, is_quick=True)
    runs = [
        shrinking(settings, FACTORS, math.nan)
        for settings in depth.rounds(asked, [])
        if not (missing == "deep" and settings.depth > 1)
    ]
    page = render(depth.interpret(asked, runs, STYLE), LABELS)
    assert ("each hidden layer multiplies" in page.answer) == (missing != "deep")
    assert page.answer.endswith("ReLU 0 but not 1, Sigmoid 0 but not 1, GELU 0 but not 1.")


def test_networks_that_are_not_trained_cannot_fail_to_train() -> None:
    """Every network that trains succeeds, and none that is only measured: the shares are 1, of the trained alone."""
    asked = plan("relu", "gelu", is_quick=True)
    section, _ = interpreted(depth, asked, lambda s: 0.9 if s.epochs else 0.1)
    success = section.tables["depth_success"]
    counted = Counter((s.activation, s.optimizer, s.learning_rate, s.depth) for s in depth.trained(asked))
    keys = ["activation", "optimiser", "learning_rate", "depth"]
    assert success.set_index(keys)["n"].to_dict() == counted
    assert success["share_trained"].eq(1).all()
    reached = section.tables["trainable_depth"]
    assert reached[["activation", "median"]].to_numpy().tolist() == [["relu", 20], ["gelu", 20]]


def test_the_page_on_initialisation() -> None:
    """Depths by initialisation in the answer; an activation without a critical point has dashes, and the reason why."""
    section, page = interpreted(
        initialization, plan("relu", "sigmoid"), lambda s: 0.9 if s.depth < 20 or s.activation == "relu" else 0.1
    )
    assert page.answer.endswith(
        "ReLU: glorot\\_uniform ≥ 50, he\\_normal ≥ 50, critical ≥ 50; "
        "Sigmoid: glorot\\_uniform 10 but not 20, he\\_normal 10 but not 20."
    )
    points = section.shown["critical_points"].to_numpy().tolist()
    assert points == [["ReLU", "1.500", "0.250", "–"], ["Sigmoid", "none: slope too small", "–", "–"]]
    factors = section.shown["initialization_factors"].set_index("Activation")
    assert factors.loc["ReLU", "critical"].endswith("; theory 1.00")
    assert factors.loc["Sigmoid", "critical"] == "–"
    assert section.shown["initialization_depths"].set_index("Activation")["n"].tolist() == [2, 2]


def reached(settings: Settings) -> float:
    """Normalisation works, layer normalisation better; residual branches diverge; nothing else works."""
    if settings.residual != "none":
        return math.nan
    return {"batch": 0.8, "layer": 0.9}.get(settings.normalization, 0.1) + 1e-4 * settings.seed


def test_the_page_on_remedies() -> None:
    """The answer lists the remedies whose interval lies above the level, the best first."""
    section, page = interpreted(remedies, plan("relu", "sigmoid"), reached)
    works = "(plain 10.0%): layer normalisation 90.0%, batch normalisation 80.0%"
    assert page.answer.endswith(f"ReLU {works}; Sigmoid {works}.")
    shown = section.shown["remedies"].set_index("Remedy")
    assert shown.loc["residual connections"].tolist() == ["2 diverged"] * 2
    assert "every run diverged (ReLU, Sigmoid)" in page.body
    assert shown.loc["critical initialisation", "Sigmoid"] == "–"
    errors = section.tables["remedies"]["first_error"]
    assert errors.max() == pytest.approx(np.sqrt(1.001 ** (PROFILE_DEPTH - 1)) * 0.7 ** (PROFILE_DEPTH - 1))


@pytest.mark.parametrize("accuracy", [0.1, math.nan])
def test_remedies_that_do_not_work(accuracy: float) -> None:
    """If nothing works, or all runs diverged, the answer says none."""
    _, page = interpreted(remedies, plan("gelu"), lambda s: accuracy)
    assert page.answer.endswith(f"GELU (plain {'–' if math.isnan(accuracy) else '10.0%'}): none.")
