"""Claims at initialisation: which networks, and what is concluded of networks whose error and dead units are known."""

import pytest
from both_languages import render
from fake_records import result, unsealed

from experiments import depth, published
from experiments.published import A3_CLAIM, A3_DEPTH, P5_DEPTH, P9_SEEDS, P9_WIDTHS
from study.analysis import claims
from study.constants import INITIAL_SEEDS, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.settings import Settings

STYLE = Style({"relu": "ReLU", "sigmoid": "Sigmoid"}, {"relu": 0, "sigmoid": 1})


def record(settings: Settings) -> Record:
    """Make a run whose errors shrink by 0.2 (sigmoid) or 0.7 a layer, or not at all under He; so do weight gradients.

    ReLU's weight gradients are twice as large under He, and shrink nowhere; layer 1's are of another size.

    Of the narrowest networks those with an even seed have a dead layer.
    """
    found = result(settings)
    layers = settings.depth + 1
    factor = 1.0 if settings.initialization == "he_normal" else {"sigmoid": 0.2, "relu": 0.7}[settings.activation]
    noise = 1 + 0.001 * (settings.seed % 3)
    errors = [noise * factor ** (layers - layer) for layer in range(1, layers)] + [1.0]
    is_dead = settings.width == P9_WIDTHS[0] and settings.seed % 2 == 0
    dead = [0.5] * (layers - 1) + [None]
    if is_dead:
        dead[1] = 1.0
    names = found["measures"]
    size = noise * (2.0 if settings.initialization == "he_normal" else 1.0)
    weights = errors[1:] if settings.activation == "sigmoid" else [size] * (layers - 1)
    norms = {"error": errors, "weight_gradient": [9.0, *weights], "dead_units": dead}
    names |= {name: [row] * len(names["step"]) for name, row in norms.items()}
    names |= {name: rows[:1] for name, rows in names.items()}
    return unsealed(settings, found | {"epochs": 0})


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [record(settings) for settings in published.rounds(Plan(("mish",)), [])]


def test_the_networks_are_the_claims_own() -> None:
    """Whatever is compared; A3's runs are among `depth`'s; there is one round, and none in a quick look."""
    runs = published.rounds(Plan(("mish",)), [])
    assert {settings.activation for settings in runs} == {"relu", "sigmoid"}
    assert all(settings.epochs == 0 for settings in runs)
    shared = {settings for settings in runs if settings.depth == A3_DEPTH}
    assert len(shared) == len(A3_CLAIM) * INITIAL_SEEDS
    assert shared <= set(depth.initial_networks(Plan(A3_CLAIM)))
    assert published.rounds(Plan(("mish",)), [{}]) == []
    assert published.rounds(Plan(("mish",), is_quick=True), []) == []


def test_judgements_are_of_what_was_measured(records: list[Record]) -> None:
    """Factors and ratios by both norms, judged apart; half of the narrowest networks dead and none of the widest."""
    section = published.interpret(Plan(("mish",)), records, STYLE)
    found = {(j.claim, j.part): j for j in section.judgements}
    expected = {
        ("A3", "sigmoid_weights"): 0.2, ("A3", "sigmoid_error"): 0.2, ("A3", "relu_weights"): 1.0,
        ("A3", "relu_error"): 0.7, ("P5", "glorot_error"): 0.7 ** (P5_DEPTH - 1), ("P5", "he_error"): 1.0,
        ("P5", "glorot_weights"): 1.0, ("P5", "he_weights"): 1.0, ("P5", "size"): 0.5,
    }  # fmt: skip
    assert {key: found[key].measured.estimate for key in expected} == pytest.approx(expected)
    table = claims.claims_table(section.judgements).drop_duplicates(["claim", "aspect"])
    verdicts = table.set_index(["claim", "aspect"])["aspect_verdict"]
    assert verdicts["A3", "weight gradients, layer by layer"] == verdicts["P5", "the error"] == "reproduced"
    assert verdicts["A3", "the error"] == verdicts["P5", "weight gradients, layer by layer"] == "contradicted"
    assert found["P5", "size"].verdict == "beside"
    assert (found["P9", "narrow"].measured.estimate, found["P9", "narrow"].measured.n) == (0.5, P9_SEEDS)
    assert found["P9", "wide"].measured.estimate == 0
    assert found["P9", "wide"].verdict == "reproduced"
    born = section.tables["born_dead"]
    assert born["width"].tolist() == list(P9_WIDTHS)
    assert born["count"].tolist() == [P9_SEEDS // 2, *[0] * (len(P9_WIDTHS) - 1)]
    assert set(section.tables["initial_ratios"]["width"]) == {WIDTH}
    page = render(section, STYLE.labels)
    assert page.answer.endswith(" for 50% at width 2, 0% at 3, 0% at 4, 0% at 6, 0% at 10.")
    assert "| Sigmoid | Glorot's | 50 | error signal | 20 | 5.6e-35 " in page.body


def test_what_was_not_measured_is_not_judged(records: list[Record]) -> None:
    """With the runs of one claim missing, the others are judged, and the page has no answer."""
    some = [record for record in records if record["identity"]["settings"]["width"] == WIDTH]
    section = published.interpret(Plan(("mish",)), some, STYLE)
    assert {j.claim for j in section.judgements} == {"A3", "P5"}
    assert render(section, STYLE.labels).answer == ""
