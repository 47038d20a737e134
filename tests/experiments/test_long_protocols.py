"""Check the long protocols: the runs they ask for, their choices, and their findings on made-up runs."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import synthetic
from fake_records import result
from synthetic import VARIABLE, signals_kept, started, told, write_data

from experiments import deep_swish, elu_paper, gelu_paper, lippe, ninety_nine, trainable_depth_6xi
from study import cli
from study.analysis import paired_arms
from study.analysis.claims import CLAIMS
from study.constants import CLAIM_SEEDS
from study.figures.style import Style
from study.plan import Plan
from study.records.identity import identity
from study.records.store import Record, make
from study.report.rendering import Page, render
from study.report.section import Section
from study.settings import Settings

MODULES = [gelu_paper, deep_swish, elu_paper, lippe, trainable_depth_6xi, ninety_nine]
JUDGED = {gelu_paper: "P1", deep_swish: "P3", elu_paper: "P4", lippe: "P6", trainable_depth_6xi: "P7"}
NAMES = ("relu", "sigmoid", "gelu", "swish", "tanh", "elu", "gelu_tanh")
STYLE = Style({name: name.title() for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
WHERE = {"environment": {}, "date": "2020-01-01T00:00:00Z"}
SIGMA_W = trainable_depth_6xi.SIGMA_W
SCALES = {"sigma_w": SIGMA_W, "sigma_b": trainable_depth_6xi.SIGMA_B, "xi": [2.0] * len(SIGMA_W)}
PLAN = Plan((), theory={"tanh": {"depth_scales": {trainable_depth_6xi.NAME: SCALES}}})
Change = Callable[[Settings, Record], None]


def record(settings: Settings, change: Change | None = None) -> Record:
    """Make a run with these settings, whose made-up result `change` may alter."""
    found = result(settings)
    if change is not None:
        change(settings, found)
    return make(identity(settings, "data", "function"), {}, found, WHERE)


def diverge(settings: Settings, found: Record) -> None:
    """Replace a result by one of a run that diverged."""
    found |= {**result(settings, "diverged"), "timings": {}}


def records(module: ModuleType, change: Change | None = None, plan: Plan = PLAN) -> list[Record]:
    """Make the records of all rounds of an experiment, each of which sees the records before it."""
    found: list[Record] = []
    for _ in range(3):
        wanted = module.rounds(plan, found)
        assert not set(wanted) & {Settings(**r["identity"]["settings"]) for r in found}
        found += [record(settings, change) for settings in wanted]
    assert module.rounds(plan, found) == [], "it never ends"
    return found


def shown(module: ModuleType, change: Change | None = None) -> tuple[Section, Page]:
    """Return the section of an experiment whose runs are made up, and its page."""
    section = module.interpret(PLAN, records(module, change), STYLE)
    return section, render(section, STYLE.labels)


@pytest.mark.parametrize("module", MODULES)
def test_a_protocol_ends_and_judges_what_it_measured(module: ModuleType) -> None:
    """It takes at most three rounds, none asking for what is done. Every part of its claim is judged.

    The page shows every table for people and every figure, and has an answer.
    """
    section, page = shown(module)
    judged = {(j.claim, j.part) for j in section.judgements}
    if module is ninety_nine:
        assert judged == {("A5", "ninety_nine")}
    elif module is not trainable_depth_6xi:  # whose made-up runs may all be at the grid's end
        claim = JUDGED[module]
        assert judged == {(claim, part) for part in CLAIMS[claim].parts}
    assert {display.name for display in page.displays} == set(section.shown)
    assert {picture.name for picture in page.pictures} == set(section.figures)
    assert page.answer or not judged


@pytest.mark.parametrize("module", MODULES)
def test_more_seeds_are_given_if_asked_for(module: ModuleType) -> None:
    """SEEDS sets how many paired seeds the judged arms have."""
    few, many = (len(records(module, plan=Plan((), seeds=seeds, theory=PLAN.theory))) for seeds in (1, 2))
    assert few < many


@pytest.mark.parametrize("module", MODULES)
def test_a_protocol_that_diverges_everywhere_survives(module: ModuleType) -> None:
    """No judgement says "reproduced", and the page is made. Where a rate or a setting is chosen, there is no choice."""
    section, page = shown(module, diverge)
    assert "reproduced" not in {j.verdict for j in section.judgements}
    if module is gelu_paper:
        assert page.body == "No run of any rate finished: there is nothing to compare."
    if module is ninety_nine:
        assert "There is no test accuracy" in page.body


def test_the_rate_is_chosen_on_validation_alone() -> None:
    """Each activation's lowest validation loss is at another rate; test losses would choose differently."""
    best = dict(zip((gelu_paper.ACTIVATION, *gelu_paper.OTHERS), gelu_paper.RATES, strict=True))

    def change(settings: Settings, found: Record) -> None:
        is_best = settings.learning_rate == best[settings.activation]
        found["best"] |= {"validation_loss": 0.1 if is_best else 0.2, "test_loss": 0.2 if is_best else 0.1}

    found = records(gelu_paper, change)
    for name, rate in best.items():
        rates = {
            r["identity"]["settings"]["learning_rate"]
            for r in found
            if r["identity"]["settings"]["activation"] == name and r["identity"]["settings"]["seed"] > 0
        }
        assert rates == {rate}
    final = gelu_paper.interpret(PLAN, found, STYLE).tables["final_losses"]
    assert final.groupby(["activation", "arm_dropout"]).size().eq(CLAIM_SEEDS).all()


