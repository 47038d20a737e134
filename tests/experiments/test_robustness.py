"""Noise on the images: the accuracy and loss at each amplitude, and the digits that show it."""

import math

import numpy as np
import pytest
from both_languages import render
from fake_records import all_rounds
from fake_studies import STYLE

from experiments import digits, robustness
from study.activations import REGISTRY
from study.constants import NOISE_AMPLITUDES
from study.plan import Plan
from study.report.section import Evidence
from study.settings import Settings

FOUR = ("relu", "sigmoid", "gelu", "swish")


def accuracy(settings: Settings) -> float:
    """Raise each activation above the one before it in the registry, and let seeds differ a little."""
    return 0.9 + 0.01 * list(REGISTRY).index(settings.activation) / len(REGISTRY) + 1e-4 * (settings.seed % 5)


def test_the_table_has_every_amplitude() -> None:
    """Accuracy, loss and difference of each activation at each; the reference differs from itself by nothing known."""
    plan = Plan(FOUR, 10)
    table = robustness.interpret(plan, all_rounds(robustness.rounds, plan, accuracy), STYLE).tables["robustness"]
    assert len(table) == len(FOUR) * len(NOISE_AMPLITUDES)
    clean = table[table["amplitude"] == 0].set_index("activation")
    assert clean["test_accuracy_mean"]["relu"] == pytest.approx(0.9 + 1e-4 * np.mean(np.arange(2000, 2010) % 5))
    assert clean["difference"]["swish"] == pytest.approx(0.03 / len(REGISTRY))
    assert table.loc[table["activation"] == "relu", "difference"].isna().all()
    loud = table[table["amplitude"] == 3].set_index("activation")
    assert loud["test_loss_mean"]["relu"] == pytest.approx(2 - 0.9 / 4, abs=1e-3)


@pytest.mark.parametrize(("lost", "said"), [(False, "at one rate for all"), (True, "not all at one")])
def test_the_page_says_whether_the_rate_was_one(lost: bool, said: str) -> None:
    """Both activations are best at 0.01. Then GELU diverges above 0.001, and never trains to the end at ReLU's rate."""

    def how(settings: Settings) -> float:
        if lost and settings.activation == "gelu" and settings.learning_rate > 0.002:
            return math.nan
        return accuracy(settings) - 0.01 * abs(math.log10(settings.learning_rate) + 2)

    plan = Plan(("relu", "gelu"), 2)
    section = robustness.interpret(plan, all_rounds(robustness.rounds, plan, how), STYLE)
    assert said in render(section, STYLE.labels).answer


def test_the_digits_of_the_document_are_a_table_and_a_picture() -> None:
    """A pixel a row, from the top left; without the document there is no such section."""
    pixels = [0] * 784
    pixels[30] = 255
    document = {"content": {"images": {"7": pixels}}}
    section = digits.conclude(Plan(FOUR), Evidence({}, {"digits": document}), STYLE)
    table = section.tables["digits"]
    assert table[table["brightness"] > 0].to_dict("records") == [
        {"label": "7", "row": 1, "column": 2, "brightness": 1.0}
    ]
    assert len(table) == 784
    assert "Each panel" in render(section, STYLE.labels).body
    assert digits.conclude(Plan(FOUR), Evidence({}), STYLE) is None
