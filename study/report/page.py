"""Join rendered pages into the report in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from study.analysis import claims
from study.constants import CONFIDENCE
from study.report import formatting
from study.report.rendering import PAGES, Page, environment, render, unwrapped
from study.report.section import Section


@dataclass(frozen=True)
class Report:
    """Hold the report: its Markdown, the pages it was made of, and every table by name."""

    markdown: str
    pages: tuple[Page, ...]
    tables: Mapping[str, pd.DataFrame]


def compose(
    sections: Sequence[Section], making: Mapping[str, object], missing: Sequence[str], labels: Mapping[str, str]
) -> Report:
    """Render every section, and join them: the leading sections, the short answers, the claims, then the others.

    `making` says how the report was made (pages/making.md shows it). `missing` holds a sentence for each run that
    failed. `labels` maps names of activations to their labels.
    """
    following = [
        claims_section(sections),
        *(section for section in sections if not section.leads),
        Section(PAGES / "words.md"),
        Section(PAGES / "caveats.md"),
        Section(PAGES / "editions.md"),
        Section(PAGES / "making.md", protocol=making),
    ]
    leading = [render(section, labels) for section in sections if section.leads]
    rest = [render(section, labels) for section in following]
    text = (
        environment(PAGES, labels)
        .get_template("report.md")
        .render(
            leading=[_marked_up(page) for page in leading],
            following=[_marked_up(page) for page in rest],
            missing=missing,
        )
    )
    return Report(unwrapped(text) + "\n", (*leading, *rest), joined(sections))


def _marked_up(page: Page) -> dict[str, Markup]:
    return {name: Markup(getattr(page, name)) for name in ("title", "anchor", "answer", "body")}


def claims_section(sections: Sequence[Section]) -> Section:
    """Make the section on the published claims: each verdict, then the measurement of each part."""
    table = _claims_table(sections)
    shown = {"claims": _shown_claims(table), "claims_parts": _shown_parts(table)}
    judged = (*claims.JUDGED, claims.NOT_REACHED)
    seen = {
        judgement.claim
        for section in sections
        if "long_protocols" in section.tables and section.tables["long_protocols"]["first"].min() < claims.CHANGED_ON
        for judgement in section.judgements
    }
    protocol = {
        "verdicts": claims.VERDICTS,
        "differs": claims.DIFFERS,
        "changed": claims.CHANGED,
        "seen": [claim for claim in claims.CHANGED if claim in seen],
        "judged": judged,
        "expected_misses": (1 - CONFIDENCE) * int(table["verdict"].isin(judged).sum()),
    }
    return Section(PAGES / "claims.md", {"claims": table}, shown, protocol=protocol)


def _shown_claims(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name, parts in table.groupby("claim", sort=False):
        first, aspects = parts.iloc[0], parts[parts["aspect"] != ""].drop_duplicates("aspect")
        told = "; ".join(f"{part.aspect}: {part.aspect_verdict}" for part in aspects.itertuples())
        verdict = told if first["claim_verdict"] == claims.DIFFERS else first["claim_verdict"]
        rows.append({"Claim": name, "what it says": first["statement"], "source": first["source"], "verdict": verdict})
    return pd.DataFrame(rows)


def _shown_parts(table: pd.DataFrame) -> pd.DataFrame:
    measured = [formatting.interval(*row) for row in table[["measured", "ci_low", "ci_high"]].itertuples(index=False)]
    columns = {"claim": "Claim", "quantity": "what is measured", "expected": "expected", "measured": "measured"}
    columns |= {name: name for name in ("n", "verdict", "remark")}
    return table.assign(measured=measured)[list(columns)].rename(columns=columns)


def joined(sections: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """Return the report's tables by name, the claims' table included; tables of one name are concatenated."""
    every = [*(section.tables for section in sections), {"claims": _claims_table(sections)}]
    names = dict.fromkeys(name for tables in every for name in tables)
    return {name: pd.concat([tables[name] for tables in every if name in tables], ignore_index=True) for name in names}


def _claims_table(sections: Sequence[Section]) -> pd.DataFrame:
    return claims.table([judgement for section in sections for judgement in section.judgements])
