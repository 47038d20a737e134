"""How fast is the engine, compared with its peers and with what the processor can do, and how does its time grow?

The module asks for no runs: `make bench` measures, and keeps its measurements in results/records/bench.json.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.analysis.benchmark import Target, comparisons, contenders, exponents, judged, summary
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import used_by
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")

CONTENDERS = {
    "keras_fit": "Keras model.fit, as published",
    "keras_fit_training": "Keras model.fit, training alone",
    "keras_steps": "Keras model.fit, 120 steps a call",
    "pytorch": "PyTorch, eager",
    "pytorch_norms": "PyTorch, eager, gradient norms",
    "pytorch_compiled": "PyTorch, torch.compile",
    "jax": "JAX, jit and scan",
    "jax_norms": "JAX, jit and scan, gradient norms",
    "products": "matrix products alone (BLAS)",
    "products_machine": "matrix products, a process a core",
    "engine": "this engine, all measures",
    "engine_first": "the same, logged as in epoch 1",
    "engine_bare": "this engine, no measures",
    "engine_machine": "this engine, a process a core",
    "engine_validation": "the same with validation",
}
FORMAT = 4  # of the document; another one has other contenders or columns
FLOOR = "products"
ARTICLE = {True: "keras_fit", False: "keras_fit_training"}  # by whether it validates
RUNS, WORKERS = 10_000, 100  # of the study whose time is forecast
PROGRAMS = 4  # compiled by each of its workers: one an activation
SPEED_OVER_FIT = 10.0  # whole machine over the article's model.fit
TIME_OVER_PRODUCTS = 1.25  # one thread, over the matrix products alone
TIME_OVER_JAX = 1.0
TIME_OF_MEASURES = 1.05  # with all measures over without
WORKER_SHARE = 0.95  # of a core, added by each further worker
WORKER_GIGABYTES = 1.0


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Make the section; None if `make bench` has not measured."""
    document = evidence.documents.get("bench")
    if document is None:
        return None
    content = document["content"]
    if content.get("format") != FORMAT:
        return Section(PAGE, protocol={"is_outdated": True}, is_appendix=True)
    growth = pd.DataFrame(content["growth"])
    bench, judged_targets = contest(content), judgement(content)
    found = {
        "bench": bench,
        "bench_targets": judged_targets,
        "growth": summary(growth),
        "growth_exponents": exponents(growth),
        "forecast": forecast(content, evidence),
    }
    drawn = {
        "bench": figures.bench(bench, pd.DataFrame(content["rows"]), CONTENDERS),
        "growth": figures.growth(growth, found["growth_exponents"]),
    }
    return Section(PAGE, found, drawn, protocol(document), is_appendix=True)


def protocol(document: dict[str, Any]) -> dict[str, Any]:
    """Return when, where and with which packages the bench of `document` ran, and why contenders are missing."""
    content, made = document["content"], document["provenance"]
    peers = {"TensorFlow": "tensorflow", "Keras": "keras", "NumPy": "numpy"}
    peers |= {name[5:]: name for name in made if name.startswith("peer_")}
    return {
        **{name: made[name] for name in ("date", "cpu", "system")},
        "is_outdated": False,
        "cores": content["cores"],
        "packages": [f"{name} {made[key]}" for name, key in peers.items()],
        "missing": [f"{CONTENDERS[row['contender']]} ({row['reason']})" for row in content["missing"]],
        "first_target": targets(1)[0].text,
        "programs": PROGRAMS,
        "contenders": CONTENDERS,
    }


