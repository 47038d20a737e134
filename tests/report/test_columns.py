"""That every column of the committed tables is explained."""

from pathlib import Path

import pandas as pd
from repository import unpack_committed

from study.report import columns


def test_every_column_has_a_meaning(tmp_path: Path) -> None:
    """By its name, or by the name without a suffix and the suffix's meaning."""
    unpack_committed(tmp_path, "results/tables")
    tables = {path.stem: pd.read_csv(path, nrows=0).columns for path in (tmp_path / "results" / "tables").glob("*.csv")}
    assert tables
    assert [(table, name) for table, names in tables.items() for name in names if columns.meaning(name) is None] == []


def test_suffixes_are_told_after_what_they_are_of() -> None:
    """Those of a known name; an unknown name is unknown with any suffix."""
    assert columns.meaning("test_loss_ci_low") == f"{columns.MEANINGS['test_loss']}: {columns.SUFFIXES['ci_low']}"
    assert columns.meaning("ci_low") == columns.SUFFIXES["ci_low"]
    assert columns.meaning("learning_rate") == "the optimiser's"
    assert columns.meaning("unheard_of_mean") is None


def test_the_page_lists_every_table() -> None:
    text = columns.page([("one", ["n", "other"]), ("two", ["seed"])])
    assert "## one.csv\n\n- `n`: number of seeds" in text
    assert "- `other`: see the code" in text
    assert text.endswith("## two.csv\n\n- `seed`: the run's\n")