def test_p1_is_the_ratio_of_final_training_losses() -> None:
    """Without dropout, GELU's loss is 0.8 times ReLU's and twice ELU's; with dropout all are equal."""
    losses = {gelu_paper.ACTIVATION: 0.08, "relu": 0.1, "elu": 0.04}

    def change(settings: Settings, found: Record) -> None:
        noise = 1 + 0.01 * settings.seed
        last = 0.1 if settings.dropout else losses[settings.activation]
        found["history"]["training_loss"] = [1.0, 0.5, last * noise]

    section, page = shown(gelu_paper, change)
    judged = {j.part: j for j in section.judgements}
    assert {part: round(j.measured.estimate, 6) for part, j in judged.items()} == {
        "relu": 0.8, "elu": 2.0, "relu_dropout": 1.0, "elu_dropout": 1.0,
    }  # fmt: skip
    assert judged["relu"].verdict == "reproduced"
    assert judged["elu"].verdict == "contradicted"
    assert page.answer == (
        "In the GELU paper's network the final training loss of Gelu\\_Tanh is 0.80 times the loss of Relu, "
        "2.00 times the loss of Elu, with dropout 1.00 times the loss of Relu, with dropout 1.00 times the loss of Elu."
    )


def test_p3_is_the_paired_difference() -> None:
    """Swish is at 0.9 and ReLU at 0.3: a difference of 0.6 over the paired seeds. A ReLU run that diverged is told."""

    def change(settings: Settings, found: Record) -> None:
        found["best"]["validation_accuracy"] = 0.9 if settings.activation == "swish" else 0.3 + 0.001 * settings.seed
        if settings.activation == "relu" and settings.seed == 4:
            diverge(settings, found)

    section, page = shown(deep_swish, change)
    (judged,) = section.judgements
    assert judged.measured.estimate == pytest.approx(0.6 - 0.041 / 9)
    assert judged.measured.n == 9
    assert judged.verdict == "reproduced"
    assert "1 runs diverged" in judged.remark
    assert "is 90.0% with Swish and 30.5% with Relu. The paired difference is +59.5" in page.answer
    assert section.shown["deep_swish"]["trained"].tolist() == ["10 of 10", "0 of 10"]


def test_p4_takes_the_absolute_mean_of_hidden_layers_after_training() -> None:
    """Layers at -0.1 and 0.1 do not cancel; only the last step and the hidden layers count."""

    def change(settings: Settings, found: Record) -> None:
        size = 0.1 if settings.activation == "elu" else 0.2
        row = [size * (-1) ** layer for layer in range(settings.depth)] + [None]
        rows = found["measures"]["activation_mean"]
        found["measures"]["activation_mean"] = [[9.0] * len(row)] * (len(rows) - 1) + [row]

    section, page = shown(elu_paper, change)
    mean = next(j for j in section.judgements if j.part == "mean")
    assert mean.measured.estimate == pytest.approx(0.5)
    assert mean.verdict == "reproduced"
    assert "the mean outputs of Elu are 0.50 times as far from zero as with Relu." in page.answer


def test_p6_is_the_mean_per_initialisation() -> None:
    """One initialisation leaves the networks at chance, the other brings them to 0.9."""

    def change(settings: Settings, found: Record) -> None:
        is_keras = settings.initialization == "glorot_uniform"
        found["best"]["validation_accuracy"] = (0.11 if is_keras else 0.9) + 0.001 * settings.seed

    section, page = shown(lippe, change)
    assert {j.part: j.verdict for j in section.judgements} == {"keras": "reproduced", "torch": "contradicted"}
    assert "11.1% with Keras' default initialisation and 90.1% with PyTorch's" in page.answer


