"""Write the logged rows while training goes on, to a CSV file and to TensorBoard's event files."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

Row = dict[str, Any]
# The metadata that tf.summary.scalar writes. That function needs the package tensorboard; tf.summary.write does not.
SCALAR_METADATA = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
)


class CsvFile:
    """Write rows to the CSV file `path`; overwrite an older file, and close the file after each row.

    `columns` are the header, and the keys of a row to write. The folder of `path` is made if it is missing.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write_row(list(columns), "w")

    def write(self, rows: Sequence[Row]) -> None:
        """Append the `rows`, dicts as `GradientLogger.to_frame` has them; NaN becomes an empty cell."""
        for row in rows:
            self._write_row(["" if _is_missing(row[name]) else row[name] for name in self.columns], "a")

    def _write_row(self, cells: list[Any], mode: str) -> None:
        with self.path.open(mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(cells)


class Events:
    """Write measures to TensorBoard's event files in the folder `log_dir`, over the optimiser's steps.

    `measures` are the keys of a row to write. A scalar is named "layer/measure", or "layer, call 2/measure" for a
    layer's second call.
    """

    def __init__(self, log_dir: str, measures: Sequence[str]) -> None:
        self.measures = measures
        self._writer = tf.summary.create_file_writer(log_dir)

    def write(self, rows: Sequence[Row]) -> None:
        """Write the `rows`, dicts as `GradientLogger.to_frame` has them, without measures that are NaN, and flush."""
        with self._writer.as_default(), tf.summary.record_if(True):
            for row in rows:
                layer = row["layer"] if row["call"] == 1 else f"{row['layer']}, call {row['call']}"
                for name in self.measures:
                    if not _is_missing(row[name]):
                        tf.summary.write(
                            f"{layer}/{name}", float(row[name]), step=row["step"], metadata=SCALAR_METADATA
                        )
        self._writer.flush()


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
