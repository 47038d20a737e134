"""The long protocols: what they run, how they choose, and what is concluded of runs whose numbers are known."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import quoted
import synthetic
from fake_records import result
from synthetic import VARIABLE, signals_kept, started, told, write_data

from experiments import deep_swish, elu_paper, gelu_paper, lippe, ninety_nine, trainable_depth_6xi
from study import cli, constants
from study.analysis import paired_arms
from study.analysis.claims import CLAIMS
from study.constants import FIRST_FRESH_SEED, P1_CLAIM, P1_DROPOUT, P1_RATES, P7_DEPTHS, P7_SIGMA_B, P7_SIGMA_W
from study.figures.style import Style
from study.plan import Plan
from study.records.identity import identity
from study.records.store import Record, make
from study.settings import Settings

MODULES = [gelu_paper, deep_swish, elu_paper, lippe, trainable_depth_6xi, ninety_nine]
JUDGED = {gelu_paper: "P1", deep_swish: "P3", elu_paper: "P4", lippe: "P6", trainable_depth_6xi: "P7"}
NAMES = ("relu", "sigmoid", "gelu", "swish", "tanh", "elu", "gelu_tanh")
STYLE = Style({name: name.title() for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
WHERE = {"environment": {}, "date": "2020-01-01T00:00:00Z"}
SCALES = {"sigma_w": list(P7_SIGMA_W), "sigma_b": P7_SIGMA_B, "xi": [2.0] * len(P7_SIGMA_W)}
PLAN = Plan((), theory={"tanh": {"depth_scales": {trainable_depth_6xi.NAME: SCALES}}})
Change = Callable[[Settings, Record], None]


def record(settings: Settings, change: Change | None = None) -> Record:
    """A made-up run of these settings, its result changed."""
    found = result(settings)
    if change is not None:
        change(settings, found)
    return make(identity(settings, "data", "function"), {}, found, WHERE)


def records(module: ModuleType, change: Change | None = None, plan: Plan = PLAN) -> list[Record]:
    """The records of all its rounds, each seeing those before."""
    found: list[Record] = []
    for _ in range(3):
        wanted = module.rounds(plan, found)
        assert not set(wanted) & {Settings(**r["identity"]["settings"]) for r in found}
        found += [record(settings, change) for settings in wanted]
    assert module.rounds(plan, found) == [], "it never ends"
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_protocol_ends_and_judges_what_it_measured(module: ModuleType) -> None:
    """At most three rounds, none asking for what is done; every part of its claim is judged, with a remark."""
    section = module.interpret(PLAN, records(module), STYLE)
    judged = {(j.claim, j.part) for j in section.judgements}
    if module is ninety_nine:
        assert judged == {("A5", "ninety_nine")}
    elif module is not trainable_depth_6xi:  # whose made-up runs may all be at the grid's end
        claim = JUDGED[module]
        assert judged == {(claim, part) for part in CLAIMS[claim].parts}
    assert all(j.remark for j in section.judgements)
    assert section.tables["runs"]["experiment"].eq(module.NAME).all()
    assert section.answer or not judged


@pytest.mark.parametrize("module", MODULES)
def test_more_seeds_are_given_if_asked_for(module: ModuleType) -> None:
    """SEEDS changes how many paired seeds the arms that are judged have."""
    few, many = (len(records(module, plan=Plan((), seeds=seeds, theory=PLAN.theory))) for seeds in (1, 2))
    assert few < many


@pytest.mark.parametrize("module", MODULES)
def test_a_protocol_that_diverges_everywhere_survives(module: ModuleType) -> None:
    """No judgement says "reproduced"."""

    def diverge(settings: Settings, found: Record) -> None:
        found |= {**result(settings, "diverged"), "timings": {}}

    section = module.interpret(PLAN, records(module, diverge), STYLE)
    assert "reproduced" not in {j.verdict for j in section.judgements}


def test_the_rate_is_chosen_on_validation_alone() -> None:
    """Each activation's lowest validation loss is at a rate of its own; test scores say the contrary."""
    best = dict(zip(gelu_paper.ACTIVATIONS, P1_RATES, strict=True))

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
    assert final.groupby(["activation", "dropout"]).size().eq(constants.CLAIM_SEEDS).all()


