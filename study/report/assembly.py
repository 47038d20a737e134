"""Make the report from the ledgers, records and documents of a results folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from study import figures
from study.errors import FolderError
from study.figures.style import Style
from study.plan import Plan, make_target
from study.records.files import lock_folder
from study.records.frames import all_runs
from study.records.ledger import Ledger
from study.records.store import Record, Store, failure_text, has_failed, stores
from study.report.making import long_protocol, making
from study.report.page import claims_section, compose, joined_tables
from study.report.rendering import PAGES
from study.report.section import Conclusion, Evidence, Experiment, Section
from study.report.writing import write

COMPARED_KEY = "what was compared"  # of the section that lists the activations, after all others


@dataclass
class _Draft:
    """Hold what `write_report` has collected so far.

    `order` holds the names of the modules in the report's order. `sections` holds each module's section by the module's
    name, and the list of activations under COMPARED_KEY. `records` holds each experiment's records, failed ones
    included. `read` holds all records read so far, by folder and run id, because experiments share runs. `used` holds
    the successful records of `make all` by run id. `missing` is what `write_report` returns.
    """

    order: list[str]
    sections: dict[str, Section] = field(default_factory=dict)
    records: dict[str, list[Record]] = field(default_factory=dict)
    read: dict[Path, dict[str, Record]] = field(default_factory=dict)
    used: dict[str, Record] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def in_order(self) -> list[Section]:
        return [self.sections[name] for name in [*self.order, COMPARED_KEY] if name in self.sections]


def write_report(results: Path, modules: Mapping[str, Any]) -> list[str]:
    """Write the report from the ledgers, records and documents in `results`, and return what is missing in it.

    The result has one sentence for each refused activation, missing record and failed run. `modules` holds the modules
    of experiments/ by name, in the report's order. First, every experiment interprets its records. Then the modules
    with `conclude` run in reverse order, each with all tables made so far. Raise FolderError if no runs were made in
    `results` or the report cannot be written, and RecordError if a ledger or a document is damaged. Raise FolderHeld if
    another command writes a report there.
    """
    places = stores(results)
    ledgers = [store.ledger() for store in places]
    if not any(ledger.plans for ledger in ledgers):
        raise FolderError(f"there is nothing to report in {results}: no runs were made there (make all)")
    with lock_folder(results):
        return _write_report(results, modules, places, ledgers)


def _write_report(
    results: Path, modules: Mapping[str, Any], places: Sequence[Store], ledgers: Sequence[Ledger]
) -> list[str]:
    """Do the work of `write_report`, with the same result and errors, once `results` is locked.

    `places` are the stores in `results`, and `ledgers` their ledgers.
    """
    style, draft = joint_style(ledgers), _Draft(list(modules))
    documents = {name: found for store in places for name, found in store.documents().items()}
    for store, ledger in zip(places, ledgers, strict=True):
        draft.missing += [f"{name} was refused: it {why}" for name, why in ledger.refused.items()]
        for name, module in modules.items():
            if name in ledger.runs and store.keeps_runs_of(make_target(module)):
                _add_section(draft, name, module, store, ledger, style)
    main = ledgers[0] if ledgers[0].plans else ledgers[1]
    runs = {"runs": all_runs(draft.records)} if draft.records else {}
    if main.compared_activations() and main.activations:
        draft.sections[COMPARED_KEY] = _compared_section(main, style)
    for name, module in reversed(list(modules.items())):
        if hasattr(module, "rounds"):
            continue
        found = draft.in_order()
        judgements = [judgement for section in found for judgement in section.judgements]
        tables = {**joined_tables([*found, claims_section(found)]), **runs}
        section = cast(Conclusion, module).conclude(_common_plan(main), Evidence(tables, documents, judgements), style)
        if section is not None:
            draft.sections[name] = section
    made = making(main, list(draft.used.values()))
    report = compose(draft.in_order(), made, draft.missing, style.labels)
    write(results, replace(report, tables={**runs, **report.tables}), style)
    return draft.missing


def _add_section(draft: _Draft, name: str, experiment: Experiment, store: Store, ledger: Ledger, style: Style) -> None:
    """Add the section of the experiment `name` to `draft`, if `store` holds successful records of the experiment.

    `ledger` is the ledger of `store`, and lists the experiment's runs. All records of these runs enter `draft.records`.
    Each missing record and each failed run adds a sentence to `draft.missing`. If `store` is the committed one, for
    long protocols, the section also gets the table `long_protocols`.
    """
    runs = ledger.runs[name]
    read = draft.read.setdefault(store.folder, {})
    read |= store.find(run for run in runs if run not in read)
    found = {run: read[run] for run in runs if run in read}
    draft.missing += [f"the record of run {run} is missing" for run in runs if run not in found]
    draft.missing += [failure_text(record) for record in found.values() if has_failed(record)]
    if found:
        draft.records[name] = list(found.values())
    good = [record for record in found.values() if not has_failed(record)]
    if not good:
        return
    section = experiment.interpret(ledger.plan(name), good, style)
    if store.is_committed:
        about = long_protocol(name, make_target(experiment), good)
        section = replace(section, tables={**section.tables, "long_protocols": about})
    else:
        draft.used |= {record["id"]: record for record in good}
    draft.sections[name] = section


def _common_plan(ledger: Ledger) -> Plan:
    """Return the plan for the modules that conclude, with all activations that some plan of `ledger` compares.

    The plan names no number of seeds. It is a quick look if any plan of `ledger` is one.
    """
    names = tuple(ledger.compared_activations())
    theory = {name: ledger.activations[name]["theory"] for name in names}
    return Plan(names, None, any(plan["is_quick"] for plan in ledger.plans.values()), theory)


def _compared_section(ledger: Ledger, style: Style) -> Section:
    """Return the section that lists the compared activations, with a figure of their curves.

    Its table `activations` has the columns x, value, derivative and activation, with a row for each point of a curve.
    Its table `what_was_compared` has a row for each activation: activation, label, formula and source.
    """
    curves = ledger.curves()
    names = ledger.compared_activations()
    about = {key: [ledger.activations[name][key] for name in names] for key in ("label", "formula", "source")}
    return Section(
        PAGES / "compared.md",
        {"activations": curves, "what_was_compared": pd.DataFrame({"activation": names} | about)},
        {"activations": figures.activation_curves(curves, style)},
        is_appendix=True,
    )


def joint_style(ledgers: Sequence[Ledger]) -> Style:
    """Return one style for the activations of all `ledgers`, so that all figures have the same labels and colours.

    An activation's label and position come from the first ledger that has it. If another activation has that position,
    it gets the next free position.
    """
    labels: dict[str, str] = {}
    positions: dict[str, int] = {}
    for ledger in ledgers:
        for name, about in ledger.activations.items():
            if name not in labels:
                place = int(about["position"])
                while place in positions.values():
                    place += 1
                labels[name], positions[name] = about["label"], place
    return Style(labels, positions)
