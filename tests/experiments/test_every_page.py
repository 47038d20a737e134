"""Every question's page renders from made-up studies, whatever they compared and however their runs ended."""

import math

import fake_studies
import pytest
import synthetic
from both_languages import render
from elements import Elements
from fake_studies import STYLE, sections, theory
from markdown_it import MarkdownIt

from experiments import by_name, depth, experiments, few_seeds, initialization, published, trainable_depth_6xi
from study.analysis import rule_errors
from study.plan import Plan
from study.report import rendering
from study.report.section import Section
from study.settings import Settings

FOUR = ("relu", "sigmoid", "gelu", "swish")
OTHERS = ("tanh", "elu", "gelu_tanh")  # that claims name
SHALLOW = (1, 10, 20)  # hidden layers
FEWER: list[tuple[object, str, object]] = [  # seeds, draws and depths, so that the studies are quick
    (rule_errors, "STUDIES", 4), (few_seeds, "P8_RESAMPLES", 50), (published, "INITIAL_SEEDS", 2),
    (published, "P9_SEEDS", 4), (depth, "INITIAL_SEEDS", 2), (depth.depths, "__defaults__", ("adam", SHALLOW)),
    (depth, "INITIAL_DEPTHS", SHALLOW), (initialization, "INITIAL_DEPTHS", SHALLOW),
    (fake_studies, "INITIAL_DEPTHS", SHALLOW), (trainable_depth_6xi, "DEPTHS", (3, 5)),
]  # fmt: skip
ELSEWHERE = ("speed", "other_editions", "wrong_digits")  # their documents have tests of their own
HOSTILE = "<script>alert(1)</script> ![a](b) | $x$ `"


def usual(settings: Settings) -> float:
    return 0.9 + 1e-3 * len(settings.activation) + 1e-4 * (settings.seed % 7)


STUDIES = {
    "four": (FOUR, 2, usual),
    "without the reference": (("sigmoid", "gelu"), 1, usual),
    "the reference alone": (("relu",), 1, usual),
    "all diverged": (("relu", "gelu"), 2, lambda settings: math.nan),
}


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> dict[str, Section]:
    """Return the sections of a study, by question."""
    names, seeds, accuracy = STUDIES[request.param]
    documents = {
        "cost": {"content": synthetic.measure(names, 3), "provenance": {"environment": {"cpu": HOSTILE}}},
        "digits": {"content": {"images": {"7": [0] * 784}}},
    }
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, fewer in FEWER:
            patch.setattr(owner, name, fewer)
        return sections(Plan(names, seeds, theory=theory(*names, *OTHERS)), accuracy, documents)


@pytest.mark.parametrize("question", by_name())
def test_a_page_says_what_is_known_in_both_languages(study: dict[str, Section], question: str) -> None:
    """It has a title, a text and every figure; no number is "nan"; a page is missing only if its input is."""
    if question not in study:
        compared = set(study["verdict"].tables["verdict"]["activation"])
        assert question in ELSEWHERE or (question == "why_relu" and not {"relu", "sigmoid"} <= compared)
        return
    section = study[question]
    page = render(section, STYLE.labels)
    assert page.title
    assert page.body
    shown = [page.answer, page.body, *(display.frame.to_string() for display in page.displays)]
    assert "nan" not in " ".join(shown).lower()
    unseen = set(section.figures) - {picture.name for picture in page.pictures}
    assert unseen <= {"baseline_units"}  # which the page leaves out if no run finished
    assert all(display.caption for display in page.displays)
    assert all(picture.caption for picture in page.pictures)


@pytest.mark.parametrize("only", experiments())
def test_a_study_of_one_experiment_has_a_report(only: str) -> None:
    """The pages that put all sections together say what is known if the runs of one experiment are all there are."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, fewer in FEWER:
            patch.setattr(owner, name, fewer)
        found = sections(Plan(("relu", "sigmoid"), 2, theory=theory("relu", "sigmoid", *OTHERS)), usual, {}, [only])
    assert only in found
    for section in found.values():
        page = render(section, STYLE.labels)
        assert page.title
        assert "nan" not in f"{page.answer} {page.body}".lower()


@pytest.mark.parametrize("study", ["four"], indirect=True)
@pytest.mark.parametrize("question", [name for name in by_name() if name not in ELSEWHERE])
def test_a_page_shows_any_label_literally(study: dict[str, Section], question: str) -> None:
    """Labels with HTML, links, bars and mathematics make no element, and stand in the text as they are."""
    made = []
    for text in (HOSTILE, "Plain"):
        page = rendering.render(study[question], {name: f"{text} {name}" for name in STYLE.labels})
        made.append(Elements(MarkdownIt("commonmark", {"html": True}).enable("table").render(page.body)))
    hostile, plain = made
    assert hostile.tags == plain.tags
    assert (HOSTILE in hostile.text) == ("Plain" in plain.text)
