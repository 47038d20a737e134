"""Output layers: the runs, diverged runs as an outcome, and claim A4."""

import math

import pytest
from fake_records import all_rounds, record

from experiments import output_layer
from experiments.output_layer import OUTPUT_SEEDS, RATES
from study.activations import REGISTRY
from study.figures.style import Style
from study.plan import Plan
from study.report.rendering import render
from study.settings import LOSSES, OUTPUTS, Settings

STYLE = Style({name: entry.label for name, entry in REGISTRY.items()}, {name: i for i, name in enumerate(REGISTRY)})
PLAN = Plan(("sigmoid", "relu"))


def usual(settings: Settings) -> float:
    """Reach 0.97, but with a ReLU output diverge under cross-entropy and guess under squared error."""
    if settings.output != "relu":
        return 0.97 + 1e-3 * (settings.seed % 3)
    return math.nan if settings.loss == "crossentropy" else 0.1


def verdicts(how) -> dict[str, str]:
    """Judge A4's parts if a run's accuracy is `how(settings)`."""
    section = output_layer.interpret(PLAN, all_rounds(output_layer.rounds, PLAN, how), STYLE)
    return {judgement.part: judgement.verdict for judgement in section.judgements}


def test_every_output_meets_every_loss_with_the_same_seeds() -> None:
    """Only output, loss, rate and seed change; the hidden layers' activation is the reference if it is compared."""
    runs = output_layer.rounds(PLAN, [])
    assert len(runs) == len(set(runs)) == len(RATES) * len(OUTPUTS) * len(LOSSES) * OUTPUT_SEEDS
    assert {settings.activation for settings in runs} == {"relu"}
    for output in OUTPUTS:
        for loss in LOSSES:
            pairs = [(s.learning_rate, s.seed) for s in runs if (s.output, s.loss) == (output, loss)]
            assert pairs == [(rate, seed) for rate in RATES for seed in range(OUTPUT_SEEDS)]


@pytest.mark.parametrize("name", REGISTRY)
def test_another_activation_takes_its_place(name: str) -> None:
    """Without the reference, the first of the plan is in the hidden layers."""
    assert {s.activation for s in output_layer.rounds(Plan((name,), 1), [])} == {name}


def test_one_round_and_none_in_a_quick_look() -> None:
    """Records end the experiment, and a quick look has no runs of it."""
    assert output_layer.rounds(Plan(("relu",), is_quick=True), []) == []
    assert output_layer.rounds(PLAN, [record(Settings(activation="relu", seed=0), 0.9)]) == []


def test_diverged_runs_are_an_outcome_with_a_share() -> None:
    """All runs of a ReLU output diverge under cross-entropy: share 1 and a dash for their accuracy; none elsewhere."""
    section = output_layer.interpret(PLAN, all_rounds(output_layer.rounds, PLAN, usual), STYLE)
    assert section.shown["output_layer"]["test accuracy"].tolist()[2] == "–"
    table = section.tables["output_layer"].set_index(["learning_rate", "loss", "output"]).loc[RATES[0]]
    lost = table.loc[("crossentropy", "relu")]
    assert (lost["runs"], lost["diverged"], lost["diverged_share"], lost["n"]) == (OUTPUT_SEEDS, OUTPUT_SEEDS, 1.0, 0)
    assert table["diverged"].sum() == table["at_chance"].sum() == OUTPUT_SEEDS
    assert table.loc[("squared_error", "relu"), "at_chance_share"] == 1.0
    assert table.loc[("squared_error", "relu"), "test_accuracy_mean"] == pytest.approx(0.1)
    answer = render(section, STYLE.labels).answer
    assert f"relu – ({OUTPUT_SEEDS} of {OUTPUT_SEEDS} diverged); with squared error, softmax 97.10%, " in answer
    assert f"relu 10.00% ({OUTPUT_SEEDS} of {OUTPUT_SEEDS} at chance)." in answer


def test_the_page_says_what_holds_at_each_rate() -> None:
    """Where a ReLU output fails at the article's rate alone, A4 is reproduced there, and contradicted at the other."""
    found = all_rounds(output_layer.rounds, PLAN, lambda s: usual(s) if s.learning_rate == RATES[0] else 0.97)
    section = output_layer.interpret(PLAN, found, STYLE)
    assert {judgement.verdict for judgement in section.judgements} == {"reproduced"}
    page = render(section, STYLE.labels)
    assert page.answer.endswith(
        "Under squared error, that ReLU is a poor output is reproduced at 0.01 and contradicted at 0.001."
    )
    assert rf"ends worse than softmax for 100 \[54, 100\]% of {OUTPUT_SEEDS} seeds (reproduced)" in page.body


def test_a4_is_reproduced_by_outputs_that_fail() -> None:
    """A ReLU output that diverges or guesses supports both parts."""
    assert verdicts(usual) == {"crossentropy": "reproduced", "squared_error": "reproduced"}


def test_a4_is_contradicted_by_outputs_as_good_as_softmax() -> None:
    """A ReLU output that is better than softmax for every seed contradicts both parts."""
    assert verdicts(lambda s: 0.97 + 0.001 * (s.output == "relu")) == {
        "crossentropy": "contradicted",
        "squared_error": "contradicted",
    }


def test_a4_is_inconclusive_where_no_pair_finished() -> None:
    """Under squared error every ReLU output diverged, so nothing can be compared."""
    found = verdicts(lambda s: math.nan if s.output == "relu" else 0.97)
    assert found == {"crossentropy": "reproduced", "squared_error": "not testable here"}


def test_the_seeds_can_judge_a4() -> None:
    """The region begins at a half: six of six are enough, and five of five would not have been."""
    assert verdicts(usual)["crossentropy"] == "reproduced"
    plan = Plan(("relu",), 5)
    few = output_layer.interpret(plan, all_rounds(output_layer.rounds, plan, usual), STYLE)
    assert few.judgements[0].verdict == "inconclusive"


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("how", [usual, lambda _: math.nan, lambda _: 0.97], ids=["usual", "all diverged", "all alike"])
def test_any_outcome_has_an_answer(seeds: int, how) -> None:
    """Whatever happened, the answer names each output under each loss, and no NaN is shown."""
    plan = Plan(("tanh",), seeds)
    section = output_layer.interpret(plan, all_rounds(output_layer.rounds, plan, how), STYLE)
    page = render(section, STYLE.labels)
    assert page.answer.count("%") + page.answer.count("–") >= len(OUTPUTS) * len(LOSSES)
    assert len(page.displays[0].frame) == len(RATES) * len(OUTPUTS) * len(LOSSES)
    assert "nan" not in page.answer + page.body