def targets(cores: int) -> list[Target]:
    """Return the engine's speed targets on a machine with `cores` cores."""
    validation, training = "engine_validation", "engine_machine"
    rows: list[tuple[str, str, str, str, float]] = [
        ("all cores: speed over model.fit, validation in both", validation, "keras_fit", "≥", SPEED_OVER_FIT),
        ("all cores: speed over model.fit, training alone", training, "keras_fit_training", "≥", SPEED_OVER_FIT),
        ("one thread: time over the matrix products'", FLOOR, "engine", "≤", TIME_OVER_PRODUCTS),
        ("the same, every epoch logged as the first", FLOOR, "engine_first", "≤", TIME_OVER_PRODUCTS),
        ("one thread: time over JAX's, both logging", "jax_norms", "engine", "≤", TIME_OVER_JAX),
        ("one thread: time over JAX's, neither logging", "jax", "engine_bare", "≤", TIME_OVER_JAX),
        ("one thread: time with all measures over none", "engine_bare", "engine", "≤", TIME_OF_MEASURES),
        ("the same, every epoch as the first", "engine_bare", "engine_first", "≤", TIME_OF_MEASURES),
        ("a worker on each core: speed over one worker", training, "engine", "≥", WORKER_SHARE * cores),
        ("the same of the matrix products alone", "products_machine", FLOOR, "≥", math.nan),
    ]
    return [Target(*row) for row in rows]


def judgement(content: dict[str, Any]) -> pd.DataFrame:
    """Compare the measurements in `content` with the speed targets, and a worker's memory with its limit."""
    found = comparisons(pd.DataFrame(content["rows"]), targets(content["cores"]))
    memory = pd.DataFrame(content["memory"])
    rows = [
        judged(text, "≤", WORKER_GIGABYTES, [memory[name].max() / 1e9])
        for text, name in (
            (f"a worker's most memory, over {len(memory)} programs, GB", "bytes"),
            ("the same, what no other process shares, GB", "own_bytes"),
        )
    ]
    return pd.concat([found, pd.DataFrame(rows, columns=found.columns)], ignore_index=True)


def contest(content: dict[str, Any]) -> pd.DataFrame:
    """Return one row per contender, in the order of CONTENDERS, from `content`, the document of `make bench`."""
    table = contenders(pd.DataFrame(content["rows"]), FLOOR, ARTICLE)
    return table.sort_values("contender", key=lambda names: names.map(list(CONTENDERS).index), ignore_index=True)


def forecast(content: dict[str, Any], evidence: Evidence) -> pd.DataFrame:
    """Forecast the hours that RUNS runs of the article's network take on WORKERS workers.

    One case has runs of one epoch, the other as many epochs as `baseline` ran on average. Each worker does an equal
    share of the runs, and compiles each of its programs in `compile_seconds`. The first epoch takes as long as a run of
    one epoch while all cores are busy. Every further epoch takes `epoch_seconds`.
    """
    growth, rows = pd.DataFrame(content["growth"]), pd.DataFrame(content["rows"])
    shared = growth[growth["quantity"] == "workers"]
    shared = shared[shared["value"] == shared["value"].max()]
    first = float((shared["seconds"] * shared["value"] / shared["runs"]).median())
    more = rows[rows["contender"] == "engine_validation"]
    further = float((more["seconds"] / more["epochs"]).median())
    compiling = float(growth[(growth["measure"] == "compile") & (growth["quantity"] == "width")]["seconds"].median())
    runs = evidence.tables.get("runs")
    epochs = math.nan if runs is None else used_by(runs, "baseline")["epochs"].mean()
    cases = [("one epoch", 1.0)] + ([("the article's protocol", float(epochs))] if math.isfinite(epochs) else [])
    frame = pd.DataFrame(cases, columns=["case", "epochs"])
    frame = frame.assign(runs=RUNS, workers=WORKERS, first_seconds=first, epoch_seconds=further)
    frame["compile_seconds"] = compiling
    frame["run_seconds"] = first + (frame["epochs"] - 1) * further
    frame["hours"] = (math.ceil(RUNS / WORKERS) * frame["run_seconds"] + PROGRAMS * compiling) / 3600
    frame["minutes"] = 60 * frame["hours"]
    return frame
