"""Cells of tables for people, and how they are arranged."""

import math

from study.report import cells


def test_a_depth_at_the_end_of_the_grid_reads_at_least() -> None:
    """A median or a bound equal to the deepest network that was run has "≥" before it; equal bounds are left out."""
    assert (
        cells.reached_depth({"median": 50, "low": 20, "high": 50, "deepest": 50, "next_depth": math.nan})
        == "≥ 50 (20 to ≥ 50)"
    )
    assert cells.reached_depth({"median": 5, "low": 5, "high": 5, "deepest": 50, "next_depth": 7}) == "5 but not 7"


def test_cells_are_arranged_in_order_of_appearance() -> None:
    """The first text of a cell stays, a missing cell is a dash, and nothing makes an empty table."""
    shown = cells.crossed([("b", "n", 3), ("b", "y", "1"), ("a", "x", "2"), ("b", "n", 4)], "Name")
    assert shown.columns.tolist() == ["Name", "n", "y", "x"]
    assert shown.to_numpy().tolist() == [["b", 3, "1", "–"], ["a", "–", "–", "2"]]
    assert cells.crossed([], "Name").empty