def test_p1_is_the_ratio_of_final_training_losses() -> None:
    """GELU's loss is 0.8 times ReLU's and twice ELU's, without dropout; with it all are equal."""
    losses = {P1_CLAIM[0]: 0.08, "relu": 0.1, "elu": 0.04}

    def change(settings: Settings, found: Record) -> None:
        noise = 1 + 0.01 * settings.seed
        last = 0.1 if settings.dropout else losses[settings.activation]
        found["history"]["training_loss"] = [1.0, 0.5, last * noise]

    judged = {j.part: j for j in gelu_paper.interpret(PLAN, records(gelu_paper, change), STYLE).judgements}
    assert {part: round(j.measured.estimate, 6) for part, j in judged.items()} == {
        "relu": 0.8, "elu": 2.0, "relu_dropout": 1.0, "elu_dropout": 1.0,
    }  # fmt: skip
    assert judged["relu"].verdict == "reproduced"
    assert judged["elu"].verdict == "contradicted"


def test_p3_is_the_paired_difference() -> None:
    """Swish is at 0.9 and ReLU at 0.3: a difference of 0.6 over the paired seeds; one ReLU diverges and is told."""

    def change(settings: Settings, found: Record) -> None:
        found["best"]["validation_accuracy"] = 0.9 if settings.activation == "swish" else 0.3 + 0.001 * settings.seed
        if settings.activation == "relu" and settings.seed == 4:
            found |= {**result(settings, "diverged"), "timings": {}}

    (judged,) = deep_swish.interpret(PLAN, records(deep_swish, change), STYLE).judgements
    assert judged.measured.estimate == pytest.approx(0.6 - 0.0015)
    assert judged.measured.n == 4
    assert judged.verdict == "reproduced"
    assert "1 runs diverged" in judged.remark


def test_p4_takes_the_absolute_mean_of_hidden_layers_after_training() -> None:
    """Layers at -0.1 and 0.1 have no mean of zero; only the last step and the hidden layers count."""

    def change(settings: Settings, found: Record) -> None:
        size = 0.1 if settings.activation == "elu" else 0.2
        row = [size * (-1) ** layer for layer in range(settings.depth)] + [None]
        rows = found["measures"]["activation_mean"]
        found["measures"]["activation_mean"] = [[9.0] * len(row)] * (len(rows) - 1) + [row]

    section = elu_paper.interpret(PLAN, records(elu_paper, change), STYLE)
    mean = next(j for j in section.judgements if j.part == "mean")
    assert mean.measured.estimate == pytest.approx(0.5)
    assert mean.verdict == "reproduced"


def test_p6_is_the_mean_per_initialisation() -> None:
    """At chance under one, at 0.9 under the other."""

    def change(settings: Settings, found: Record) -> None:
        is_keras = settings.initialization == "glorot_uniform"
        found["best"]["validation_accuracy"] = (0.11 if is_keras else 0.9) + 0.001 * settings.seed

    judged = {j.part: j.verdict for j in lippe.interpret(PLAN, records(lippe, change), STYLE).judgements}
    assert judged == {"keras": "reproduced", "torch": "contradicted"}


