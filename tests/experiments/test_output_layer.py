"""Output layers: the runs, diverged runs as an outcome, and claim A4."""

import math

import pytest
from both_languages import render
from fake_records import all_rounds, record
from fake_studies import STYLE, Accuracy

from experiments import output_layer
from experiments.output_layer import OUTPUT_SEEDS, RATES
from study.activations import REGISTRY
from study.analysis.claims import JUDGED
from study.plan import Plan
from study.report.section import Section
from study.settings import LOSSES, OUTPUTS, Settings

PLAN = Plan(("sigmoid", "relu"))


def usual(settings: Settings) -> float:
    """Reach 0.97, but with a ReLU output diverge under cross-entropy and guess under squared error."""
    if settings.output != "relu":
        return 0.97 + 1e-3 * (settings.seed % 3)
    return math.nan if settings.loss == "crossentropy" else 0.1


def section_of(how: Accuracy, plan: Plan = PLAN) -> Section:
    return output_layer.interpret(plan, all_rounds(output_layer.rounds, plan, how), STYLE)


def test_every_output_meets_every_loss_with_the_same_seeds() -> None:
    """In one round only output, loss, rate and seed change; a quick look has none."""
    runs = output_layer.rounds(PLAN, [])
    assert len(runs) == len(set(runs)) == len(RATES) * len(OUTPUTS) * len(LOSSES) * OUTPUT_SEEDS
    for output in OUTPUTS:
        for loss in LOSSES:
            pairs = [(s.learning_rate, s.seed) for s in runs if (s.output, s.loss) == (output, loss)]
            assert pairs == [(rate, seed) for rate in RATES for seed in range(OUTPUT_SEEDS)]
    assert output_layer.rounds(PLAN, [record(Settings(activation="relu", seed=0), 0.9)]) == []
    assert output_layer.rounds(Plan(("relu",), is_quick=True), []) == []


@pytest.mark.parametrize(("names", "hidden"), [(("sigmoid", "relu"), "relu"), *(((name,), name) for name in REGISTRY)])
def test_the_reference_is_in_the_hidden_layers_or_else_the_first(names: tuple[str, ...], hidden: str) -> None:
    assert {s.activation for s in output_layer.rounds(Plan(names, 1), [])} == {hidden}


def test_diverged_runs_are_an_outcome_with_a_share() -> None:
    """All runs of a ReLU output diverge under cross-entropy: share 1 and a dash for their accuracy; none elsewhere."""
    section = section_of(usual)
    table = section.tables["output_layer"].set_index(["learning_rate", "loss", "output"]).loc[RATES[0]]
    lost = table.loc[("crossentropy", "relu")]
    assert (lost["runs"], lost["diverged"], lost["diverged_share"], lost["n"]) == (OUTPUT_SEEDS, OUTPUT_SEEDS, 1.0, 0)
    assert table["diverged"].sum() == table["at_chance"].sum() == OUTPUT_SEEDS
    assert table.loc[("squared_error", "relu"), "at_chance_share"] == 1.0
    assert table.loc[("squared_error", "relu"), "test_accuracy_mean"] == pytest.approx(0.1)
    page = render(section, STYLE.labels)
    shown = page.displays[0].frame.loc[2, ["Output", "diverged, %", "test accuracy"]].tolist()
    assert shown == ["ReLU", "100 [54, 100]", "–"]
    assert f"ReLU – ({OUTPUT_SEEDS} of {OUTPUT_SEEDS} diverged); with squared error, softmax 97.1%, " in page.answer
    assert page.answer.endswith(f"ReLU 10.0% ({OUTPUT_SEEDS} of {OUTPUT_SEEDS} only guess).")


def scaled(verdict: str) -> str:
    """Return the verdict on runs of a few epochs, where the article trains to the end."""
    return f"{verdict} (scaled down)" if verdict in JUDGED else verdict


@pytest.mark.parametrize(
    ("how", "crossentropy", "squared_error"),
    [
        (usual, "reproduced", "reproduced"),
        (lambda s: 0.97 + 0.001 * (s.output == "relu"), "contradicted", "contradicted"),
        (lambda s: math.nan if s.output == "relu" else 0.97, "reproduced", "not testable here"),
    ],
    ids=["fails", "is better", "diverged everywhere"],
)
def test_a4_is_judged_by_how_a_relu_output_ends(how: Accuracy, crossentropy: str, squared_error: str) -> None:
    """Under cross-entropy a diverged run is worse; under squared error no pair is left to compare."""
    found = {judgement.part: judgement.verdict for judgement in section_of(how).judgements}
    assert found == {"crossentropy": scaled(crossentropy), "squared_error": scaled(squared_error)}


def test_the_page_says_what_holds_at_each_rate() -> None:
    """A ReLU output fails at the article's rate alone. A4, judged there, is reproduced; elsewhere it would not be."""
    section = section_of(lambda s: usual(s) if s.learning_rate == RATES[0] else 0.97)
    assert {judgement.verdict for judgement in section.judgements} == {scaled("reproduced")}
    body = render(section, STYLE.labels).body
    assert rf"0.01: the ReLU output diverges or ends worse than softmax for 100 \[54, 100\]% of {OUTPUT_SEEDS}" in body
    for rate, verdict in zip(RATES, ("reproduced", "contradicted"), strict=True):
        (line,) = (line for line in body.splitlines() if line.startswith(f"- squared error at {rate}:"))
        assert line.endswith(f"({scaled(verdict)}).")


def test_the_seeds_can_judge_a4() -> None:
    """The region begins at a half: six of six are enough, as the cases above show, and five of five are not."""
    assert section_of(usual, Plan(("relu",), 5)).judgements[0].verdict == scaled("inconclusive")
