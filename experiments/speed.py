"""How fast is the engine, beside its peers and beside what the processor can do; and how does its time grow?

No runs: `make bench` measures, and keeps what it measured in results/records/bench.json.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from study import figures
from study.analysis.benchmark import Target, comparisons, contenders, exponents, judged, summary
from study.constants import (
    SPEED_OVER_FIT,
    TIME_OF_MEASURES,
    TIME_OVER_JAX,
    TIME_OVER_PRODUCTS,
    WORKER_GIGABYTES,
    WORKER_SHARE,
)
from study.figures.style import Style
from study.plan import Plan
from study.report import formatting as fmt
from study.report.section import Display, Evidence, Picture, Section

TITLE = "Speed"

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
FORMAT = 4  # of the document, with other contenders or columns another
FLOOR = "products"
ARTICLE = {True: "keras_fit", False: "keras_fit_training"}  # by whether it validates
RUNS, WORKERS = 10_000, 100  # of the study whose time is foretold
PROGRAMS = 4  # that each of its workers compiles: one an activation


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """The section, if `make bench` has measured."""
    document = evidence.documents.get("bench")
    if document is None:
        return None
    content = document["content"]
    if content.get("format") != FORMAT:
        return Section(TITLE, "What was measured is of another version of this study; `make bench` measures anew.", [])
    growth = pd.DataFrame(content["growth"])
    bench, judged_targets = contest(content), judgement(content)
    found = {
        "bench": bench,
        "bench_targets": judged_targets,
        "growth": summary(growth),
        "growth_exponents": exponents(growth),
        "forecast": forecast(content, evidence),
    }
    shown = displays(document)
    blocks: list[str | Display | Picture] = [
        machine(document),
        shown[0],
        Picture(
            "bench",
            "Training images a second of each contender: every repeat (small) and the median (large), logarithmic. "
            "Dashed: the matrix products alone on one thread.",
            figures.bench(bench, pd.DataFrame(content["rows"]), CONTENDERS),
        ),
        *shown[1:],
        Picture(
            "growth",
            "Seconds against depth, width, seeds and workers, every measurement, with the fitted power law and its "
            "exponent [95% interval]. Open markers: compiling, once a worker.",
            figures.growth(growth, found["growth_exponents"]),
        ),
        _told(found["forecast"], content),
    ]
    return Section(TITLE, _answer(judged_targets), blocks, found)


def targets(cores: int) -> list[Target]:
    """What the engine is to reach on a machine of so many cores."""
    return [
        Target(
            "all cores: speed over model.fit, validation in both", "engine_validation", "keras_fit", "≥", SPEED_OVER_FIT
        ),
        Target(
            "all cores: speed over model.fit, training alone",
            "engine_machine",
            "keras_fit_training",
            "≥",
            SPEED_OVER_FIT,
        ),
        Target("one thread: time over the matrix products'", FLOOR, "engine", "≤", TIME_OVER_PRODUCTS),
        Target("the same, every epoch logged as the first", FLOOR, "engine_first", "≤", TIME_OVER_PRODUCTS),
        Target("one thread: time over JAX's, both logging", "jax_norms", "engine", "≤", TIME_OVER_JAX),
        Target("one thread: time over JAX's, neither logging", "jax", "engine_bare", "≤", TIME_OVER_JAX),
        Target("one thread: time with all measures over none", "engine_bare", "engine", "≤", TIME_OF_MEASURES),
        Target("the same, every epoch as the first", "engine_bare", "engine_first", "≤", TIME_OF_MEASURES),
        Target("a worker on each core: speed over one worker", "engine_machine", "engine", "≥", WORKER_SHARE * cores),
        Target("the same of the matrix products alone", "products_machine", FLOOR, "≥", math.nan),
    ]


def judgement(content: dict[str, Any]) -> pd.DataFrame:
    """The comparisons with every target, and the most memory of a worker, over many programs."""
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
    """The table of contenders, in the order of CONTENDERS."""
    table = contenders(pd.DataFrame(content["rows"]), FLOOR, ARTICLE)
    places = [list(CONTENDERS).index(name) for name in table["contender"]]
    return table.iloc[np.argsort(places)].reset_index(drop=True)


def machine(document: dict[str, Any]) -> str:
    """What was measured, where and when, and who is missing."""
    content, made = document["content"], document["provenance"]
    peers = ", ".join(f"{name[5:]} {made[name]}" for name in made if name.startswith("peer_"))
    text = (
        f"Measured by `make bench` on {made['date']}, {fmt.escape_markdown(made['cpu'])}, {content['cores']} cores, "
        f"{made['system']}; TensorFlow {made['tensorflow']}, Keras {made['keras']}, NumPy {made['numpy']}"
        f"{', ' + peers if peers else ''}. The article's network and optimiser (784-100-100-100-10, ReLU, Adam 0.01, "
        "batch 100), 48,000 training images an epoch; contenders in turn, a run's first ten epochs each, one at "
        "a time but for model.fit's, every framework in processes of its own. An epoch is its 480 updates alone unless "
        "validation (12,000 images) is named; it is logged at a run's steps 0, 1, 2, 5, 10, 20, 50, ... and at "
        "its first, so that the first epoch has most. The engine leaves out the pixels that are blank in every image, "
        "which change nothing; all others multiply by them, the products alone too."
    )
    missing = [f"{CONTENDERS[row['contender']]} ({row['reason']})" for row in content["missing"]]
    return text + (f" Not measured: {fmt.escape_markdown('; '.join(missing))}." if missing else "")


def displays(document: dict[str, Any]) -> list[Display]:
    """The contenders, the targets and the exponents of growth, ready to read."""
    content = document["content"]
    growth = pd.DataFrame(content["growth"])
    return [
        Display("Images a second: median [lowest, highest].", _shown_contenders(contest(content)), "bench"),
        Display(
            "Ratios within each repeat: median [lowest, highest]. No program gains more from further cores than the "
            "machine lets it: the products alone, which share nothing, show how much that is.",
            _shown_targets(judgement(content)),
            "bench_targets",
        ),
        Display("Fitted exponents of time, 95% interval.", _shown_exponents(exponents(growth)), "growth_exponents"),
    ]


def _shown_contenders(bench: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Contender": CONTENDERS[row["contender"]],
            "Threads": f"{row['threads'] * row['processes']}",
            "Logged": row["measures"],
            "Images a second": _spread(row["images_per_second"], row["lowest"], row["highest"], 0),
            "Seconds an epoch": f"{row['seconds_per_epoch']:.3f}",
            "Time over the products'": _number(row["over_floor"]),
            "Speed over model.fit": _number(row["over_article"]),
        }
        for row in bench.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _shown_targets(found: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Comparison": row["comparison"],
            "Ratio": _spread(row["ratio"], row["lowest"], row["highest"], 2),
            "Target": f"{row['sense']} {row['target']:g}" if math.isfinite(row["target"]) else fmt.DASH,
            "": {True: "met", False: "missed", None: ""}[row["met"]],
        }
        for row in found.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _shown_exponents(fitted: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Time of": f"{'compiling' if row['measure'] == 'compile' else 'runs'} against {row['quantity']}",
            "Exponent": fmt.interval(row["exponent"], row["ci_low"], row["ci_high"]),
            "Values": str(row["n_values"]),
            "Measurements": str(row["n"]),
        }
        for row in fitted.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _spread(middle: float, low: float, high: float, digits: int) -> str:
    return f"{middle:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else fmt.DASH


def forecast(content: dict[str, Any], evidence: Evidence) -> pd.DataFrame:
    """Hours that RUNS runs of the article's network take on WORKERS workers, of one epoch and as `baseline` stopped.

    A worker's seconds: its share of the runs, each a run of one epoch and `epoch_seconds` for every further epoch, with
    every core busy as measured, and `compile_seconds` for each of its programs.
    """
    growth, rows = pd.DataFrame(content["growth"]), pd.DataFrame(content["rows"])
    shared = growth[growth["quantity"] == "workers"]
    shared = shared[shared["value"] == shared["value"].max()]
    first = float((shared["seconds"] * shared["value"] / shared["runs"]).median())
    more = rows[rows["contender"] == "engine_validation"]
    further = float((more["seconds"] / more["epochs"]).median())
    compiling = float(growth[(growth["measure"] == "compile") & (growth["quantity"] == "width")]["seconds"].median())
    runs = evidence.tables.get("runs", pd.DataFrame({"experiment": [], "epochs": []}))
    epochs = runs[runs["experiment"] == "baseline"]["epochs"].mean()
    cases = [("one epoch", 1.0)] + ([("the article's protocol", float(epochs))] if math.isfinite(epochs) else [])
    frame = pd.DataFrame(cases, columns=["case", "epochs"])
    frame = frame.assign(runs=RUNS, workers=WORKERS, first_seconds=first, epoch_seconds=further)
    frame["compile_seconds"] = compiling
    frame["run_seconds"] = first + (frame["epochs"] - 1) * further
    frame["hours"] = (math.ceil(RUNS / WORKERS) * frame["run_seconds"] + PROGRAMS * compiling) / 3600
    return frame


def _told(found: pd.DataFrame, content: dict[str, Any]) -> str:
    cases = "; ".join(
        f"{60 * row['hours']:.1f} minutes for runs of {row['case']} ({row['epochs']:.1f} epochs, "
        f"{row['run_seconds']:.2f} s a run)"
        for row in found.to_dict("records")
    )
    one = found.iloc[0]
    return (
        f"From these numbers, {RUNS:,} runs on {WORKERS} workers would take {cases}. A run's first epoch costs "
        f"{one['first_seconds']:.2f} s of a worker, its tests included, each further one {one['epoch_seconds']:.2f} s, "
        f"and each of {PROGRAMS} programs {one['compile_seconds']:.1f} s of compiling once a worker. It is assumed "
        f"that a worker is as fast as one of this machine's {content['cores']} cores with all of them busy, and that "
        "handing out runs, starting workers and waiting for the last one cost nothing."
    )


def _answer(found: pd.DataFrame) -> str:
    met = f"{found['met'].eq(True).sum()} of {found['target'].count()} targets of speed are met"
    first = found[found["comparison"] == targets(1)[0].text]
    if first.empty:
        return f"{met}."
    ratio, lowest, highest = first[["ratio", "lowest", "highest"]].iloc[0]
    spread = _spread(ratio, lowest, highest, 1)
    return f"With a process on each core the engine trains {spread} times the images a second of model.fit; {met}."
