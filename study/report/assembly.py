"""Make the report from the ledgers, records and documents of a results folder."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.errors import FolderError, StudyError, one_line
from study.figures.style import Style
from study.plan import Plan, make_target
from study.records.files import lock_folder
from study.records.frames import all_runs
from study.records.ledger import Ledger
from study.records.store import Record, Store, failure_text, has_failed, stores
from study.report.making import long_protocol, making
from study.report.page import LANGUAGES, claims_section, compose, joined_tables
from study.report.rendering import PAGES, Place, render
from study.report.section import Evidence, Section
from study.report.writing import write

COMPARED_KEY = "what was compared"  # of the section that lists the activations, after all others


@dataclass
class _Draft:
    """Hold what `write_report` has collected so far.

    `sections` maps each module's name, in the report's order, and last COMPARED_KEY to its section, None without one.
    `records` holds each experiment's records, failed ones included. `used` lists the successful records of `make all`.
    `missing` is what `write_report` returns.
    """

    sections: dict[str, Section | None]
    records: dict[str, list[Record]] = field(default_factory=dict)
    used: list[Record] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def in_order(self) -> list[Section]:
        return [section for section in self.sections.values() if section is not None]


def write_report(results: Path, modules: Mapping[str, Any]) -> list[str]:
    """Write the report from the ledgers, records and documents in `results`, and return what is missing in it.

    The result has one sentence for each refused activation, missing record and failed run, and for each question that
    the other runs cannot answer. `modules` holds the modules of experiments/ by name, in the report's order. First,
    every experiment interprets its records. Then the modules with `conclude` run in reverse order, each with all tables
    made so far. Raise FolderError if no runs were made in `results` or the report cannot be written, and RecordError if
    a ledger or a document is damaged. Raise FolderHeld if another command writes a report there.
    """
    places = {store: store.ledger() for store in stores(results)}
    if not any(ledger.plans for ledger in places.values()):
        raise FolderError(f"there is nothing to report in {results}: no runs were made there (make all)")
    with lock_folder(results):
        return _write_report(results, modules, places)


def _write_report(results: Path, modules: Mapping[str, Any], places: Mapping[Store, Ledger]) -> list[str]:
    """Do the work of `write_report` once `results` is locked; `places` maps each store in it to its ledger."""
    style, draft = joint_style(list(places.values())), _Draft(dict.fromkeys([*modules, COMPARED_KEY]))
    documents = {name: found for store in places for name, found in store.documents().items()}
    for store, ledger in places.items():
        _interpret_all(draft, modules, store, ledger, style)
    main = next(ledger for ledger in places.values() if ledger.plans)
    if main.compared_activations() and main.activations:
        draft.sections[COMPARED_KEY] = _compared_section(main, style)
    runs = {"runs": all_runs(draft.records)} if draft.records else {}
    for name in reversed([name for name, module in modules.items() if not hasattr(module, "rounds")]):
        found = draft.in_order()
        judgements = [judgement for section in found for judgement in section.judgements]
        evidence = Evidence({**joined_tables([*found, claims_section(found)]), **runs}, documents, judgements)
        with _left_out_if_runs_are_missing(draft, name):
            section = modules[name].conclude(_common_plan(main), evidence, style)
            draft.sections[name] = section and _checked_pages(section, draft, style)
    report = compose(draft.in_order(), making(main, draft.used), draft.missing, style.labels)
    write(results, replace(report, tables={**runs, **report.tables}), style)
    return draft.missing


def _interpret_all(draft: _Draft, modules: Mapping[str, Any], store: Store, ledger: Ledger, style: Style) -> None:
    """Add to `draft` the records in `store`, and the section of each of its experiments with a successful record.

    `ledger`, of `store`, lists the runs. Each refused activation, missing record and failed run adds a sentence to
    `draft.missing`. Sections on long protocols, whose store is committed, also get the table `long_protocols`.
    """
    draft.missing += [f"{name} was refused: it {why}" for name, why in ledger.refused.items()]
    kept = [name for name in modules if name in ledger.runs and store.keeps_runs_of(make_target(modules[name]))]
    read = store.find(dict.fromkeys(run for name in kept for run in ledger.runs[name]))  # experiments share runs
    for name in kept:
        runs = ledger.runs[name]
        draft.missing += [f"the record of run {run} is missing" for run in runs if run not in read]
        found = [read[run] for run in runs if run in read]
        draft.missing += [failure_text(record) for record in found if has_failed(record)]
        if found:
            draft.records[name] = found
        if good := [record for record in found if not has_failed(record)]:
            with _left_out_if_runs_are_missing(draft, name):
                section = modules[name].interpret(ledger.plan(name), good, style)
                if store.is_committed:
                    about = {"long_protocols": long_protocol(name, make_target(modules[name]), good)}
                    section = replace(section, tables={**section.tables, **about})
                draft.sections[name] = _checked_pages(section, draft, style)
    if not store.is_committed:
        draft.used = [record for record in read.values() if not has_failed(record)]


def _checked_pages(section: Section, draft: _Draft, style: Style) -> Section:
    """Return `section`, after rendering its pages if `draft.missing` has an entry.

    An error of a page is raised here, where the caller can leave the section out.
    """
    if draft.missing:
        for place in (Place("", (), language) for language in LANGUAGES):
            if section.page.with_suffix(place.ending).exists():
                render(section, style.labels, place)
    return section


@contextlib.contextmanager
def _left_out_if_runs_are_missing(draft: _Draft, name: str) -> Iterator[None]:
    """Leave out the section of the module `name` if the block raises an error and `draft.missing` has an entry.

    An error of the block is added to `draft.missing`, so that one question without an answer does not end the report.
    If nothing is missing, the error is a defect of the module, and is raised. A StudyError is always raised.
    """
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        if not draft.missing:
            raise
        draft.sections[name] = None
        draft.missing.append(f"the runs that are left do not answer the question {name} ({one_line(error)})")


def _common_plan(ledger: Ledger) -> Plan:
    """Return a plan without seeds, with all activations that a plan of `ledger` compares; quick if any of these is."""
    names = tuple(ledger.compared_activations())
    theory = {name: ledger.activations[name]["theory"] for name in names}
    return Plan(names, None, any(plan["is_quick"] for plan in ledger.plans.values()), theory)


def _compared_section(ledger: Ledger, style: Style) -> Section:
    """Return the section on the compared activations: label, formula and source, and a table and figure of curves."""
    curves, names = ledger.curves(), ledger.compared_activations()
    about = {key: [ledger.activations[name][key] for name in names] for key in ("label", "formula", "source")}
    compared = pd.DataFrame({"activation": names} | about)
    return Section(
        PAGES / "compared.md",
        {"activations": curves, "what_was_compared": compared},
        {"activations": figures.activation_curves(curves, style)},
        is_appendix=True,
    )


def joint_style(ledgers: Sequence[Ledger]) -> Style:
    """Return one style for the activations of all `ledgers`, so that all figures have the same labels and colours.

    The first ledger that has an activation gives its label and its position, or the next that is free.
    """
    labels: dict[str, str] = {}
    positions: dict[str, int] = {}
    for ledger in ledgers:
        for name, about in ledger.activations.items():
            if name not in labels:
                taken = set(positions.values())
                positions[name] = next(place for place in itertools.count(int(about["position"])) if place not in taken)
                labels[name] = about["label"]
    return Style(labels, positions)
