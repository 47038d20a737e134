"""Build small files in all formats that the study reads MNIST from: six training and four test images by default.

An argument `arrays` holds the four arrays that `tiny` returns, or variants of them.
"""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.data.reading import IDX_NAMES, NPZ_NAMES

Arrays = list[NDArray[np.uint8]]
CHANGES = {  # {form: how it changes each array of an .npz file}
    "npz": lambda array: array,
    "npz, flat": lambda array: array.reshape(len(array), -1).squeeze(),
    "npz, by columns": np.asfortranarray,
    "npz, int64": lambda array: array.astype(np.int64),
}
FORMS = [*CHANGES, "tgz", "tar", "idx", "idx, packed", "idx, dots", "idx, gzip"]


def tiny(seed: int = 0, training: int = 6, test: int = 4) -> Arrays:
    """Draw noise: `training` images (n, 28, 28) and labels (n,), and `test` images and labels, in uint8."""
    rng = np.random.default_rng(seed)
    shapes = [((count, *size), below) for count in (training, test) for size, below in (((28, 28), 256), ((), 10))]
    return [rng.integers(0, below, shape, dtype=np.uint8) for shape, below in shapes]


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return `array` (uint8) in the IDX format of LeCun's MNIST files: type, number of axes, shape, then the bytes."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def npz(arrays: Arrays, **replaced: object) -> bytes:
    """Return an .npz file with `arrays` under Keras' names, such as x_train; `replaced` overwrites entries."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**dict(zip(NPZ_NAMES, arrays, strict=True)), **replaced})  # type: ignore[arg-type]
    return stream.getvalue()


def tgz(arrays: Arrays, *extra: tarfile.TarInfo) -> bytes:
    """Return the bytes of a .tgz package as npm has it, with `arrays` in IDX format, then `extra`, empty members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, array in zip(IDX_NAMES, arrays, strict=False):  # fewer arrays, fewer members
            info = tarfile.TarInfo(f"package/data/{name}")
            info.size = len(idx(array))
            archive.addfile(info, io.BytesIO(idx(array)))
        for info in extra:
            archive.addfile(info)
    return gzip.compress(stream.getvalue(), 1, mtime=0)


def write(folder: Path, form: str, arrays: Arrays) -> Path:
    """Write `arrays` in `form`, one of FORMS, to a file or folder of that name in `folder`, and return its path."""
    path = folder / form
    if not form.startswith("idx"):
        raw = npz([CHANGES[form](array) for array in arrays]) if form in CHANGES else tgz(arrays)
        path.write_bytes(gzip.decompress(raw) if form == "tar" else raw)
        return path
    path.mkdir()
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        name = name.replace("-idx", ".idx") if form == "idx, dots" else name
        is_gzip = form in ("idx, packed", "idx, gzip")
        file = path / (f"{name}.gz" if form == "idx, packed" else name)
        file.write_bytes(gzip.compress(idx(array), 1) if is_gzip else idx(array))
    return path