def test_p7_is_the_deepest_over_six_depth_scales() -> None:
    """Networks train to depth 12 of the grid, which is 6 xi everywhere: a ratio of 1. At the least sigma_w none trains
    and at the largest all do: they have no ratio, and are told."""

    def change(settings: Settings, found: Record) -> None:
        deepest = {P7_SIGMA_W[0]: 0, P7_SIGMA_W[-1]: max(P7_DEPTHS)}.get(settings.sigma_w or 0.0, 12)
        found["best"]["validation_accuracy"] = 0.9 if settings.depth <= deepest else 0.1

    section = trainable_depth_6xi.interpret(PLAN, records(trainable_depth_6xi, change), STYLE)
    (judged,) = section.judgements
    assert (judged.measured.estimate, judged.measured.n) == (pytest.approx(1.0), len(P7_SIGMA_W) - 2)
    assert judged.verdict == "reproduced"
    assert "2 more have no ratio" in judged.remark
    assert section.tables["depth_over_scale"]["ratio"].isna().sum() == 2


def test_ninety_nine_chooses_on_validation_and_tests_on_fresh_seeds() -> None:
    """The grid's best validation accuracy is at the last point, its best test accuracy at the first."""
    chosen = (constants.TUNED_DROPOUTS[-1], constants.TUNED_SHIFTS[-1])

    def change(settings: Settings, found: Record) -> None:
        is_best = (settings.dropout, settings.shift) == chosen
        found["best"] |= {"validation_accuracy": 0.99 if is_best else 0.98, "test_accuracy": 0.991 + is_best * 1e-3}

    found = records(ninety_nine, change)
    final = [Settings(**r["identity"]["settings"]) for r in found if r["identity"]["settings"]["seed"] > 0]
    assert {(s.dropout, s.shift) for s in final} == {chosen}
    assert min(s.seed for s in final) == FIRST_FRESH_SEED
    section = ninety_nine.interpret(PLAN, found, STYLE)
    assert section.tables["ninety_nine"]["estimate"].item() == pytest.approx(0.992)
    assert section.judgements[0].verdict == "reproduced"


def test_without_a_finished_trial_nothing_is_chosen() -> None:
    def diverge(settings: Settings, found: Record) -> None:
        found |= {**result(settings, "diverged"), "timings": {}}

    assert len(records(ninety_nine, diverge)) == len(constants.TUNED_DROPOUTS) * len(constants.TUNED_SHIFTS)


def test_arms_are_compared_at_shared_seeds() -> None:
    """Seeds 1 and 2 are in both and finite: ratios 2 and 8, their geometric mean is 4; differences 1, 7."""
    first = pd.Series([5.0, 2.0, 8.0, math.nan], index=[0, 1, 2, 3])
    second = pd.Series([1.0, 1.0, 4.0], index=[1, 2, 3])
    assert paired_arms.ratio(first, second).estimate == pytest.approx(4.0)
    assert paired_arms.difference(first, second).estimate == pytest.approx(4.0)
    assert paired_arms.ratio(first, second).n == paired_arms.difference(first, second).n == 2
    rows = pd.DataFrame({"seed": [0, 1, 1], "kind": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    assert paired_arms.arm(rows, "x", kind="a").to_dict() == {0: 1.0, 1: 2.0}
    assert (
        paired_arms.scaled_down(epochs=(5, 50), most_seeds=(1, 2))
        == "5 epochs instead of 50, 1 most seeds instead of 2"
    )


def test_a_dropout_is_one_of_the_claims_arms() -> None:
    assert set(gelu_paper.DROPOUTS.values()) == {0.0, P1_DROPOUT}


def test_the_whole_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`study all` of both targets with the fake engine: the records are kept, judged in the report, and not done again;
    each activation keeps its place."""
    synthetic.install(monkeypatch)
    monkeypatch.setenv(VARIABLE, told(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainable_depth_6xi, "P7_DEPTHS", (3, 5))
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
    frames = {path.stem: pd.read_csv(path) for path in Path("results/tables").glob("*.csv")}
    assert set(frames["long_protocols"]["experiment"]) == {module.NAME for module in MODULES}
    labels = {entry.label: name for name, entry in synthetic.REGISTRY.items()}
    assert quoted.without_table(readme, frames, labels) == []
