"""The pages on depth, initialisation and remedies, on records whose errors and accuracies are known."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from types import FunctionType, ModuleType

import fake_records
import numpy as np
import pytest
from both_languages import render
from fake_studies import theory

from experiments import depth, initialization, remedies
from study import figures
from study.constants import PROFILE_DEPTH
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.report.rendering import Page
from study.report.section import Section
from study.settings import Settings

NAMES = ("relu", "sigmoid", "gelu")
LABELS = {"relu": "ReLU", "sigmoid": "Sigmoid", "gelu": "GELU"}
STYLE = Style(LABELS, {name: place for place, name in enumerate(NAMES)})
FACTORS = {"relu": 0.7, "sigmoid": 0.2, "gelu": 0.5}


def plan(*names: str, is_quick: bool = False) -> Plan:
    return Plan(names, 2, is_quick, theory(*names))


def shrinking(settings: Settings, factors: dict[str, float], accuracy: float) -> Record:
    """Make a run whose errors change by a factor a layer, up to 0.1% by seed, and whose other measures are 1."""
    layers = settings.depth + 1
    factor = factors[settings.activation] * (1 + 0.001 * (settings.seed % 2))
    ones = [[1.0] * layers] * 2
    names = ("weight_gradient", "example_weight_gradient", "activation_rms", "preactivation_square", "update_ratio")
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


def shown(page: Page, name: str) -> dict[str, list[str]]:
    """Return the cells of a table that a page shows, by the first of each row."""
    (frame,) = (display.frame for display in page.displays if display.name == name)
    return {row[0]: row[1:] for row in frame.to_numpy().tolist()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure three untrained networks instead of twenty, and draw no figure; captions are rendered all the same."""
    monkeypatch.setattr(depth, "INITIAL_SEEDS", 3)
    for name, drawn in vars(figures).items():
        if isinstance(drawn, FunctionType):
            monkeypatch.setattr(figures, name, lambda *args: None)


def test_depth_answers_with_factors_and_depths() -> None:
    """Each activation has its own factor and depth: ReLU the whole grid, the others 1, as they guess or diverge."""
    accuracy = {"relu": 0.9, "sigmoid": 0.1, "gelu": math.nan}
    _, page = interpreted(depth, plan(*NAMES, is_quick=True), lambda s: 0.9 if s.depth == 1 else accuracy[s.activation])
    assert page.answer == (
        "Each layer passes back a share of the error: Sigmoid 0.20, GELU 0.50, ReLU 0.70. "
        "SGD (480 updates) trains Sigmoid with 1 hidden layer, ReLU with ≥ 20."
    )
    assert shown(page, "depth")["GELU"][:2] == ["0.50", "1"]
    assert shown(page, "trainable_depth")["GELU"] == ["2", "1 but not 20"]
    assert [row[-1] for row in shown(page, "shrink_factors").values()] == ["1.000"] * 3
    missed = shown(page, "theory_gaps_by_width")
    assert "3 of 6" in [cells[2] for cells in missed.values()]
    gap = 19 * (math.log(0.2) + math.log(1.001) / 3)  # one of three seeds has 0.1% more a layer
    assert shown(page, "theory_gaps")["Sigmoid"][0].startswith(f"{gap:.3f} [")
    assert "nan" not in page.answer + page.body


@pytest.mark.parametrize(("failing", "is_alike"), [("sigmoid", True), ("gelu", False), ("none", None)])
def test_adam_cannot_save_a_network_whose_images_are_alike(failing: str, is_alike: bool | None) -> None:
    """The page says so of an activation that fails at ten layers, if its images are alike there, and of no other."""
    section, page = interpreted(depth, plan(*NAMES), lambda s: 0.1 if s.activation == failing else 0.9)
    assert ("but not 10 layers of Sigmoid." in page.answer) == (is_alike is True)
    assert ("of Sigmoid, two images look the same" in page.body) == (is_alike is True)
    assert ("GELU with 1 hidden layers (cosine 0.50" in page.body) == (is_alike is False)
    assert ("- Sigmoid: 1 with 1 hidden layers (1 to 1)" in page.body) == (is_alike is True)
    assert shown(page, "depth")["Sigmoid"][-2:] == ["1.00", "1.00"]
    found = section.tables["similarity"]
    assert found["predicted"].notna().equals(found["when"] == "initial")
    assert set(found["layer"]) == set(range(1, 52))


@pytest.mark.parametrize(("name", "factor", "said"), [
    ("relu", 0.7, ["ReLU's slope is 1", "the measured gap is -6.77", "-0.25 is outside this interval"]),
    ("sigmoid", 0.2, ["0.25 is outside this interval"]),
    ("sigmoid", 0.2499, ["0.25 is inside this interval"]),
    ("gelu", 0.5, []),
])  # fmt: skip
def test_what_is_said_of_one_activation_needs_it(name: str, factor: float, said: list[str]) -> None:
    """Only ReLU's slope and offset, only the sigmoid's bound 0.25: it is in the interval of 0.2499, not of 0.2."""
    _, page = interpreted(depth, plan(name, is_quick=True), factors={name: factor})
    assert all(text in page.body for text in said)
    for other, texts in {
        "relu": ("ReLU's slope", "With ReLU,", "Hanin"),
        "sigmoid": ("and 0.25 is", "With the sig"),
    }.items():
        assert all((text in page.body) == (name == other) for text in texts)


