"""How fast is the engine, compared with its peers and with what the processor can do, and how does its time grow?

The module asks for no runs: `make bench` measures, and keeps its measurements in the document `bench`. A contender is a
program that trains the article's network, or only does its matrix products, and is timed.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.analysis import benchmark
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_used_by
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
    "products_machine": "matrix products, one process per core",
    "engine": "this engine, all measures",
    "engine_first": "the same, logged as in epoch 1",
    "engine_bare": "this engine, no measures",
    "engine_machine": "this engine, one process per core",
    "engine_validation": "the same with validation",
}
FORMAT = 4  # the version of the document that this module reads; other versions have other contenders or columns
FLOOR = "products"  # the contender that only multiplies the matrices; times are given as multiples of its time
# The contenders that train in the article's way, with validation (True) and without.
ARTICLE_CONTENDERS = {True: "keras_fit", False: "keras_fit_training"}
FORECAST_RUNS, FORECAST_WORKERS = 10_000, 100  # of a large study, whose time is forecast
FORECAST_PROGRAMS = 4  # compiled by each worker of that study: one per activation
SPEED_OVER_FIT = 10.0  # at least: speed of the whole machine over the article's model.fit
TIME_OVER_PRODUCTS = 1.25  # at most: time on one thread over the matrix products alone
TIME_OVER_JAX = 1.0  # at most: time on one thread over JAX's
TIME_OF_MEASURES = 1.05  # at most: time with all measures over time without measures
WORKER_SHARE = 0.95  # at least: speed of all workers, one on each core, over cores times the speed of one worker
WORKER_GIGABYTES = 1.0  # at most: memory of a worker


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the section on speed; None if `evidence` does not have the document `bench`.

    A document of another FORMAT gives a section without tables, which says that it `is_outdated`.
    """
    document = evidence.documents.get("bench")
    if document is None:
        return None
    content = document["content"]
    if content.get("format") != FORMAT:
        return Section(PAGE, protocol={"is_outdated": True}, is_appendix=True)
    growth, rows = pd.DataFrame(content["growth"]), pd.DataFrame(content["rows"])
    bench = benchmark.contender_table(rows, FLOOR, ARTICLE_CONTENDERS)
    bench = bench.sort_values("contender", key=lambda names: names.map(list(CONTENDERS).index), ignore_index=True)
    found = {
        "bench": bench,
        "bench_targets": target_rows(content),
        "growth": benchmark.growth_summary(growth),
        "growth_exponents": benchmark.growth_exponents(growth),
        "forecast": forecast(content, evidence),
    }
    drawn = {
        "bench": figures.bench(bench, rows, CONTENDERS),
        "growth": figures.growth(growth, found["growth_exponents"]),
    }
    return Section(PAGE, found, drawn, protocol(document), is_appendix=True)


def protocol(document: dict[str, Any]) -> dict[str, Any]:
    """Return when, where and with which packages the benchmark of `document` ran, as {name in the page: value}.

    `missing` lists the contenders that were not measured, with the reason.
    """
    content, made = document["content"], document["provenance"]
    peers = {"TensorFlow": "tensorflow", "Keras": "keras", "NumPy": "numpy"}
    peers |= {name[5:]: name for name in made if name.startswith("peer_")}
    return {
        **{name: made[name] for name in ("date", "cpu", "system")},
        "is_outdated": False,
        "cores": content["cores"],
        "packages": [f"{name} {made[key]}" for name, key in peers.items()],
        "missing": [f"{CONTENDERS[row['contender']]} ({row['reason']})" for row in content["missing"]],
        "first_target": targets(1)[0][0],
        "programs": FORECAST_PROGRAMS,
        "contenders": CONTENDERS,
    }


