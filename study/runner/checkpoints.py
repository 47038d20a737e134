"""Keep a long run's checkpoint beside its record, so that a killed run goes on, and the network that it leaves."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.errors import FolderError
from study.records.files import prepare_folder, write_atomically
from study.settings import DISTORTIONS, Settings

SECONDS = 120.0  # between two checkpoints; writing one takes a second or two


def train_resumably(train: Callable[..., dict[str, Any]], path: Path) -> dict[str, Any]:
    """Return the result of `train`, which goes on from the checkpoint in the file `path` and keeps new ones there.

    `train` takes `saved`, the checkpoint's bytes or None, and `keep`, which writes a Checkpoint at most every SECONDS.
    A damaged checkpoint is deleted, and the run begins again. On another machine the folder may not exist: then
    nothing is kept.
    """
    latest = time.monotonic()

    def keep(checkpoint: Any) -> None:
        nonlocal latest
        if time.monotonic() - latest < SECONDS or not path.parent.is_dir():
            return
        with contextlib.suppress(FolderError):  # if the disk is full, writing the record will say so
            write_atomically(path, checkpoint.to_bytes())
        latest = time.monotonic()

    saved = path.read_bytes() if path.is_file() else None
    try:
        return train(saved=saved, keep=keep)
    except ValueError as error:
        if type(error).__name__ != "CheckpointError":  # of the engine, which this module must not import
            raise
        path.unlink(missing_ok=True)
        return train(saved=None, keep=keep)


def keeps_network(settings: Settings) -> bool:
    """Tell whether a run's network is kept for later use: plain layers, trained on distorted images."""
    is_plain = settings.normalization == settings.residual == "none" and settings.output == "softmax"
    return is_plain and any(getattr(settings, field) for field in DISTORTIONS)


def train_and_keep_network(
    train: Callable[..., dict[str, Any]],
    settings: Settings,
    path: Path,
    *,
    saved: bytes | None = None,
    keep: Any = None,
) -> dict[str, Any]:
    """Return the result of `train`, and write the run's network to the file `path` after its last epoch.

    `train`, `saved` and `keep` are as in `train_resumably`. The network is written before that epoch's checkpoint, and
    only if the run reaches the epochs of its `settings`. On another machine the results folder may not exist: then no
    network is kept.
    """

    def keep_both(checkpoint: Any) -> None:
        if checkpoint.last.epoch == settings.epochs and path.parent.parent.is_dir():
            from study.networks import weights

            prepare_folder(path.parent)
            write_atomically(path, weights.to_bytes(weights.arrays_of(settings, checkpoint.last.state)))
        if keep is not None:
            keep(checkpoint)

    return train(saved=saved, keep=keep_both)
