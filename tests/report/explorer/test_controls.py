"""Every control changes what it should; the state is in the address; the keyboard reaches everything."""

from collections.abc import Callable
from typing import Any

import pytest

Visit = Callable[..., Any]

# By view: its controls, each with the charts that must change with it.
LAYERS = ["layers-error", "layers-weight", "layers-forward"]
CONTROLS = {
    "layers-depth": LAYERS,
    "layers-init": LAYERS,
    "layers-optimiser": LAYERS,
    "layers-variant": LAYERS,
    "layers-step": LAYERS,
    "layers-layer": ["layers-curve", "layers-slope", "layers-forward"],
    "depth-optimiser": ["depth-accuracy"],
    "depth-init": ["depth-accuracy"],
    "depth-depth": ["depth-accuracy"],
    "rate-rate": ["rate-accuracy", "rate-dead"],
    "noise-amplitude": ["noise-accuracy"],
}
CHARTS = sorted({chart for charts in CONTROLS.values() for chart in charts})
DRAWN = """id => [...document.querySelectorAll(`#${id}-plot svg *`)]
    .filter(mark => !mark.children.length && mark.getAttribute('opacity') !== '0')
    .map(mark => mark.outerHTML).sort().join()"""
PIXELS = "() => [...document.querySelectorAll('canvas')].map(c => c.toDataURL()).join()"


def drawings(page: Any) -> dict[str, str]:
    """Return what every chart shows, once it is drawn."""
    page.wait_for_function("ids => ids.every(id => document.querySelector(`#${id}-plot svg`))", arg=CHARTS)
    page.wait_for_timeout(250)
    return {chart: page.evaluate(DRAWN, chart) for chart in CHARTS}


def move(page: Any, control: str) -> None:
    """Choose another value: a select's next or first option, one step of a slider."""
    where = page.locator(f"#{control}")
    if where.evaluate("element => element.tagName") == "SELECT":
        where.select_option(index=0 if where.evaluate("element => element.selectedIndex") else 1)
        return
    at_end = where.evaluate("element => element.value === element.max")
    where.focus()
    page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")


def test_every_control_changes_its_charts_and_the_address(visit: Visit) -> None:
    """It changes its charts, none of another view, and the address; the browser's back undoes all of it."""
    page = visit()
    before = drawings(page)
    for control, charts in CONTROLS.items():
        value = page.locator(f"#{control}").input_value()
        move(page, control)
        after = drawings(page)
        changed = {chart for chart in CHARTS if after[chart] != before[chart]}
        assert changed >= set(charts), control
        assert {chart.split("-")[0] for chart in changed} == {control.split("-")[0]}
        assert f"{control.replace('-', '.')}=" in page.url
        page.go_back()
        assert page.locator(f"#{control}").input_value() == value
        assert drawings(page) == before, control


def test_an_address_brings_back_every_control(visit: Visit) -> None:
    """A page opened at the address that the controls have made draws the same, and its controls show the same."""
    page, read = visit(), "() => [...document.querySelectorAll('input, select')].map(control => control.value)"
    for control in CONTROLS:
        move(page, control)
    again = visit(page.url.partition("report.html")[2])
    assert drawings(again) == drawings(page)
    assert again.evaluate(read) == page.evaluate(read)


def test_choosing_activations_changes_every_chart(visit: Visit) -> None:
    """Without one activation every chart and table changes; without any the page says so, and nothing fails."""
    page = visit()
    before = drawings(page)
    page.get_by_label("Sigmoid").uncheck()
    after = drawings(page)
    assert all(after[chart] != before[chart] for chart in CHARTS)
    assert "Sigmoid" not in page.locator("#depth-numbers").inner_text()
    assert "shown=relu,gelu,swish" in page.url
    for name in ("ReLU", "GELU", "Swish"):
        page.get_by_label(name, exact=True).uncheck()
    for view in ("layers", "depth", "rate", "noise"):
        assert "no activation chosen was run so." in page.locator(f"#{view}-said").inner_text().lower()
    page.reload()
    assert page.locator("#shown input:checked").count() == 0


def test_a_combination_that_was_not_run_gives_way_to_the_nearest_and_says_so(visit: Visit) -> None:
    """Of a choice that was not run with the others, the choice stays, and the sentence says what moved."""
    page = visit("#layers.depth=50")
    page.locator("#layers-optimiser").select_option("SGD at 0.01")
    assert page.locator("#layers-optimiser").input_value() == "SGD at 0.01"
    assert page.locator("#layers-depth").input_value() == "20"
    assert page.locator("#layers-said").inner_text().startswith("Not run with SGD at 0.01: 50 hidden layers.")


