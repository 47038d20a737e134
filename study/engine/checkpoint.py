"""Save how far a run has come, so that another process can go on from there with the same result to the byte."""

import io
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from study.engine.network import Scores, State
from study.engine.run_log import RunLog


class CheckpointError(ValueError):
    """Report that the bytes of a checkpoint cannot be read; the message says why."""


class Snapshot(NamedTuple):
    """Hold a run's state after `epoch` epochs, and its mean scores on the validation images (None before training)."""

    epoch: int
    state: State
    scores: Scores | None = None


@dataclass
class Checkpoint:
    """Hold what a run needs to go on after an epoch.

    `last` is the snapshot after that epoch, and `best` is the snapshot with the lowest validation loss so far. `log`
    holds the run's measures. `history` maps each name of training.HISTORY to a list with one entry per epoch.
    """

    last: Snapshot
    best: Snapshot
    log: RunLog
    history: dict[str, list[Any]]

    def to_bytes(self) -> bytes:
        """Return the checkpoint as the bytes of an npz file: JSON text as the first array, then the states' tensors."""
        kept = (self.last,) if self.best is self.last else (self.last, self.best)
        rows = [{name: values.tolist() for name, values in row.items()} for row in self.log.rows]
        logged = self.log.steps, self.log.epochs, rows
        about = [[(snapshot.epoch, snapshot.scores) for snapshot in kept], logged, self.history]
        arrays = [tensor.numpy() for snapshot in kept for tensor in tf.nest.flatten(snapshot.state)]
        buffer = io.BytesIO()
        np.savez(buffer, np.frombuffer(json.dumps(about).encode(), np.uint8), *arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, like: State) -> "Checkpoint":
        """Read what `to_bytes` wrote; `like` is a state of the same network. Raise CheckpointError if that fails."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                text, *arrays = (file[name] for name in file.files)  # in the order written; checked by CRC-32
            about, logged, history = json.loads(text.tobytes())
            size, tensors = len(tf.nest.flatten(like)), [tf.constant(array) for array in arrays]
            last, *others = (
                Snapshot(epoch, tf.nest.pack_sequence_as(like, tensors[place * size : (place + 1) * size]), scores)
                for place, (epoch, scores) in enumerate((epoch, scores and Scores(*scores)) for epoch, scores in about)
            )
        except Exception as error:
            raise CheckpointError(f"the checkpoint is damaged ({type(error).__name__}: {error})") from error
        log = RunLog()
        for step, time, row in zip(*logged, strict=True):
            log.add(step, time, {name: np.array(values) for name, values in row.items()})
        return cls(last, others[0] if others else last, log, history)
