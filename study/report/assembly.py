"""Turn the records of both folders into the report's sections, in one style, with how they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from study import figures
from study.errors import FolderError
from study.figures.style import Style
from study.plan import Plan, target
from study.records.frames import all_runs
from study.records.ledger import Ledger
from study.records.store import Record, Store, has_failed, sentence, stores
from study.report.making import long_protocol, making
from study.report.page import claims_section, compose, joined
from study.report.rendering import PAGES
from study.report.section import Conclusion, Evidence, Experiment, Section
from study.report.writing import write

LAST = "what was compared"  # the section after every experiment's


@dataclass
class _Draft:
    """Hold the unfinished report.

    `order` names the modules in the report's order. `sections` and `records` are by experiment, `read` by folder and
    run, because experiments share runs. `used` holds the records of `make all` by run. `missing` has a sentence for
    each missing run.
    """

    order: list[str]
    sections: dict[str, Section] = field(default_factory=dict)
    records: dict[str, list[Record]] = field(default_factory=dict)
    read: dict[Path, dict[str, Record]] = field(default_factory=dict)
    used: dict[str, Record] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def in_order(self) -> list[Section]:
        return [self.sections[name] for name in [*self.order, LAST] if name in self.sections]


def write_report(results: Path, modules: Mapping[str, Any]) -> list[str]:
    """Write the report from the records and documents in `results`; return one sentence for every missing run.

    First every experiment interprets its records. Then the modules that conclude run, the last of the report first,
    each with all tables made before. Raise FolderError if `results` has no plan, RecordError for a damaged document.
    """
    places = stores(results)
    ledgers = [store.ledger() for store in places]
    if not any(ledger.plans for ledger in ledgers):
        raise FolderError(f"there is nothing to report in {results}: no runs were made there (make all)")
    style, draft = joint_style(ledgers), _Draft(list(modules))
    documents = {name: found for store in places for name, found in store.documents().items()}
    for store, ledger in zip(places, ledgers, strict=True):
        draft.missing += [f"{name} was refused: it {why}" for name, why in ledger.refused.items()]
        for name, module in modules.items():
            if name in ledger.runs and store.holds(target(module)):
                _interpret(draft, name, module, store, ledger, style)
    main = ledgers[0] if ledgers[0].plans else ledgers[1]
    runs = {"runs": all_runs(draft.records)} if draft.records else {}
    if main.compared() and main.activations:
        draft.sections[LAST] = _what_was_compared(main, style)
    for name, module in reversed(list(modules.items())):
        if hasattr(module, "rounds"):
            continue
        found = draft.in_order()
        judgements = [judgement for section in found for judgement in section.judgements]
        tables = {**joined([*found, claims_section(found)]), **runs}
        section = cast(Conclusion, module).conclude(_common_plan(main), Evidence(tables, documents, judgements), style)
        if section is not None:
            draft.sections[name] = section
    made = making(main, list(draft.used.values()))
    report = compose(draft.in_order(), made, draft.missing, style.labels)
    write(results, replace(report, tables={**runs, **report.tables}), style)
    return draft.missing


def _interpret(draft: _Draft, name: str, experiment: Experiment, store: Store, ledger: Ledger, style: Style) -> None:
    """Add the section of the experiment `name` to `draft`, if it has records in `store`, and note missing runs."""
    runs = ledger.runs[name]
    read = draft.read.setdefault(store.folder, {})
    read |= store.find(run for run in runs if run not in read)
    found = {run: read[run] for run in runs if run in read}
    draft.missing += [f"the record of run {run} is missing" for run in runs if run not in found]
    draft.missing += [sentence(record) for record in found.values() if has_failed(record)]
    if found:
        draft.records[name] = list(found.values())
    good = [record for record in found.values() if not has_failed(record)]
    if not good:
        return
    section = experiment.interpret(ledger.plan(name), good, style)
    if store.is_committed:
        about = long_protocol(name, target(experiment), good)
        section = replace(section, tables={**section.tables, "long_protocols": about})
    else:
        draft.used |= {record["id"]: record for record in good}
    draft.sections[name] = section


def _common_plan(ledger: Ledger) -> Plan:
    """Return one plan for all experiments of the ledger together."""
    names = tuple(ledger.compared())
    theory = {name: ledger.activations[name]["theory"] for name in names}
    return Plan(names, None, any(plan["is_quick"] for plan in ledger.plans.values()), theory)


def _what_was_compared(ledger: Ledger, style: Style) -> Section:
    """Make the section that lists the activations, with a figure of their curves."""
    curves = ledger.curves()
    names = ledger.compared()
    about = {key: [ledger.activations[name][key] for name in names] for key in ("label", "formula", "source")}
    return Section(
        PAGES / "compared.md",
        {"activations": curves, "what_was_compared": pd.DataFrame({"activation": names} | about)},
        {"activations": figures.activation_curves(curves, style)},
        is_appendix=True,
    )


def joint_style(ledgers: Sequence[Ledger]) -> Style:
    """Return one style for the activations of all ledgers, so that all figures have the same labels and colours.

    An activation's label and position come from the first ledger that has it. If another activation has that position,
    it gets the next free one.
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