def test_an_address_of_nonsense_shows_what_is_nearest(visit: Visit) -> None:
    """A typed or damaged address never breaks the page.

    A negative depth is the shallowest, with the same optimiser.
    """
    for state in ("#layers.depth=1e9&layers.step=x&depth.depth=-1&noise.amplitude=99", "#%E0%A4%A", "#at=no&shown="):
        assert visit(state).locator("#layers-said").inner_text()
    page = visit("#layers.variant=zzz&layers.depth=-5")
    shown = [page.locator(f"#layers-{control}").input_value() for control in ("variant", "optimiser", "depth")]
    assert shown == ["plain", "Adam at 0.001", "1"]


@pytest.mark.parametrize("text", ["x", "", "1e999"])
def test_an_address_of_no_number_leaves_every_number_as_it_is(visit: Visit, text: str) -> None:
    """Sliders and the number of layers keep their defaults."""
    keys = ("layers.depth", "layers.step", "layers.layer", "depth.depth", "rate.rate", "noise.amplitude")
    read = "keys => keys.map(key => document.getElementById(key.replace('.', '-')).value)"
    page = visit("#" + "&".join(f"{key}={text}" for key in keys))
    assert page.evaluate(read, keys) == visit().evaluate(read, keys)
    assert "Not run" not in page.locator("#layers-said").inner_text()


def test_the_noise_is_drawn_unclipped_by_a_seed(visit: Visit, tables: Any) -> None:
    """Amplitude 0 shows the digit itself; more noise shows other pixels; the same amplitude always the same."""
    read = "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((value, index) => index % 4 === 0)"
    page = visit("#noise.amplitude=0")
    for label, images in tables["digits"].groupby("label"):
        shown = page.locator("canvas").nth(label).evaluate(read)
        assert shown == [255 - round(255 * value) for value in images["brightness"]]
    pixels = [page.evaluate(PIXELS)]
    page.locator("#noise-amplitude").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        pixels.append(page.evaluate(PIXELS))
    assert len(set(pixels)) == 3
    assert pixels[1] == pixels[3]


def test_the_verdict_sorts_by_every_column(visit: Visit) -> None:
    """Each heading sorts its column down, then up; unknown values stay last; the address keeps it.

    Opened again, rows that tie stand in the same order, whatever was sorted before.
    """
    page, names = visit(), "#verdict-table tbody th"
    heads = page.locator("#verdict-table thead th")
    for column in range(1, heads.count()):
        for way, sign in (("descending", -1), ("ascending", 1)):
            heads.nth(column).get_by_role("button").click()
            assert heads.nth(column).get_attribute("aria-sort") == way
            cells = page.locator(f"#verdict-table tbody tr > :nth-child({column + 1})")
            texts = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
            values = [float(text) for text in texts if text]
            assert values == sorted(values, key=lambda value: sign * value)
            assert texts == [text for text in texts if text] + [""] * texts.count("")
    assert f"verdict.sort={heads.count() - 1}.up" in page.url
    page.locator("#verdict-table thead button").nth(2).click()
    found = page.locator(names).all_inner_texts()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator(names).all_inner_texts() == found


def test_a_claim_opens_and_its_address_opens_it(visit: Visit) -> None:
    """Opening a claim shows its evidence and is in the address; back closes it."""
    page = visit()
    first = page.locator("details.claim").first
    first.locator("summary").click()
    page.wait_for_function("() => location.hash.includes('claims.open=')")
    name = first.get_attribute("data-claim")
    linked = visit(f"#claims.open={name}").locator(f"details[data-claim={name}]")
    assert linked.locator("tbody tr").first.is_visible()
    page.go_back()
    assert first.get_attribute("open") is None


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(visit: Visit) -> None:
    """Tab stops at every control, link, heading button, claim and table box; each has a name and a visible focus."""
    page = visit()
    wanted = page.evaluate("""() => [...document.querySelectorAll('a[href], button, input, select, summary, .scroll')]
        .filter(element => !element.disabled && element.checkVisibility())
        .map((element, index) => element.dataset.stop = index)""")
    seen = {}
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        stop, outline, name = page.evaluate("""() => {
            const element = document.activeElement, style = getComputedStyle(element);
            const names = [element.ariaLabel, element.labels?.[0]?.textContent, element.textContent, element.alt];
            return [element.dataset.stop, style.outlineStyle + style.outlineWidth, names.find(text => text?.trim())];
        }""")
        if stop is not None:
            seen[int(stop)] = (outline, name)
    assert sorted(seen) == wanted
    assert all(outline == "solid2px" and name for outline, name in seen.values())


def test_the_links_to_views_go_there(visit: Visit) -> None:
    """The bar's links scroll to their view and keep what was chosen; so does the link beside a view's heading."""
    page = visit("#depth.depth=20")
    page.get_by_role("link", name="Claims", exact=True).click()
    page.wait_for_function("() => Math.abs(document.getElementById('claims').getBoundingClientRect().top) < 400")
    assert "depth.depth=20" in page.url
    href = page.locator("a.link[data-view=depth]").get_attribute("href")
    assert href == "#depth.depth=20&at=depth"
