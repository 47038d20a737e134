"""One browser for all tests of the page, and pages that must stay silent: no error, no request, no dialog."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from repository import unpack_committed

from study.figures.style import Style
from study.report.explorer import build

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STYLE = Style(
    {"relu": "ReLU", "sigmoid": "Sigmoid", "gelu": "GELU", "swish": "Swish"},
    {"relu": 0, "sigmoid": 1, "gelu": 2, "swish": 3},
)
OPENING = """# Use ReLU, here

| | accuracy |
| :-- | --: |
| **ReLU** | 97% |

![a picture](figures/one.png)
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield Chromium; without Playwright or a Chromium, the tests that need one are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested where Playwright is installed")
    with playwright.sync_playwright() as driver:
        found = next(filter(None, map(shutil.which, (*NAMES, driver.chromium.executable_path))), None)
        if found is None:
            pytest.skip("the page is tested in a real browser, and Chromium was not found (apt-get install chromium)")
        chromium = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Read the committed tables; draw digits whose pattern tells their label."""
    folder = tmp_path_factory.mktemp("edition")
    unpack_committed(folder, "results/tables")
    found = {file.stem: pd.read_csv(file) for file in folder.glob("results/tables/*.csv")}
    pixels = [range(10), range(28), range(28)]
    digits = pd.MultiIndex.from_product(pixels, names=["label", "row", "column"]).to_frame(index=False)
    return found | {"digits": digits.eval("brightness = 0.8 * ((row + column) % 14 == label)")}


Write = Callable[..., Path]


@pytest.fixture(scope="session")
def write(tables: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Return a function that writes the page to a file: of the committed tables, unless it is given others."""

    def write_page(
        tables: Mapping[str, pd.DataFrame] = tables, style: Style = STYLE, opening: str = OPENING, **pictures: bytes
    ) -> Path:
        file = tmp_path_factory.mktemp("page") / "report.html"
        named = {f"figures/{name}.svg": picture for name, picture in pictures.items()}
        file.write_text(build.page(opening, tables, style, named))
        return file

    return write_page


@pytest.fixture(scope="session")
def written(write: Write) -> Path:
    """Write the page of the committed tables to a file."""
    return write(one=b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")


@pytest.fixture
def visit(browser: Any, written: Path) -> Iterator[Callable[..., Any]]:
    """Yield a function that opens the page, or another file; at the end no page may have complained or asked."""
    contexts, complaints = [], []

    def open_page(state: str = "", file: Path = written, width: int = 1440, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request", lambda asked: None if asked.url.startswith(("file:", "data:")) else complaints.append(asked.url)
        )
        page.goto(file.as_uri() + state)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