def test_networks_that_are_not_trained_cannot_fail_to_train() -> None:
    """Every network that trains succeeds, and none that is only measured: the shares are 1, of the trained alone."""
    asked = plan("relu", "gelu", is_quick=True)
    section, _ = interpreted(depth, asked, lambda s: 0.9 if s.epochs else 0.1)
    success = section.tables["depth_success"]
    counted = Counter((s.activation, s.optimizer, s.learning_rate, s.depth) for s in depth.trained_networks(asked))
    keys = ["activation", "optimiser", "learning_rate", "depth"]
    assert success.set_index(keys)["n"].to_dict() == counted
    assert success["share_trained"].eq(1).all()
    reached = section.tables["trainable_depth"]
    assert reached[["activation", "median"]].to_numpy().tolist() == [["relu", 20], ["gelu", 20]]


def test_the_page_on_initialisation() -> None:
    """An activation without a critical point is not in the answer; it has dashes, and the reason why."""
    reached = {"critical": 50, "glorot_uniform": 10, "he_normal": 10}
    _, page = interpreted(
        initialization, plan("relu", "sigmoid"), lambda s: 0.9 if s.depth <= reached[s.initialization] else 0.1
    )
    assert page.answer == (
        "With weights made for the activation, Adam trains 50 hidden layers of ReLU on 2 of 2 seeds. "
        "With Keras' default: none."
    )
    assert "Critical weights are shown to train deeper than Keras' default for ReLU." in page.body
    assert "He's weights are shown to train deeper than Keras' default for no activation." in page.body
    points = shown(page, "critical_points")
    assert points == {"ReLU": ["1.500", "0.250", "–"], "Sigmoid": ["none: slope too small", "–", "–"]}
    factors = shown(page, "initialization_factors")
    assert (factors["ReLU"][-1], factors["Sigmoid"][-2:]) == ("1.00", ["–", "–"])
    both = ["2", "10 but not 20", "10 but not 20"]
    assert shown(page, "initialization_depths") == {"ReLU": [*both, "≥ 50"], "Sigmoid": [*both, "–"]}
    assert shown(page, "initialization_effects") == {"ReLU": ["+0.00", "+80.00"], "Sigmoid": ["+0.00", "–"]}


def test_initial_weights_may_not_help() -> None:
    """The critical weights train less deep than the default's, and He's deeper."""
    reached = {"glorot_uniform": 5, "he_normal": 10, "critical": 2}
    _, page = interpreted(initialization, plan("relu"), lambda s: 0.9 if s.depth <= reached[s.initialization] else 0.1)
    assert "50 hidden layers of ReLU on 0 of 2 seeds" in page.answer
    assert "Critical weights are shown to train deeper than Keras' default for no activation." in page.body
    assert "He's weights are shown to train deeper than Keras' default for ReLU." in page.body


def test_no_row_of_the_page_on_initialisation_is_also_one_of_depth() -> None:
    """The report joins tables of one name; rows under Keras' default are of networks that `depth` has too."""
    section, _ = interpreted(initialization, plan("relu"))
    for name in ("gradient_norms", "theory"):
        assert set(section.tables[name]["init"]) == {"he_normal", "critical"}


def outcome(settings: Settings) -> float:
    """Batch normalisation works for all, layer normalisation for the first; residual branches diverge."""
    if settings.residual != "none":
        return math.nan
    works = settings.normalization == "batch" or (settings.normalization == "layer" and settings.activation == "relu")
    return (0.8 if works else 0.1) + 1e-4 * settings.seed


def test_the_page_on_remedies() -> None:
    """The answer groups the remedies whose interval lies above the level by the activations that they train."""
    section, page = interpreted(remedies, plan("relu", "sigmoid"), outcome)
    assert page.answer == (
        "With 20 hidden layers, plain SGD trains no activation. What helps: "
        "batch normalisation (all activations); layer normalisation (only ReLU)."
    )
    cells = shown(page, "remedies")
    assert cells["residual connections"] == ["2 diverged"] * 2
    assert cells["critical initialisation"][1] == "–"
    assert "every run of ReLU, Sigmoid diverged" in page.body
    errors = section.tables["remedies"]["first_error"]
    assert errors.max() == pytest.approx(np.sqrt(1.001 ** (PROFILE_DEPTH - 1)) * 0.7 ** (PROFILE_DEPTH - 1))


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_remedy_works_if_it_does_on_every_seed(seeds: int) -> None:
    """One seed has no interval, and counts by itself. Of three, one that diverged is a failure, and is shown."""

    def how(settings: Settings) -> float:
        if settings.normalization == "layer" and settings.seed == 1:
            return math.nan
        return 0.8 + 1e-4 * settings.seed if settings.normalization in ("batch", "layer") else 0.1

    _, page = interpreted(remedies, dataclasses.replace(plan("relu"), seeds=seeds), how)
    assert ("layer normalisation" in page.answer) == (seeds == 1)
    assert "batch normalisation" in page.answer
    assert shown(page, "remedies")["layer normalisation"][0].endswith(", 1 diverged") == (seeds == 3)


@pytest.mark.parametrize(("accuracy", "plain"), [(0.1, "no activation"), (math.nan, "no activation"), (0.6, "GELU")])
def test_remedies_that_change_nothing(accuracy: float, plain: str) -> None:
    """If nothing works, or all runs diverged, the answer says so; it says too that plain SGD does."""
    _, page = interpreted(remedies, plan("gelu"), lambda s: accuracy)
    assert f"plain SGD trains {plain}. What helps" in page.answer
    assert page.answer.endswith("nothing that was tried.") == (accuracy != 0.6)
