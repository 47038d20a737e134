"""Turn records into DataFrames: one row per observation, with its run's main settings as columns (`run_keys`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.engine.program_kind import INITIAL_ERRORS
from study.records.selection import DEFAULTS, settings_of
from study.records.store import FAILED_STATUSES, Record
from study.settings import DISTORTIONS


def run_keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that every frame has on a run's main settings, as {column: value}.

    `settings` holds all settings of the run, as `selection.settings_of` returns them. Hyphens join the widths if there
    is one per layer. For an untrained network, precision is INITIAL_ERRORS. Some settings, as sigma_w, have no column.
    """
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
    """Return a text such as "batch normalisation, squared error" on the settings below that are not the defaults.

    They are normalisation, residual connections, output, loss, schedule, momentum, weight_decay, averaging,
    label_smoothing, DISTORTIONS and epsilon. Return "plain" if all of them are the defaults. Other settings do not
    count: depth, optimiser and learning rate, for example, have columns of their own in `run_keys`.
    """
    parts = [f"{settings['normalization']} normalisation"] if settings["normalization"] != "none" else []
    parts += {"none": [], "plain": ["residual"], "scaled": ["scaled residual"]}[settings["residual"]]
    parts += [f"{settings['output']} output"] if settings["output"] != "softmax" else []
    parts += ["squared error"] if settings["loss"] != "crossentropy" else []
    parts += [settings["schedule"]] if settings["schedule"] != "constant" else []
    named = ("momentum", "weight_decay", "averaging", "label_smoothing", *DISTORTIONS, "epsilon")
    parts += [f"{name} {settings[name]:g}" for name in named if settings[name] != DEFAULTS[name]]
    return ", ".join(parts) or "plain"


# {setting: its column}, for settings whose column has another name.
_COLUMN_NAMES = {
    "initialization": "init", "normalization": "normalisation", "optimizer": "optimiser", "epochs": "most_epochs",
    "noise": "amplitudes", "validation": "validation_images",
}  # fmt: skip
_SCORES = tuple(f"{part}_{score}" for part in ("validation", "test") for score in ("loss", "accuracy", "mae"))


def runs_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run of `records`: its id `run`, settings, number of `epochs`, status, scores and seconds.

    The scores are loss, accuracy (in [0, 1]) and mean absolute error (mae) on validation and test images. Columns like
    `test_accuracy` are of the last weights. Columns like `best_test_accuracy` are of the weights with the lowest
    validation loss, after `best_epoch`. All scores are NaN unless the run is done and trained its network.
    `diverged_step` is the step at which a run diverged, else NaN. `most_epochs` is the setting `epochs`.
    """
    rows = []
    for record in records:
        result, timings = record["result"], record["provenance"]["timings"]
        is_done = result["status"] == "done"
        last, best = ((result[which] if is_done else {}) for which in ("last", "best"))
        settings = settings_of(record)
        keys = run_keys(settings)
        spelled = {name: " ".join(map(str, of)) if isinstance(of, list) else of for name, of in settings.items()}
        row = {
            "run": record["id"],
            **keys,
            **{_COLUMN_NAMES.get(name, name): value for name, value in spelled.items()},
            **keys,  # again, because they spell some settings in their own way
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


def all_runs(by_experiment: Mapping[str, Iterable[Record]]) -> pd.DataFrame:
    """Return `runs_frame` of all records in `by_experiment`, {experiment: records}, each run once.

    The first column, `experiments`, holds the names of the experiments that use the run, joined by spaces.
    """
    records: dict[str, Record] = {}
    users: dict[str, list[str]] = {}
    for name, found in by_experiment.items():
        for record in found:
            records.setdefault(record["id"], record)
            users.setdefault(record["id"], []).append(name)
    runs = runs_frame(records.values())
    runs.insert(0, "experiments", [" ".join(names) for names in users.values()])
    return runs


def runs_used_by(runs: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of `runs`, the result of `all_runs`, that this experiment uses; leave out failed runs."""
    is_its = runs["experiments"].str.split().map(lambda names: experiment in names)
    return runs[is_its & ~runs["status"].isin(FAILED_STATUSES)]


def history_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and epoch (from 1), with the losses and accuracies of training and validation images.

    The columns of the history, such as training_loss, come before the columns of `run_keys`. `records` without
    a history are left out; at least one record must have a history.
    """
    found = [(record, record["result"]["history"]) for record in records if "history" in record["result"]]
    return _stacked(found).astype({"epoch": int})


def noise_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and amplitude of noise, for those `records` whose runs were evaluated under noise.

    The columns are `run` (the id), the columns of `run_keys`, amplitude, test_loss and test_accuracy (in [0, 1]) of the
    last weights. The noise is uniform in [-amplitude, amplitude] on test images in [0, 1]. The frame is empty if no run
    was evaluated under noise.
    """
    found = [(record, record["result"]["noise"]) for record in records if record["result"].get("noise")]
    return _stacked(found, with_run_id=True) if found else pd.DataFrame()


def measures_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return the logged measures of `records`: one row per run, measure, logged step and layer.

    The columns are layer (1 is nearest the input), step (updates done), epoch, measure (its name), value (NaN where
    undefined), and the columns of `run_keys`. Records without measures are left out; at least one must have them.
    """
    measured = [(record, record["result"].get("measures")) for record in records]
    return _stacked([(record, _measured_rows(found)) for record, found in measured if found is not None])


def _stacked(of_runs: Sequence[tuple[Record, Mapping[str, Any]]], with_run_id: bool = False) -> pd.DataFrame:
    """Return one frame with the rows of all runs, one run below the other; each row has the `run_keys` of its run.

    `of_runs`, which must not be empty, has a pair for each run: its record, and {column: values} with the same columns
    for all. None in a list becomes NaN. `with_run_id` adds the column `run`, the run's id. One frame of all runs takes
    a fifth of the time of a frame for each run.
    """
    runs = pd.DataFrame([{"run": record["id"], **run_keys(settings_of(record))} for record, _ in of_runs])
    columns = [found for _, found in of_runs]
    rows = {name: np.concatenate([_numbers(found[name]) for found in columns]) for name in columns[0]}
    of_row = np.repeat(np.arange(len(runs)), [len(next(iter(found.values()))) for found in columns])
    kept = runs if with_run_id else runs.drop(columns="run")
    return pd.DataFrame(rows).assign(**{key: kept[key].to_numpy()[of_row] for key in kept})


def _numbers(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else np.array(values, float)


def _measured_rows(measured: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns layer (1 is nearest the input), step, epoch, measure (a name) and value of one run.

    Each has the shape (rows,). `measured` is the part `measures` of the run's result. Its entries `step` and `epoch`
    are lists over the logged steps. Each measure is a list over these steps of lists over the layers. `value` is NaN
    where the measure is undefined.
    """
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
