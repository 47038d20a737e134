"""Read the four arrays of MNIST from any usual form of file. Nothing is unpickled, and nothing is unpacked to disk."""

import gzip
import io
import tarfile
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

ARRAY_NAMES = ("training images", "training labels", "test images", "test labels")
NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")  # the names of Keras
IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LARGEST = 64 * 2**20  # bytes that a file may have, before and after gzip unpacks it; MNIST unpacked has 55 MB
KINDS = {  # {the first bytes of a file: its format in words}
    b"\0\0\x08\x01": "a single idx file of labels",
    b"\0\0\x08\x03": "a single idx file of images",
    b"\x93NUMPY": "a single .npy array",
    b"\x80": "a Python pickle",
    b"\xfd7zXZ\0": "a file packed with xz",
    b"BZh": "a file packed with bzip2",
    b"<": "an HTML page",
}


def read(path: Path) -> list[Bytes]:
    """Return the arrays in `path`: images (n, 784), labels (n,), test images (m, 784), test labels (m,).

    They are read-only uint8. `path` is a file, which is recognised by its first bytes and not by its name, or a folder
    with the four idx files. Raise an exception, of any type, if `path` does not hold arrays in the format of MNIST.
    """
    if path.is_dir():
        arrays = _arrays_from_idx({file.name: partial(file.open, "rb") for file in path.iterdir() if file.is_file()})
    elif path.is_file():
        arrays = _arrays_from_bytes(_read_bounded(path.open("rb"), path.name))
    else:
        raise ValueError("it is not a file or folder, or does not exist")
    arrays = [_checked(array, name) for array, name in zip(arrays, ARRAY_NAMES, strict=True)]
    for images, labels in (arrays[:2], arrays[2:]):
        if len(images) != len(labels):
            raise ValueError(f"it has {len(labels):,} labels for {len(images):,} images")
    return arrays


def _arrays_from_bytes(raw: bytes) -> list[NDArray[Any]]:
    """Return the unchecked arrays, in the order of ARRAY_NAMES, of an .npz or of a tar archive with the four idx files.

    `raw` holds the file's bytes. Raise an exception if it is anything else, unsafe, too large, damaged or incomplete.
    """
    if raw.startswith(b"PK"):
        with warnings.catch_warnings(action="ignore"), np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            _refuse_outside_paths(archive.zip.namelist())
            if sum(member.file_size for member in archive.zip.infolist()) > 8 * LARGEST:  # int64 takes 8 bytes a pixel
                raise ValueError(f"it unpacks to more than the {8 * LARGEST / 1e6:.0f} MB allowed")
            return [archive[_first_present(archive, [name])] for name in NPZ_NAMES]
    try:
        tar = tarfile.open(fileobj=io.BytesIO(raw), mode="r:")  # noqa: SIM115 - gzip is unpacked; xz could be a bomb
    except tarfile.ReadError as error:
        wanted = "wanted is an .npz, the .tgz of npm, or a folder with four idx files"
        raise ValueError(f"it is {_format(raw)}; {wanted}") from error
    with tar:
        _refuse_outside_paths(tar.getnames())
        return _arrays_from_idx({Path(file.name).name: partial(tar.extractfile, file) for file in tar if file.isreg()})


def _arrays_from_idx(files: Mapping[str, Callable[[], Any]]) -> list[NDArray[Any]]:
    """Return the arrays of the four idx files among `files`, in the order of IDX_NAMES: (n, 28, 28) and (n,).

    `files` maps the name of a file to a function that opens it. A name may have a dot in place of the hyphen before
    "idx", and .gz at the end. Raise ValueError if a file is missing, too large or not an idx file of its kind.
    """
    arrays = []
    for idx in IDX_NAMES:
        name = _first_present(files, [form + end for form in (idx, idx.replace("-idx", ".idx")) for end in ("", ".gz")])
        raw, axes = _read_bounded(files[name](), name), 3 if "images" in idx else 1
        if raw[:4] != bytes([0, 0, 8, axes]):
            raise ValueError(f"its {name} is {_format(raw)}; wanted is an idx file of bytes with {axes} axes")
        shape = np.frombuffer(raw, ">u4", axes, 4).tolist()
        arrays.append(np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape))
    return arrays


def _checked(array: NDArray[Any], name: str) -> Bytes:
    """Return `array` as read-only uint8: images as (n, 784), labels as (n,); `name` is one of ARRAY_NAMES.

    Raise ValueError unless it holds whole numbers in the shape and the range of MNIST's.
    """
    is_images = "images" in name
    shapes, highest = ([(28, 28), (784,)], 255) if is_images else ([()], 9)
    if array.dtype.kind not in "iu" or array.size == 0 or array.shape[1:] not in shapes:
        wanted = " or ".join(str(("n", *shape)).replace("'", "") for shape in shapes)
        raise ValueError(f"its {name} are {array.dtype} {array.shape}; wanted are whole numbers {wanted}")
    if array.min() < 0 or array.max() > highest:
        raise ValueError(f"its {name} go from {array.min()} to {array.max()}; wanted are numbers from 0 to {highest}")
    result: Bytes = np.ascontiguousarray(array, np.uint8).reshape((-1, 784) if is_images else -1)
    result.setflags(write=False)
    return result


def _refuse_outside_paths(names: Collection[str]) -> None:
    """Raise ValueError if one of an archive's `names` points outside the folder where it would be unpacked."""
    for name in names:
        path = PureWindowsPath(name)  # understands slashes, backslashes and drives
        if path.anchor or ".." in path.parts:
            raise ValueError(f"its member {name[:80]!r} points outside the archive")


def _first_present(names: Collection[str], forms: list[str]) -> str:
    """Return the first of `forms` that is among `names`. Raise ValueError if none is."""
    for form in forms:
        if form in names:
            return form
    raise ValueError(f"it holds {sorted(names)[:5]}, but not {forms[0]}")


def _read_bounded(stream: Any, name: str) -> bytes:
    """Return all bytes of `stream`, unpacked if need be, and close it; raise ValueError if they exceed LARGEST."""
    with stream:
        raw: bytes = stream.read(LARGEST + 1)
    if raw.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(raw)) as packed:
            raw = packed.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"its {name} has more than the {LARGEST / 1e6:.0f} MB allowed")
    return raw


def _format(raw: bytes) -> str:
    """Return in plain words the format of a file with the bytes `raw`."""
    unknown = f"a file of {len(raw):,} bytes in no known format" if raw else "an empty file"
    return next((kind for start, kind in KINDS.items() if raw.lstrip(b" \t\r\n").startswith(start)), unknown)
