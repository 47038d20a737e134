"""The page is safe, readable at every width in both themes, printable, and its numbers are the tables'."""

import base64
import hashlib
import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from elements import Elements

from study.figures.style import Style
from study.report import formatting

Visit = Callable[..., Any]
Tables = Mapping[str, pd.DataFrame]
Write = Callable[..., Path]
NAMES = ["relu", "sigmoid", "gelu", "swish"]
VIEWS = ("layers", "depth", "rate", "noise", "verdict", "claims")
LARGEST = 4_000_000  # bytes
ALL_DRAWN = "() => document.querySelectorAll('.plot svg').length === 9"
PAPER = 688  # pixels between the margins of A4
HOSTILE = """<script>alert(1)</script>"'`${alert(2)}</style><img src=x onerror=alert(3)>"""


def interval(row: pd.Series, mean: str, low: str = "ci_low", high: str = "ci_high", signed: bool = False) -> str:
    return formatting.interval(row[mean], row[low], row[high], 100, signed)


def cells(page: Any, table: str) -> list[list[str]]:
    """Return the texts of a table's body, as a table's author would type them: with hyphens for minus signs."""
    rows = page.locator(f"{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))"
    )
    return [[text.replace("\N{MINUS SIGN}", "-").strip() for text in row] for row in rows]


def number(text: str) -> float:
    """Read a number such as 1.2 × 10⁻⁷."""
    table = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, exponent = text.replace("\N{NO-BREAK SPACE}", " ").partition(" × 10")
    return float(mantissa) * 10.0 ** int(exponent.translate(table) or 0)


def test_the_policy_allows_the_page_itself_and_nothing_else(written: Path) -> None:
    """The file is small; its policy names the hash of every script and style, and neither eval nor a host."""
    text = written.read_text()
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    assert len(text.encode()) < LARGEST
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "//" not in policy
    parts = re.findall(r"<(?:style|script type=\"module\")>(.*?)</(?:style|script)>", text, re.DOTALL)
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" for part in parts}
    assert len(hashes) == 3
    assert set(re.findall(r"'sha256-[^']*'", policy)) == hashes


def told(write: Write, tables: Tables, text: str) -> Path:
    """Write a page whose labels, claims and opening all hold `text`."""
    claims = tables["claims"].assign(statement=text, quantity=text, verdict=text, source=text, remark=text)
    style = Style(dict.fromkeys(NAMES, text), {name: place for place, name in enumerate(NAMES)})
    return write({**tables, "claims": claims}, style, f"# {text}\n\n{text}\n\n- {text}\n")


def test_hostile_texts_are_shown_as_they_are(visit: Visit, write: Write, tables: Tables) -> None:
    """Labels, claims and the opening with HTML, quotes and backticks run nothing and are read as written."""
    page = visit(file=told(write, tables, HOSTILE))
    page.locator("details.claim summary").first.click()
    page.wait_for_timeout(300)
    for where in ("#shown label", "details.claim .statement", "#depth-numbers tbody th", "#verdict-table tbody th"):
        assert page.locator(where).first.inner_text().strip() == HOSTILE
    assert page.title() == page.locator("h1").inner_text() == HOSTILE
    assert page.evaluate("() => document.querySelectorAll('img, main script, main style').length") == 0


