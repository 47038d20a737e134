"""What networks get wrong, alone and together, is told from the document that `make past_99` leaves."""

import numpy as np
import pytest
from both_languages import render
from figure_data import STYLE

from experiments import wrong_digits
from study.plan import Plan
from study.report.section import Evidence

PLAN = Plan(("relu", "gelu"))


def document(n_wrong: int) -> dict:
    """Three networks of ReLU and two of GELU, whose best one gets `n_wrong` images wrong."""
    alone = [
        {"run": str(seed), "activation": name, "seed": seed, "accuracy": 0.99 + seed / 1e4, "shifted_accuracy": 0.992}
        for name, seeds in (("relu", (0, 1, 2)), ("gelu", (0, 2)))
        for seed in seeds
    ]
    together = [
        {"activation": name, "n_networks": n, "accuracy": 0.993, "shifted_accuracy": best}
        for name, n, best in (("relu", 3, 0.9935), ("gelu", 2, 0.9945))
    ]
    image = np.arange(784).tolist()
    wrong = [
        {"place": 10 * i, "label": i % 10, "said": (i + 1) % 10, "probability": 0.5 + i / 100, "image": image}
        for i in range(n_wrong)
    ]
    best = {"activation": "gelu", "seed": 2, "accuracy": 0.9902, "shifted_accuracy": 0.992, "validation_accuracy": 0.99}
    return {"content": {"alone": alone, "together": together, "best": best, "wrong": wrong}}


def test_without_the_document_there_is_no_page() -> None:
    assert wrong_digits.conclude(PLAN, Evidence({}, {}), STYLE) is None


@pytest.mark.parametrize("n_wrong", [23, 1])
def test_every_mistake_is_shown_the_surest_first(n_wrong: int) -> None:
    """The table names each mistake, the figure writes label and answer over it; means are over the seeds."""
    section = wrong_digits.conclude(PLAN, Evidence({}, {"networks_past_99": document(n_wrong)}), STYLE)
    wrong, tested = section.tables["wrong_digits"], section.tables["tested_networks"].set_index("activation")
    assert wrong["place"].tolist() == [10 * i for i in reversed(range(n_wrong))]
    assert tested.loc["relu", "accuracy_mean"] == pytest.approx(0.9901)
    assert tested.loc["gelu", "accuracy_mean"] == pytest.approx(0.9901)
    assert tested.loc["relu", "accuracy_ci_high"] > 0.9901 > tested.loc["relu", "accuracy_ci_low"]
    figure = section.figures["wrong_digits"].draw()
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == [f"{row.label}, not {row.said}" for row in wrong.itertuples()]
    page = render(section, STYLE.labels)
    assert f"{n_wrong} of 10,000" in page.answer
    table = page.body.split("| Network |")[1]
    assert table.index("99.45%") < table.index("99.35%")


def test_the_largest_network_shows_its_mistakes_beside_the_compared_ones() -> None:
    """With both documents the digits are the flagship's, and the table has the rows of both."""
    documents = {"networks_past_99": document(5), "networks_flagship": document(3)}
    section = wrong_digits.conclude(PLAN, Evidence({}, documents), STYLE)
    assert len(section.tables["wrong_digits"]) == 3
    assert section.tables["tested_networks"]["tested"].value_counts().to_dict() == {"flagship": 2, "past_99": 2}
    assert len(section.tables["networks_alone"]) == 10
    page = render(section, STYLE.labels)
    assert "3 of 10,000, by the best run of the largest network" in page.answer
    assert page.body.count("| largest |") == page.body.count("| compared |") == 2
