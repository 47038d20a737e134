"""What the page shows can be read at once: numbers, axes, sentences, and links to the questions' pages."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Visit = Callable[..., Any]
Tables = Mapping[str, pd.DataFrame]
Write = Callable[..., Path]

LABELS = """([id, axis]) => [...document.querySelectorAll(`#${id}-plot .role-axis`)].at(axis)
    .querySelectorAll('.role-axis-label text').values().filter(text => text.textContent)
    .map(text => [text.getBoundingClientRect().left, text.getBoundingClientRect().right, text.textContent]).toArray()"""
BANDS = "() => document.querySelectorAll('#layers-error-plot path[stroke-width=\"9\"]').length"
DEAD = "#layers.init=centred&layers.depth=20&layers.optimiser=SGD+at+0.01&layers.step=480&shown=relu"


def drawn(page: Any) -> Any:
    """Return the page once every chart is drawn."""
    page.wait_for_function("() => document.querySelectorAll('.plot svg').length === 9")
    page.wait_for_timeout(300)
    return page


def test_numbers_from_a_thousandth_to_ten_thousand_are_plain(visit: Visit, write: Write, tables: Tables) -> None:
    """Others are powers of ten, in the sentence as in the table and on the axis; no number is like 2.3e+2."""
    norms = tables["gradient_norms"].copy()
    shown = norms.eval("experiment == 'depth' and depth == 3 and optimiser == 'sgd' and measure == 'error'")
    norms.loc[shown, ["mean", "ci_low", "ci_high"]] = 1.0
    for name, error in {"relu": 230, "sigmoid": 0.0012, "gelu": 0.00012, "swish": 43_000}.items():
        first = shown & (norms["activation"] == name) & (norms["layer"] == 1)
        norms.loc[first, ["mean", "ci_low", "ci_high"]] = error
    page = drawn(visit("#layers.depth=3&layers.optimiser=SGD+at+0.01", write({**tables, "gradient_norms": norms})))
    said = page.locator("#layers-said").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert said.endswith("ReLU 230, Sigmoid 0.0012, GELU 1.2 × 10⁻⁴, Swish 4.3 × 10⁴.")
    page.locator("details:not(.claim) summary").click()
    for where in ("#layers-said", "#layers-numbers", "#layers .panels.three"):
        assert "e+" not in page.locator(where).inner_text()
    assert {text for *_, text in page.evaluate(LABELS, ["layers-error", 0])} >= {"0.001", "1000", "10⁵"}


def test_an_error_that_grows_on_its_way_is_no_share(visit: Visit) -> None:
    """After training, the error at layer 1 is larger than at the last hidden layer, and the sentence allows for it."""
    said = visit("#layers.step=480").locator("#layers-said").inner_text()
    assert "The error at layer 1 is this many times the error at the last hidden layer" in said
    assert "hare" not in said
    assert "only hidden layer" in visit("#layers.depth=1").locator("#layers-said").inner_text()


@pytest.mark.parametrize(
    ("state", "note"),
    [(DEAD, "exactly 0, or training had ended"), ("#shown=", "no activation chosen was run so")],
)
def test_a_chart_without_a_point_has_a_note_and_no_axes(visit: Visit, state: str, note: str) -> None:
    """A network that died, or no activation at all: the note stands in place of the axes, and they come back."""
    page = drawn(visit(state))
    error = page.locator("#layers-error-plot")
    assert error.get_attribute("data-note") == note
    assert not error.locator("svg").is_visible()
    page.get_by_label("Sigmoid", exact=True).check()
    page.locator("#layers-init").select_option("he_normal")
    assert error.get_attribute("data-note") is None
    assert error.locator("svg").is_visible()


def test_theory_is_drawn_where_it_predicts(visit: Visit) -> None:
    """The bands predict networks before training: step 0 has one for each activation, a later step none."""
    assert drawn(visit()).evaluate(BANDS) == 4
    assert drawn(visit("#layers.step=480")).evaluate(BANDS) == 0


@pytest.mark.parametrize("width", [1280, 400, 330])
def test_every_run_has_a_tick_and_labels_never_touch(visit: Visit, tables: Tables, width: int) -> None:
    """In a wide window every depth, rate and amplitude that was run is labelled; the first and the last always are."""
    page = drawn(visit(width=width))
    success = tables["depth_success"].query("experiment == 'depth' and optimiser == 'adam'")
    run = {
        "depth-accuracy": success["depth"],
        "rate-accuracy": tables["learning_rate_grid"]["learning_rate"],
        "noise-accuracy": tables["robustness"]["amplitude"],
    }
    for chart, values in run.items():
        texts = [f"{value:.2g}" if chart.startswith("rate") else f"{value:g}" for value in sorted(values.unique())]
        labels = sorted(page.evaluate(LABELS, [chart, -1]))
        shown = [text for *_, text in labels]
        assert (shown == texts) if width == 1280 else (shown[0], shown[-1]) == (texts[0], texts[-1])
        assert all(right < left for (_, right, _), (left, _, _) in itertools.pairwise(labels))


def test_a_view_leads_to_its_questions_and_to_all(visit: Visit, write: Write, tables: Tables) -> None:
    """A view links to the pages of the questions that measured it, and of no other, and to README.md."""
    initial = {**tables, "depth_success": tables["depth_success"].query("experiment == 'initialization'")}
    page = visit(file=write({name: table for name, table in initial.items() if name != "robustness"}))
    expected = {"layers": ["baseline", "depth", "initialization", "remedies"], "depth": ["initialization"]}
    expected |= {"rate": ["learning_rate"], "noise": [], "verdict": [], "claims": ["claims"]}
    for view, pages in expected.items():
        links = page.locator(f"#{view} .more a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert sorted(links) == sorted(["README.md", *(f"questions/{name}.md" for name in pages)])


def test_a_sentence_tells_what_its_chart_shows(visit: Visit) -> None:
    """It names who learns on no seed, and the lowest and the highest accuracy, and it reads as English."""
    page = visit("#depth.init=critical&rate.rate=0.0032&shown=relu,sigmoid")
    told = {view: page.locator(f"#{view}-said").inner_text() for view in ("depth", "rate")}
    assert "critical initialisation (each its own): ReLU and Sigmoid learn on every seed." in told["depth"]
    assert told["rate"].startswith("Learning rate 0.0032: mean validation accuracy from ")
    assert "none learns on any seed." in visit("#depth.optimiser=SGD+at+0.01").locator("#depth-said").inner_text()
    assert visit().locator("#depth-said").inner_text().endswith("; Sigmoid on none.")
    assert "% with Swish." in visit("#shown=swish").locator("#noise-said").inner_text()
