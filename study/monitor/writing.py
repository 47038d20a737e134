"""Write the logged rows while training goes on, to a CSV file and to TensorBoard's event files."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow as tf

from study.monitor.measures import MEASURES

Row = dict[str, Any]
# The metadata that tf.summary.scalar writes. That function needs the package tensorboard; tf.summary.write does not.
SCALAR_METADATA = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
)


class CsvFile:
    """Write rows to the CSV file `path`; make its folder if it is missing, and overwrite an older file.

    `columns` are the header, and the keys of a row that are written.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write([], mode="w")

    def write(self, rows: Sequence[Row], mode: str = "a") -> None:
        """Append the `rows`, {column of `GradientLogger.to_frame`: value}; NaN becomes an empty cell.

        If `mode` is "w", write the header and the rows to a new file instead.
        """
        frame = pd.DataFrame(rows, columns=list(self.columns))
        with self.path.open(mode, newline="", encoding="utf-8") as file:
            frame.to_csv(file, header=mode == "w", index=False, lineterminator="\r\n")


class Events:
    """Write MEASURES to TensorBoard's event files in the folder `log_dir`, over the optimiser's steps.

    A scalar is named "layer/measure", or "layer, call 2/measure" for a layer's second call.
    """

    def __init__(self, log_dir: str) -> None:
        self._writer = tf.summary.create_file_writer(log_dir)

    def write(self, rows: Sequence[Row]) -> None:
        """Write the `rows`, {column of `GradientLogger.to_frame`: value}, without measures that are NaN, and flush."""
        with self._writer.as_default(), tf.summary.record_if(True):
            for row in rows:
                layer = row["layer"] if row["call"] == 1 else f"{row['layer']}, call {row['call']}"
                for name in MEASURES:
                    if not math.isnan(value := row[name]):
                        tf.summary.write(f"{layer}/{name}", value, step=row["step"], metadata=SCALAR_METADATA)
        self._writer.flush()