def test_hostile_texts_are_no_elements_of_the_file(write: Write, tables: Tables) -> None:
    """Without a browser: a file of hostile texts has the same elements and attributes as a file of plain texts."""
    hostile, plain = (
        [(tag, list(attributes)) for tag, attributes in Elements(told(write, tables, text).read_text()).found]
        for text in (HOSTILE, "x")
    )
    assert hostile == plain
    loaded = [tag for tag, _ in hostile if tag in ("script", "style", "link", "iframe", "object", "img")]
    assert loaded == ["style", "script", "script", "script"]
    assert not [name for _, names in hostile for name in names if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("missing", [["gradient_norms"], ["digits", "theory", "trainable_depth", "dead_by_rate"], None])
def test_a_missing_table_is_named_in_its_place(visit: Visit, write: Any, tables: Tables, missing: list[str]) -> None:
    """A view without its table says which; the others work; without any table the opening is left."""
    page = visit(file=write({name: table for name, table in tables.items() if missing and name not in missing}))
    said = " ".join(page.locator(".lacking").all_inner_texts())
    assert page.locator("h1").inner_text() == "Use ReLU, here"
    if missing is None:
        assert page.locator(".view .lacking").count() == len(VIEWS)
        return
    assert missing[0] in said
    assert page.locator("#depth-numbers tbody tr").count() == 4


def test_the_opening_has_its_table_and_picture(visit: Visit, write: Any) -> None:
    """Numbers stand right, the picture is in the page, a caption is marked; a picture without a file is its name."""
    page = visit()
    assert page.locator(".opening td.number").inner_text() == "97%"
    assert page.locator(".opening img[alt='a picture']").evaluate("image => image.naturalWidth") == 9
    page = visit(file=write(opening="# A\n\n*A caption.*\n\nNo *caption*.\n\n![a_picture](figures/none.png)\n"))
    assert page.locator(".caption").all_inner_texts() == ["A caption."]
    assert page.locator(".opening > p").last.inner_text() == "a picture"


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_nothing_is_wider_than_the_window(visit: Visit, width: int) -> None:
    """The page itself never scrolls sideways; charts fit their box and have words; tables scroll in their own box."""
    page = visit(width=width)
    page.wait_for_function(ALL_DRAWN)
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    too_wide = """() => [...document.querySelectorAll('.plot')].filter(box =>
        box.firstChild.getBoundingClientRect().right > box.getBoundingClientRect().right + 1).map(box => box.id)"""
    assert page.evaluate(too_wide) == []
    assert all(text.count("\n") > 4 for text in page.locator(".plot").all_inner_texts())


def test_on_a_phone_every_table_fits_and_its_cells_have_headings(visit: Visit) -> None:
    """At 400 pixels, with all details open, no table scrolls; in a table of lists each cell shows its heading."""
    page = visit(width=400)
    page.wait_for_function(ALL_DRAWN)
    page.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")
    boxes = page.locator(".scroll:has(> table)")
    assert boxes.count() > len(VIEWS)
    assert boxes.evaluate_all("boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 1).length") == 0
    for table in page.locator("table.cards").all():
        headings = [text.strip(" ↕↑↓") for text in table.locator("th[scope=col]").all_text_contents()]
        shown = (
            table.locator("tbody tr")
            .first.locator("td[data-label]")
            .evaluate_all("cells => cells.map(cell => getComputedStyle(cell, '::before').content.slice(1, -1))")
        )
        assert shown == headings[1:]


def test_light_and_dark_follow_the_system(visit: Visit) -> None:
    """The dark page is dark, charts included; on paper it is light."""
    read = """() => [getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('.plot text')).fill]"""
    shown = {}
    for scheme in ("light", "dark"):
        page = visit(scheme=scheme)
        page.wait_for_selector(".plot text")
        shown[scheme] = page.evaluate(read)
    light = [[sum(map(int, re.findall(r"\d+", color)[:3])) > 384 for color in colors] for colors in shown.values()]
    assert light == [[True, False], [False, True]]
    page.emulate_media(media="print")
    assert page.evaluate(read) == shown["light"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, scheme: str) -> None:
    """The accessibility rules of axe-core, with every claim open, find nothing serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit(scheme=scheme)
    page.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")
    found = axe.Axe().run(page).response["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:3]) for rule in serious] == []


def test_on_paper_every_table_is_whole(visit: Visit) -> None:
    """Printed on A4, every table is shown, evidence included, and none is wider than the paper."""
    page = visit(width=PAPER)
    assert len(page.pdf(format="A4")) > 50_000
    page.emulate_media(media="print")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    read = """table => [table.checkVisibility({contentVisibilityAuto: true}),
        table.getBoundingClientRect().right, table.rows.length]"""
    boxes = [table.evaluate(read) for table in page.locator("table").all()]
    assert len(boxes) > len(VIEWS)
    assert all(is_seen and right <= PAPER + 1 and rows > 1 for is_seen, right, rows in boxes)


def test_after_printing_the_page_is_as_before(visit: Visit) -> None:
    """Details that the reader had opened stay open, and the others close, also if the browser announces it twice."""
    page, read = visit(), "() => [...document.querySelectorAll('details')].map(part => part.open)"
    page.locator("details:not(.claim) summary").first.click()
    page.locator("details.claim summary").nth(1).click()
    page.wait_for_function("() => location.hash.includes('claims.open=')")
    before = page.evaluate(read)
    assert sum(before) == 2
    for event in ("beforeprint", "beforeprint", "afterprint"):
        page.evaluate("name => dispatchEvent(new Event(name))", event)
        assert event == "afterprint" or all(page.evaluate(read))
    assert page.evaluate(read) == before


def test_on_paper_charts_shrink_to_their_column(visit: Visit) -> None:
    """A window's charts are wider than a column of paper, and are not drawn again for it: they are scaled."""
    page = visit()
    page.wait_for_function(ALL_DRAWN)
    page.emulate_media(media="print")
    over = page.evaluate("""() => {
        document.querySelector('main').style.width = '600px';
        const right = element => element.getBoundingClientRect().right;
        return [...document.querySelectorAll('.plot')].map(box => right(box.firstChild) - right(box));
    }""")
    assert len(over) == 9
    assert max(over) <= 1


def test_the_layers_show_the_tables_norms(visit: Visit, tables: Tables) -> None:
    """At a depth, step and optimiser, every number by layer is the table's to three digits; so are the ratios."""
    page = visit("#layers.depth=7&layers.optimiser=SGD+at+0.01&layers.step=480")
    norms = tables["gradient_norms"].query(
        "experiment == 'depth' and depth == 7 and optimiser == 'sgd' and step == 480"
    )
    wide = norms.pivot_table("mean", ["activation", "layer"], "measure").loc[NAMES]
    page.locator("details:not(.claim) summary").click()
    shown = [number(text) for row in cells(page, "#layers-numbers") for text in row[2:] if text != formatting.DASH]
    expected = wide[["error", "weight_gradient", "preactivation_square"]].to_numpy().ravel()
    assert shown == pytest.approx(expected[np.isfinite(expected)].tolist(), rel=0.005)
    said = page.locator("#layers-said").inner_text()
    ratios = re.findall(r"(?:ReLU|Sigmoid|GELU|Swish) (\d+(?:\.\d+)?(?:\s×\s10[⁻⁰-⁹¹²³]+)?)", said)
    first, last = (wide["error"].xs(layer, level="layer") for layer in (1, 7))
    assert [number(ratio) for ratio in ratios] == pytest.approx((first / last).tolist(), rel=0.06)


def test_the_seeds_are_those_left_at_the_step(visit: Visit, tables: Tables) -> None:
    """Runs end at different steps; a late step tells how many seeds its mean has, in the sentence and in the table."""
    norms = tables["gradient_norms"].query("experiment == 'baseline' and activation in @NAMES")
    left = norms.pivot_table("n", "activation", "step", "max", fill_value=0).loc[NAMES].astype(int)
    late = next(step for step in left if left[step].min() == 1)
    for step, text in ((0, f"{left[0].max()} seeds"), (late, f"1 to {left[late].max()} seeds")):
        page = visit(f"#layers.depth=3&layers.optimiser=Adam+at+0.01&layers.step={step}")
        assert f"(mean of {text})" in page.locator("#layers-said").inner_text()
        assert [row[-1] for row in cells(page, "#layers-chosen")] == left[step].astype(str).tolist()


def test_the_typical_slope_of_relu_is_the_root_of_a_half_and_of_the_sigmoid_its_integral(
    visit: Visit, write: Write, tables: Tables
) -> None:
    """Where nothing was measured: under a normal curve ReLU's slope is 1 half of the time; the sigmoid's is here.

    ReLU plus 1,000 has ReLU's slope, although four digits of its values show none.
    """
    curves = tables["activations"]
    shifted = curves.assign(value=curves["value"] + 1000 * (curves["activation"] == "relu"))
    kept = {name: table for name, table in tables.items() if name != "preactivations"}
    for shown in (curves, shifted):
        page = visit("#layers.layer=3", write({**kept, "activations": shown}))
        found = {row[0]: row[1:] for row in cells(page, "#layers-chosen")}
        assert found["ReLU"][1:3] == ["\N{EN DASH}", "0.71"]
    square, curve = float(found["Sigmoid"][0]), curves.query("activation == 'sigmoid'")
    weights = np.exp(-(curve["x"] ** 2) / (2 * square))
    mean = (weights * curve["derivative"] ** 2).sum() / weights.sum()
    assert float(found["Sigmoid"][2]) == pytest.approx(mean**0.5, abs=0.006)


def test_where_the_pre_activations_lie_is_what_was_measured(visit: Visit, write: Write, tables: Tables) -> None:
    """Quantiles of Unif[-1, 3] give a median of 1, and slopes of ReLU of 1 for three quarters of the inputs.

    They are shown at their own step and layer alone.
    """
    percent = [0.5, *range(5, 100, 5), 99.5]
    row = {"activation": "relu", "init": "glorot_uniform", "variant": "plain", "optimiser": "adam"}
    row |= {"learning_rate": 0.001, "depth": 10}
    quantiles = {f"q{at:g}": -1 + 4 * at / 100 for at in percent}
    measured = pd.DataFrame([{**row, "seed": 2000, "step": 0, "layer": 1} | quantiles])
    page = visit("#layers.layer=1&layers.step=0", write({**tables, "preactivations": measured}))
    assert cells(page, "#layers-chosen")[0][2:4] == ["1.00 (-0.800 to 2.80)", "0.87"]
    page.locator("#layers-layer").focus()
    page.keyboard.press("ArrowRight")
    assert cells(page, "#layers-chosen")[0][2] == "\N{EN DASH}"


def test_depth_shows_accuracy_and_who_trained(visit: Visit, tables: Tables) -> None:
    """At every depth the numbers equal depth_success; the sentence names who learns on every seed."""
    success = tables["depth_success"].query("experiment == 'depth' and optimiser == 'adam'").set_index("activation")
    page = visit("#depth.depth=1")
    page.locator("#depth-depth").focus()
    for _, rows in success.groupby("depth"):
        expected = [[interval(row, "mean"), f"{row['n_trained']} of {row['n']}"] for _, row in rows.iterrows()]
        assert [row[1:3] for row in cells(page, "#depth-numbers")] == expected
        learning = page.locator("#depth-said").inner_text().partition(":")[2].partition(" learn")[0]
        names = {name.casefold() for name in re.split(r", | and ", learning.strip())} - {"none"}
        assert names == set(rows.index[rows["n_trained"] == rows["n"]])
        page.keyboard.press("ArrowRight")


def test_the_rate_and_the_noise_show_their_tables(visit: Visit, tables: Tables) -> None:
    """At the chosen rate and amplitude the numbers are the tables', differences included."""
    page = visit("#rate.rate=0.1&noise.amplitude=2.5")
    grid = tables["learning_rate_grid"].query("learning_rate == 0.1")
    dead = tables["dead_by_rate"].query("learning_rate == 0.1")
    rates = zip(grid.iterrows(), dead.iterrows(), strict=True)
    expected = [[interval(row, "validation_accuracy_mean"), interval(units, "mean")] for (_, row), (_, units) in rates]
    assert [row[1:3] for row in cells(page, "#rate-numbers")] == expected
    noise = tables["robustness"].query("amplitude == 2.5").set_index("activation")
    expected = [
        [
            interval(row, "test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"),
            interval(row, "difference", "difference_ci_low", "difference_ci_high", signed=True),
        ]
        for _, row in noise.loc[tables["verdict"]["activation"]].iterrows()
    ]
    assert [row[1:3] for row in cells(page, "#noise-numbers")] == expected


def test_verdict_and_claims_show_their_tables(visit: Visit, write: Write, tables: Tables) -> None:
    """Accuracies and steps of the verdict, and every part of every claim with n and verdict, are the tables'.

    A finding that more seeds do not confirm says so.
    """
    page, verdict, claims = visit(), tables["verdict"], tables["claims"]
    shown = cells(page, "#verdict-table")
    assert [row[1].replace("\n", " ") for row in shown] == [
        interval(row, "tuned", "tuned_low", "tuned_high") for _, row in verdict.iterrows()
    ]
    assert [row[-1] for row in shown] == [f"{value:.2f}" for value in verdict["step_ms"]]
    more = ["" if name == "relu" else "undecided" for name in verdict["activation"]]
    marked = cells(visit(file=write(tables | {"verdict": verdict.assign(pooled_finding=more)})), "#verdict-table")
    assert [row[3].endswith("; with more seeds undecided") for row in marked] == [bool(word) for word in more]
    page.evaluate("() => document.querySelectorAll('details.claim').forEach(claim => claim.open = true)")
    evidence = cells(page, "details.claim")
    assert [row[0].partition("\n")[0] for row in evidence] == claims["quantity"].tolist()
    assert [row[4] for row in evidence] == claims["verdict"].tolist()
    assert [row[3] for row in evidence] == [formatting.DASH if n != n else f"{n:g}" for n in claims["n"]]
