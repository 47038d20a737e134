"""Turn records into DataFrames: one row per observation, with columns that identify its run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.engine.program_kind import INITIAL_ERRORS
from study.records.selection import asked
from study.records.store import FAILED, Record
from study.settings import DISTORTIONS


def keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that every frame has, to identify a run by all its `settings`, as {column: value}."""
    width = settings["width"]
    return {
        "activation": settings["activation"],
        "depth": settings["depth"],
        "width": "-".join(map(str, width)) if isinstance(width, list) else width,
        "init": settings["initialization"],
        "variant": variant(settings),
        "optimiser": settings["optimizer"],
        "learning_rate": settings["learning_rate"],
        "batch": settings["batch"],
        "dropout": settings["dropout"],
        "seed": settings["seed"],
        "precision": INITIAL_ERRORS if settings["epochs"] == 0 else settings["precision"],
    }


def variant(settings: Mapping[str, Any]) -> str:
    """Describe how the network differs from the plain one, for people; "plain" if it does not."""
    parts = [f"{settings['normalization']} normalisation"] if settings["normalization"] != "none" else []
    parts += {"none": [], "plain": ["residual"], "scaled": ["scaled residual"]}[settings["residual"]]
    parts += [f"{settings['output']} output"] if settings["output"] != "softmax" else []
    parts += ["squared error"] if settings["loss"] != "crossentropy" else []
    parts += [settings["schedule"]] if settings["schedule"] != "constant" else []
    defaults = dict.fromkeys(("momentum", "weight_decay", "averaging", "label_smoothing", *DISTORTIONS), 0.0)
    defaults |= {"epsilon": 1e-7}
    parts += [f"{name} {settings[name]:g}" for name, usual in defaults.items() if settings[name] != usual]
    return ", ".join(parts) or "plain"


# Settings whose column has another name; `keys` holds `precision`.
_SPELLED = {"initialization": "init", "normalization": "normalisation", "optimizer": "optimiser"}
_SPELLED |= {"epochs": "most_epochs", "noise": "amplitudes", "validation": "validation_images"}


def _settings(record: Record) -> dict[str, Any]:
    """Return the columns of all settings of a run; the numbers of a list are joined by spaces."""
    found = {_SPELLED.get(name, name): value for name, value in asked(record).items()}
    spelled = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in found.items()}
    return {**spelled, **keys(asked(record))}


def runs_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run: its settings, status, seconds and scores (NaN unless it is done)."""
    rows = []
    for record in records:
        result, timings = record["result"], record["provenance"]["timings"]
        is_done = result["status"] == "done"
        last, best = ((result[which] if is_done else {}) for which in ("last", "best"))
        row = {
            "run": record["id"],
            **keys(asked(record)),
            **_settings(record),
            "epochs": result.get("epochs"),
            "status": result["status"],
            **{name: last.get(name) for name in _SCORES},
            "best_epoch": best.get("epoch"),
            **{f"best_{name}": best.get(name) for name in _SCORES},
            "diverged_step": result.get("diverged_step"),
            "seconds": timings.get("seconds"),
            "compile_seconds": timings.get("compile_seconds"),
        }
        rows.append(row)
    frame = pd.DataFrame(rows)
    ends = ("_loss", "_accuracy", "_mae", "_step", "seconds", "_epoch")
    numeric = [column for column in frame if column.endswith(ends) or column == "epochs"]
    return frame.astype(dict.fromkeys(numeric, float))


_SCORES = tuple(f"{part}_{score}" for part in ("validation", "test") for score in ("loss", "accuracy", "mae"))


def all_runs(by_experiment: Mapping[str, Iterable[Record]]) -> pd.DataFrame:
    """Return `runs_frame` of the records of all experiments, each run once.

    The column `experiments` holds the names of those that use the run, joined by spaces.
    """
    records: dict[str, Record] = {}
    users: dict[str, list[str]] = {}
    for name, found in by_experiment.items():
        for record in found:
            records.setdefault(record["id"], record)
            users.setdefault(record["id"], []).append(name)
    runs = runs_frame(records.values())
    return runs.assign(experiments=[" ".join(names) for names in users.values()])[["experiments", *runs.columns]]


def used_by(runs: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of `all_runs` whose measurements this experiment uses."""
    is_its = runs["experiments"].str.split().map(lambda names: experiment in names)
    return runs[is_its & ~runs["status"].isin(FAILED)]


def history_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and epoch: training and validation loss and accuracy."""
    found = [(record, record["result"]["history"]) for record in records if "history" in record["result"]]
    return _stacked(found).astype({"epoch": int})


def noise_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and amplitude of input noise: test_loss and test_accuracy of the last weights."""
    found = [(record, record["result"]["noise"]) for record in records if record["result"].get("noise")]
    return _stacked(found, has_run=True) if found else pd.DataFrame()


def measures_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, logged step, layer (1 = nearest the input) and measure; value is NaN where undefined."""
    measured = [(record, record["result"].get("measures")) for record in records]
    return _stacked([(record, _measured_rows(found)) for record, found in measured if found is not None])


def _stacked(of_runs: Sequence[tuple[Record, Mapping[str, Any]]], has_run: bool = False) -> pd.DataFrame:
    """Stack the columns of all runs, each with its record, and add the keys of its run to every row.

    Lists become numbers, null NaN. One frame of all runs takes a fifth of the time of a frame for each run.
    """
    runs = pd.DataFrame([({"run": record["id"]} if has_run else {}) | keys(asked(record)) for record, _ in of_runs])
    columns = [{name: _numbers(values) for name, values in found.items()} for _, found in of_runs]
    rows = {name: np.concatenate([found[name] for found in columns]) for name in columns[0]}
    of_row = np.repeat(np.arange(len(runs)), [len(next(iter(found.values()))) for found in columns])
    return pd.DataFrame(rows).assign(**{key: runs[key].to_numpy()[of_row] for key in runs})


def _numbers(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else np.array(values, float)


def _measured_rows(measured: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns of a run's measures."""
    names = [name for name in measured if name not in ("step", "epoch")]
    values = np.array([measured[name] for name in names], float)  # (measures, steps, layers); null becomes NaN
    measure, step, layer = np.indices(values.shape).reshape(3, -1)
    return {
        "layer": layer + 1,
        "step": np.array(measured["step"])[step],
        "epoch": np.array(measured["epoch"])[step],
        "measure": np.array(names, object)[measure],
        "value": values.ravel(),
    }
