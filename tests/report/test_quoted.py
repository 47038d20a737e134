"""That the search for numbers without a table finds them, and finds none in a report of made-up runs."""

from pathlib import Path

import pandas as pd
import pytest
import quoted
import synthetic
from synthetic import signals_kept, write_data

from study import cli
from study.report import writing

LABELS = {"ReLU": "relu", "GELU": "gelu"}
TABLE = pd.DataFrame({"activation": ["relu", "gelu"], "mean": [0.97123, 0.96333], "p": [0.0312, 0.844]})


def missing(report_text: str, table: pd.DataFrame = TABLE) -> list[str]:
    """The numbers, alone, that are in no table."""
    return [line.split(" in ")[0] for line in quoted.without_table(report_text, {"one": table}, LABELS)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("97.12% and 0.971 and 97.1 and 0.97123", []),
        ("a mean of 97.13% is wrong, 97.12% is not", ["97.13"]),
        ("p = 0.031, 0.844; -0.844", []),
        ("by 0.033", ["0.033"]),
        ("He, Zhang, Ren & Sun 2015, but 201.5 is none", ["201.5"]),
        ("784-100-100-100-10, 8x128, `0.123`, [0.7](tables/0.7.csv), 48,000 images, Adam at 0.01, 95% intervals", []),
        ("12,345 images", ["12,345"]),
        ("1.2e-05", ["1.2e-05"]),
        ("7 of 37 seeds, but 137 not", ["137"]),
        ("| Other | 37 |", ["37"]),
        ("| ReLU | 97.12 \\[97.1, 97.1\\] | 0.031 |", []),
        ("| ReLU | 96.33 |", ["96.33"]),  # GELU's, in ReLU's row
        ("| GELU | 96.33 |", []),
        ("| Other | 96.33 |", []),
    ],
)
def test_the_search_finds_what_no_table_holds(text: str, found: list[str]) -> None:
    """Roundings and hundredfolds are found, in an activation's row among its own alone; settings and years are not
    looked for, nor counts but in a cell."""
    lead = "| Activation | x |\n| :-- | --: |\n" if text.startswith("|") else ""
    assert missing(f"## A section\n\n{lead}{text}") == found


def test_numbers_in_the_text_of_a_table_count() -> None:
    """A claim's statement quotes its source's number, and is in claims.csv."""
    assert missing("## A\n\n12.34%", pd.DataFrame({"statement": ["It reaches 12.34%."]})) == []


def test_how_it_was_made_is_no_measurement() -> None:
    assert missing("## How it was made\n\n123.4 minutes") == []
    assert missing("## Another\n\n123.4 minutes") == ["123.4"]


def test_every_number_of_a_synthetic_report_is_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All the experiments that the fake engine has measurements for, seven seeds, as the report shows them."""
    synthetic.install(monkeypatch)
    monkeypatch.setattr(writing, "encode", lambda figure, extension: b"")
    data = write_data(tmp_path / "data.npz")
    asked = ["baseline", "few_seeds", "learning_rate", "robustness", "output_layer", "cost"]
    options = ["--results", str(tmp_path / "out"), "--mnist", str(data), "--any-data", "--workers", "0", "--seeds", "7"]
    with signals_kept():
        assert cli.main(["all", *asked, *options]) == 0
    frames = {path.stem: pd.read_csv(path) for path in (tmp_path / "out" / "tables").glob("*.csv")}
    text = (tmp_path / "out" / "README.md").read_text()
    labels = {entry.label: name for name, entry in synthetic.REGISTRY.items()}
    assert len(list(quoted.shown_numbers(text, labels))) > 200
    assert quoted.without_table(text, frames, labels) == []
    wrong = text.replace(f"{100 * frames['accuracy']['test_accuracy_mean'][0]:.2f}%", "12.57%")
    assert wrong != text
    assert len(quoted.without_table(wrong, frames, labels)) > 0
