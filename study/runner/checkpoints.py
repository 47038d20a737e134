"""Keep the checkpoint of a long run, so that a killed run can go on, and keep the trained networks of some runs."""

import contextlib
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.errors import FolderError
from study.records.files import prepare_folder, write_atomically
from study.settings import DISTORTIONS, Settings

CHECKPOINT_SECONDS = 120.0  # the least time between two checkpoints; writing one takes a second or two
SPENT = struct.Struct("<d")  # the first bytes of the file: the seconds that the run had taken when it was written


def train_resumably(train: Callable[..., dict[str, Any]], path: Path) -> dict[str, Any]:
    """Return the result of `train`, which goes on from the checkpoint in the file `path` and writes new ones there.

    `train` takes two arguments by name: `saved`, the checkpoint's bytes or None, and `keep`, a function that writes a
    Checkpoint. At most one checkpoint is written in CHECKPOINT_SECONDS. A damaged checkpoint is deleted, and the run
    begins again. On another machine of a cluster, the folder may not exist; then no checkpoint is written.

    The `seconds` in the result's `timings` include those that the run took before the checkpoint it goes on from.
    """
    started = latest = time.monotonic()
    content = path.read_bytes() if path.is_file() else b""
    saved = content[SPENT.size :] or None
    spent: float = 0.0 if saved is None else SPENT.unpack_from(content)[0]

    def keep(checkpoint: Any) -> None:
        nonlocal latest
        if time.monotonic() - latest < CHECKPOINT_SECONDS or not path.parent.is_dir():
            return
        with contextlib.suppress(FolderError):  # if the disk is full, writing the record will say so
            write_atomically(path, SPENT.pack(spent + time.monotonic() - started) + checkpoint.to_bytes())
        latest = time.monotonic()

    try:
        result = train(saved=saved, keep=keep)
    except ValueError as error:
        if type(error).__name__ != "CheckpointError":  # importing its class would load TensorFlow
            raise
        path.unlink(missing_ok=True)
        return train_resumably(train, path)
    result["timings"]["seconds"] += spent
    return result


def keeps_network(settings: Settings) -> bool:
    """Tell whether the network of a run is kept: images are distorted, and layers are plain with a softmax output."""
    is_plain = settings.normalization == settings.residual == "none" and settings.output == "softmax"
    return is_plain and any(getattr(settings, field) for field in DISTORTIONS)


def train_and_keep_network(
    train: Callable[..., dict[str, Any]], settings: Settings, path: Path, saved: bytes | None = None, keep: Any = None
) -> dict[str, Any]:
    """Return the result of `train`, and write the run's network to the file `path` after the last epoch of `settings`.

    A run that stops earlier or diverges keeps no network. `train`, `saved` and `keep` are as in `train_resumably`;
    `keep` gets the last checkpoint after the network is written. On another machine of a cluster, the results folder
    may not exist; then no network is written.
    """

    def keep_both(checkpoint: Any) -> None:
        if checkpoint.last.epoch == settings.epochs and path.parent.parent.is_dir():
            from study.networks import weights

            prepare_folder(path.parent)
            write_atomically(path, weights.to_bytes(weights.arrays_of(settings, checkpoint.last.state)))
        if keep is not None:
            keep(checkpoint)

    return train(saved=saved, keep=keep_both)
