"""A question that the remaining runs cannot answer is left out and named; a defect of a question's module is raised."""

import pytest
from plain_sections import plain

from study.errors import RecordError
from study.report.assembly import _Draft, _left_out_if_runs_are_missing


def test_one_question_without_an_answer_does_not_end_the_report() -> None:
    """The others stay, and the report says which question is missing, and why."""
    draft = _Draft({"depth": plain("Depth", "."), "cost": plain("Cost", ".")}, missing=["a run failed"])
    with _left_out_if_runs_are_missing(draft, "depth"):
        raise KeyError("gelu")
    assert [section.page.stem for section in draft.in_order()] == ["plain"]
    assert draft.missing == ["a run failed", "the runs that are left do not answer the question depth ('gelu')"]


@pytest.mark.parametrize(("missing", "error"), [([], KeyError("gelu")), (["a run failed"], RecordError("damaged"))])
def test_defects_and_damaged_records_end_the_report(missing: list[str], error: Exception) -> None:
    """An error is not hidden if all runs are there, nor if it says itself what the user must do."""
    with pytest.raises(type(error)), _left_out_if_runs_are_missing(_Draft({}, missing=missing), "depth"):
        raise error
