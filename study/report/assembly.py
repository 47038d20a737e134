"""The records of both folders -> the report's sections, in one style, and the facts of how they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.figures.style import Style
from study.plan import Plan, target
from study.records.files import FolderError
from study.records.folders import RecordFolder, record_folders
from study.records.ledger import Ledger
from study.records.store import Record, has_failed, sentence
from study.report import formatting
from study.report.page import joined
from study.report.section import Display, Evidence, Experiment, Picture, Section
from study.report.writing import Facts, write

LAST = "what was compared"  # the section after every experiment's


@dataclass
class _Draft:
    """The report so far: sections by name, the records they are made of, and what is missing."""

    order: list[str]
    sections: dict[str, Section] = field(default_factory=dict)
    used: dict[str, Record] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def in_order(self) -> list[Section]:
        return [self.sections[name] for name in [*self.order, LAST] if name in self.sections]


def write_report(results: Path, modules: Mapping[str, Any]) -> list[str]:
    """The report from the records and documents; returns one sentence for every run that is missing.

    First every experiment interprets its records; then the modules that conclude see the tables of all these, and of
    those that concluded before them. A document that is damaged is a RecordError.
    """
    places = record_folders(results)
    ledgers = [folder.ledger() for folder in places]
    if not any(ledger.plans for ledger in ledgers):
        raise FolderError(f"there is nothing to report in {results}: no runs were made there (make all)")
    style, draft = joint_style(ledgers), _Draft(list(modules))
    documents = {name: found for folder in places for name, found in folder.documents().items()}
    for folder, ledger in zip(places, ledgers, strict=True):
        draft.missing += [f"{name} was refused: it {why}" for name, why in ledger.refused.items()]
        for name, module in modules.items():
            if name in ledger.runs and folder.holds(target(module)):
                _interpret(draft, name, module, folder, ledger, style)
    main = ledgers[0] if ledgers[0].plans else ledgers[1]
    for name, module in reversed(list(modules.items())):
        if hasattr(module, "rounds"):
            continue
        found = draft.in_order()
        judgements = [judgement for section in found for judgement in section.judgements]
        section = module.conclude(_common_plan(main), Evidence(joined(found), documents, judgements), style)
        if section is not None:
            draft.sections[name] = section
    if main.compared() and main.activations:
        draft.sections[LAST] = _what_was_compared(main, style)
    write(results, draft.in_order(), _facts(main, draft))
    return draft.missing


def _interpret(
    draft: _Draft, name: str, experiment: Experiment, folder: RecordFolder, ledger: Ledger, style: Style
) -> None:
    """Add the section of one experiment, if there are records for it, and what of them is missing."""
    runs = ledger.runs[name]
    found = folder.store.find(runs)
    draft.missing += [f"the record of run {run} is missing" for run in runs if run not in found]
    draft.missing += [sentence(record) for record in found.values() if has_failed(record)]
    good = [record for record in found.values() if not has_failed(record)]
    if not good:
        return
    section = experiment.interpret(ledger.plan(name), good, style)
    if folder.is_committed:
        section = _with_making(section, name, target(experiment), good)
    else:
        draft.used |= {record["id"]: record for record in good}
    draft.sections[name] = section


def _with_making(section: Section, name: str, target: str, records: Sequence[Record]) -> Section:
    """The section, and when and on what its runs were made: those of long protocols are not made with the others."""
    provenances = [record["provenance"] for record in records]
    days = sorted({p["date"][:10] for p in provenances})
    processors = ", ".join(sorted({p["environment"]["cpu"] for p in provenances}))
    minutes = sum(p["timings"].get("seconds", 0.0) for p in provenances) / 60
    about = {"experiment": name, "target": target, "runs": len(records), "first": days[0], "last": days[-1]}
    table = pd.DataFrame([{**about, "cpu": processors, "core_minutes": minutes}])
    text = (
        f"{len(records)} runs by `make {target}`, {' to '.join(dict.fromkeys((days[0], days[-1])))}, on "
        f"{formatting.escape_markdown(processors)}: {minutes:.1f} minutes of one core. Their records are committed, in "
        "`records/`."
    )
    return replace(section, blocks=[*section.blocks, text], tables={**section.tables, "long_protocols": table})


def _common_plan(ledger: Ledger) -> Plan:
    """What all experiments of the ledger together were asked for."""
    names = tuple(ledger.compared())
    theory = {name: ledger.activations[name]["theory"] for name in names}
    return Plan(names, None, any(plan["is_quick"] for plan in ledger.plans.values()), theory)


def _what_was_compared(ledger: Ledger, style: Style) -> Section:
    curves = ledger.curves()
    caption = "Each activation and its derivative. The sigmoid's slope is at most 0.25; that bound is not yet a rate."
    blocks: list[str | Display | Picture] = [
        Picture("activations", caption, figures.activation_curves(curves, style)),
        Display("As registered when the runs were made.", _described(ledger)),
    ]
    return Section("What was compared", "", blocks, {"activations": curves})


def _facts(ledger: Ledger, draft: _Draft) -> Facts:
    records = list(draft.used.values())
    provenances = [record["provenance"] for record in records]
    environments = {tuple(sorted(p["environment"].items())): p["environment"] for p in provenances}
    return Facts(
        command=ledger.command,
        environments=list(environments.values()),
        runs=len(records),
        failed=draft.missing,
        compute_seconds=sum(p["timings"].get("seconds", 0.0) for p in provenances),
        compile_seconds=sum(p["timings"].get("compile_seconds", 0.0) for p in provenances),
        wall_seconds=ledger.wall_seconds,
        last_run=max((p["date"] for p in provenances), default=""),
        data_checksums=sorted({record["identity"]["data"] for record in records}),
    )


def _described(ledger: Ledger) -> pd.DataFrame:
    """Return activation, formula and source of the activations compared, ready to read."""
    found = [ledger.activations[name] for name in ledger.compared()]
    rows = [
        {"Activation": about["label"], "Formula": formatting.Formula(about["formula"]), "Source": about["source"]}
        for about in found
    ]
    return pd.DataFrame(rows)


def joint_style(ledgers: Sequence[Ledger]) -> Style:
    """Labels and colours of the activations of all ledgers, the same in every figure; the first that has one says.

    One whose place is taken by another ledger's activation has the next free place.
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