def test_p7_is_the_deepest_over_six_depth_scales() -> None:
    """Networks train to depth 12 of the grid, which is 6 xi everywhere: a ratio of 1.

    At the least sigma_w none trains, and at the largest all do: both have no ratio, and the remark says so.
    """

    def change(settings: Settings, found: Record) -> None:
        deepest = {SIGMA_W[0]: 0, SIGMA_W[-1]: max(trainable_depth_6xi.DEPTHS)}.get(settings.sigma_w or 0.0, 12)
        found["best"]["validation_accuracy"] = 0.9 if settings.depth <= deepest else 0.1

    section, page = shown(trainable_depth_6xi, change)
    (judged,) = section.judgements
    assert (judged.measured.estimate, judged.measured.n) == (pytest.approx(1.0), len(SIGMA_W) - 2)
    assert judged.verdict == "reproduced"
    assert "2 more have no ratio" in judged.remark
    assert section.tables["depth_over_scale"]["ratio"].isna().sum() == 2
    assert page.title == "Trainable to 6 depth scales?"
    assert "is 1.00 times 6 depth scales deep" in page.answer


def test_ninety_nine_chooses_on_validation_and_tests_on_fresh_seeds() -> None:
    """The validation accuracy is best at the last point of the grid, and only fresh seeds of it are tested."""
    chosen = (ninety_nine.DROPOUTS[-1], ninety_nine.SHIFTS[-1])

    def change(settings: Settings, found: Record) -> None:
        is_best = (settings.dropout, settings.shift) == chosen
        found["best"] |= {"validation_accuracy": 0.99 if is_best else 0.98, "test_accuracy": 0.991 + is_best * 1e-3}

    found = records(ninety_nine, change)
    final = [Settings(**r["identity"]["settings"]) for r in found if r["identity"]["settings"]["seed"] > 0]
    assert {(s.dropout, s.shift) for s in final} == {chosen}
    assert min(s.seed for s in final) == ninety_nine.FIRST_FINAL_SEED
    section = ninety_nine.interpret(PLAN, found, STYLE)
    assert section.tables["ninety_nine"]["estimate"].item() == pytest.approx(0.992)
    assert section.judgements[0].verdict == "reproduced"
    page = render(section, STYLE.labels)
    assert page.answer.endswith("a wider Relu network classifies 99.20% of the test images correctly.")
    assert "The choice is dropout 0.25 and shifts of up to 2 pixels. Its test accuracy over 5 fresh" in page.body


def test_arms_are_compared_at_shared_seeds() -> None:
    """Seeds 1 and 2 are in both arms and finite: their ratios 2 and 8 have the geometric mean 4, differences 1, 7."""
    first = pd.Series([5.0, 2.0, 8.0, math.nan], index=[0, 1, 2, 3])
    second = pd.Series([1.0, 1.0, 4.0], index=[1, 2, 3])
    assert paired_arms.ratio(first, second).estimate == pytest.approx(4.0)
    assert paired_arms.difference(first, second).estimate == pytest.approx(4.0)
    assert paired_arms.ratio(first, second).n == paired_arms.difference(first, second).n == 2
    rows = pd.DataFrame({"seed": [0, 1, 1], "kind": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    assert paired_arms.arm(rows, "x", kind="a").to_dict() == {0: 1.0, 1: 2.0}
    told = paired_arms.scaled_down(epochs=(5, 50), most_seeds=(1, 2))
    assert told == "5 epochs instead of 50, 1 most seeds instead of 2"


def test_the_whole_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`study all` of both targets with the fake engine keeps the records, judges them in the report, repeats none."""
    synthetic.install(monkeypatch)
    monkeypatch.setenv(VARIABLE, told(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainable_depth_6xi, "DEPTHS", (3, 5))
    data = write_data(tmp_path / "data.npz")
    words = ["--mnist", str(data), "--any-data", "--workers", "0", "--seeds", "2"]
    with signals_kept():
        for target in ("claims", "ninety_nine"):
            assert cli.main(["all", "--target", target, *words]) == 0
        before = started(tmp_path / "log")
        assert cli.main(["all", "--target", "claims", *words]) == 0
        assert cli.main(["verify"]) == 0
    assert started(tmp_path / "log") == before
    claims = pd.read_csv("results/tables/claims.csv")
    judged = claims[claims["verdict"] != "not run"]["claim"].unique().tolist()
    assert {"A5", "P1", "P3", "P4", "P6"} <= set(judged)
    readme = Path("results/README.md").read_text()
    assert "runs by `make claims`" in readme
    assert "runs by `make ninety_nine`" in readme
    told_of = pd.read_csv("results/tables/long_protocols.csv")["experiment"]
    assert set(told_of) == {module.NAME for module in MODULES}