def targets(cores: int) -> list[benchmark.SpeedTarget]:
    """Return the engine's speed targets on a machine with `cores` cores, in the order of the report.

    Some texts name a ratio of times, such as the engine's over JAX's. It equals JAX's speed over the engine's, so the
    engine is then the second contender. The last target has no bound, and is about matrix products alone.
    """
    validation, training, first = "engine_validation", "engine_machine", "engine_first"
    logged = "every epoch logged like the first"
    return [
        ("all cores: speed over model.fit, validation in both", validation, "keras_fit", "≥", SPEED_OVER_FIT),
        ("all cores: speed over model.fit, training alone", training, "keras_fit_training", "≥", SPEED_OVER_FIT),
        ("one thread: time over the matrix products'", FLOOR, "engine", "≤", TIME_OVER_PRODUCTS),
        (f"one thread, {logged}: time over the matrix products'", FLOOR, first, "≤", TIME_OVER_PRODUCTS),
        ("one thread: time over JAX's, both logging", "jax_norms", "engine", "≤", TIME_OVER_JAX),
        ("one thread: time over JAX's, neither logging", "jax", "engine_bare", "≤", TIME_OVER_JAX),
        ("one thread: time with all measures over none", "engine_bare", "engine", "≤", TIME_OF_MEASURES),
        (f"one thread, {logged}: time with all measures over none", "engine_bare", first, "≤", TIME_OF_MEASURES),
        ("a worker on each core: speed over one worker", training, "engine", "≥", WORKER_SHARE * cores),
        ("a process on each core: matrix products' speed over one process", "products_machine", FLOOR, "≥", math.nan),
    ]


def target_rows(content: dict[str, Any]) -> pd.DataFrame:
    """Return `benchmark.target_table` of `content`, the content of the document `bench`, and two rows on memory.

    In these two rows `ratio` is the largest memory of a worker over all programs, in GB, and `target_ratio` its limit.
    """
    found = benchmark.target_table(pd.DataFrame(content["rows"]), targets(content["cores"]))
    memory = pd.DataFrame(content["memory"])
    rows = [
        benchmark.target_row(text, "≤", WORKER_GIGABYTES, [memory[name].max() / 1e9])
        for text, name in (
            (f"a worker's most memory, over {len(memory)} programs, GB", "bytes"),
            ("a worker's most memory that no other process shares, GB", "own_bytes"),
        )
    ]
    return pd.concat([found, pd.DataFrame(rows, columns=found.columns)], ignore_index=True)


def forecast(content: dict[str, Any], evidence: Evidence) -> pd.DataFrame:
    """Forecast the hours of FORECAST_RUNS runs of the article's network on FORECAST_WORKERS workers, in a row per case.

    The hours follow from the seconds of a run and of compiling a program, which `content`, the bench's document, holds.
    In the first case a run has one epoch. In the second case it has as many epochs as the runs of `baseline` in
    `evidence` on average; without such runs, it is left out. `first_seconds` is the time of a run's first epoch,
    measured by runs of one epoch while all cores are busy. `epoch_seconds` is the time of each further epoch.
    `run_seconds` is the time of the whole run, without compiling. Each worker does an equal share of the runs, and
    compiles FORECAST_PROGRAMS programs.
    """
    growth, rows = pd.DataFrame(content["growth"]), pd.DataFrame(content["rows"])
    shared = growth[growth["quantity"] == "workers"]
    shared = shared[shared["value"] == shared["value"].max()]
    first = float((shared["seconds"] * shared["value"] / shared["runs"]).median())
    more = rows[rows["contender"] == "engine_validation"]
    further = float((more["seconds"] / more["epochs"]).median())
    compiling = float(growth[(growth["measure"] == "compile") & (growth["quantity"] == "width")]["seconds"].median())
    runs = evidence.tables.get("runs")
    epochs = math.nan if runs is None else runs_used_by(runs, "baseline")["epochs"].mean()
    cases = [("one epoch", 1.0)] + ([("the article's protocol", float(epochs))] if math.isfinite(epochs) else [])
    frame = pd.DataFrame(cases, columns=["case", "epochs"])
    run = first + (frame["epochs"] - 1) * further
    seconds = math.ceil(FORECAST_RUNS / FORECAST_WORKERS) * run + FORECAST_PROGRAMS * compiling
    return frame.assign(
        runs=FORECAST_RUNS, workers=FORECAST_WORKERS, first_seconds=first, epoch_seconds=further,
        compile_seconds=compiling, run_seconds=run, hours=seconds / 3600, minutes=60 * (seconds / 3600),
    )  # fmt: skip
