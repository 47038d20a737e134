"""Claims at initialisation: which networks, and what is concluded of networks whose error and dead units are known."""

import pytest
from fake_records import result

from experiments import depth, published
from experiments.published import A3_CLAIM, A3_DEPTH, P5_DEPTH, P9_SEEDS, P9_WIDTHS
from study.constants import INITIAL_SEEDS, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records.identity import identity
from study.records.store import Record, make
from study.report.rendering import render
from study.settings import Settings

STYLE = Style({"relu": "ReLU", "sigmoid": "Sigmoid"}, {"relu": 0, "sigmoid": 1})
WHERE = {"environment": {}, "date": "2020-01-01T00:00:00Z"}


def record(settings: Settings) -> Record:
    """Make a run whose errors shrink by 0.2 (sigmoid) or 0.7 a layer, or not at all under He.

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
    names["error"], names["dead_units"] = [errors] * len(names["step"]), [dead] * len(names["step"])
    names |= {name: rows[:1] for name, rows in names.items()}
    return make(identity(settings, "data", "function"), {}, found | {"epochs": 0}, WHERE)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [record(settings) for settings in published.rounds(Plan(("mish",)), [])]


def test_the_networks_are_the_claims_own() -> None:
    """The claims name the activations, whatever is compared. A3's runs are among `depth`'s, so that nothing is done
    twice. There is one round, and none in a quick look."""
    runs = published.rounds(Plan(("mish",)), [])
    assert {settings.activation for settings in runs} == {"relu", "sigmoid"}
    assert all(settings.epochs == 0 for settings in runs)
    shared = {settings for settings in runs if settings.depth == A3_DEPTH}
    assert len(shared) == len(A3_CLAIM) * INITIAL_SEEDS
    assert shared <= set(depth.initial(Plan(A3_CLAIM)))
    assert published.rounds(Plan(("mish",)), [{}]) == []
    assert published.rounds(Plan(("mish",), is_quick=True), []) == []


def test_judgements_are_of_what_was_measured(records: list[Record]) -> None:
    """Factors of 0.2 and 0.7, ratios of 0.7^29 and 1, half of the narrowest networks dead and none of the widest."""
    section = published.interpret(Plan(("mish",)), records, STYLE)
    found = {(j.claim, j.part): j for j in section.judgements}
    assert found["A3", "sigmoid"].measured.estimate == pytest.approx(0.2)
    assert found["A3", "sigmoid"].verdict == "reproduced"
    assert found["A3", "relu"].measured.estimate == pytest.approx(0.7)
    assert found["A3", "relu"].verdict == "contradicted"
    assert found["P5", "glorot"].measured.estimate == pytest.approx(0.7 ** (P5_DEPTH - 1))
    assert found["P5", "he"].measured.estimate == pytest.approx(1.0)
    assert (found["P9", "narrow"].measured.estimate, found["P9", "narrow"].measured.n) == (0.5, P9_SEEDS)
    assert found["P9", "wide"].measured.estimate == 0
    assert found["P9", "wide"].verdict == "reproduced"
    born = section.tables["born_dead"]
    assert born["width"].tolist() == list(P9_WIDTHS)
    assert born["count"].tolist() == [P9_SEEDS // 2, *[0] * (len(P9_WIDTHS) - 1)]
    assert set(section.tables["initial_errors"]["width"]) == {WIDTH}
    page = render(section, STYLE.labels)
    rates = ", ".join(f"{50 if width == P9_WIDTHS[0] else 0}% at width {width}" for width in P9_WIDTHS)
    assert page.answer.endswith(f"this share is born dead: {rates}.")
    assert "| Sigmoid | glorot\\_uniform | 50 | 20 | 5.6e-35 " in page.body


def test_what_was_not_measured_is_not_judged(records: list[Record]) -> None:
    """With the runs of one claim missing, the others are judged, and the page has no answer."""
    some = [record for record in records if record["identity"]["settings"]["width"] == WIDTH]
    section = published.interpret(Plan(("mish",)), some, STYLE)
    assert {j.claim for j in section.judgements} == {"A3", "P5"}
    page = render(section, STYLE.labels)
    assert page.answer == ""
    assert [display.name for display in page.displays] == ["initial_errors", "born_dead"]
