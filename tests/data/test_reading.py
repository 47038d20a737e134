"""Every usual form of MNIST is read alike; every other file is refused in plain words, and does nothing."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fake_runs import with_flipped_bit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mnist_files import FORMS, Arrays, idx, npz, tgz, tiny, write

from study.data import reading
from study.data.mnist import load
from study.data.reading import IDX_NAMES, NPZ_NAMES
from study.errors import DataError

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(tmp_path: Path, published: Arrays, form: str) -> None:
    """The arrays read equal the arrays written, pixel by pixel. They pass as MNIST and cannot be changed."""
    found = load(write(tmp_path, form, published))
    arrays = [found.training_images, found.training_labels, found.test_images, found.test_labels]
    for array, expected in zip(arrays, published, strict=True):
        assert array.dtype == np.uint8
        assert array.shape == (expected.shape if expected.ndim == 1 else (len(expected), 784))
        assert np.array_equal(array.ravel(), expected.ravel())
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    again = pickle.loads(pickle.dumps(found))
    assert (again.checksum, again.source) == (found.checksum, found.source)
    assert str(tmp_path) not in found.source


@pytest.mark.parametrize("form", ["npz", "tgz"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@in_one_folder
def test_one_flipped_bit_is_noticed(tmp_path: Path, published: Arrays, form: str, place: float, bit: int) -> None:
    """A file with one flipped bit is refused, or the arrays read are exactly the original."""
    raw = npz(published) if form == "npz" else tgz(published)
    (tmp_path / "flipped").write_bytes(with_flipped_bit(raw, 8 * int(place * len(raw)) + bit))
    try:
        found = load(tmp_path / "flipped")
    except DataError:
        return
    assert np.array_equal(found.training_images.ravel(), published[0].ravel())
    assert np.array_equal(found.test_labels, published[3])


@given(start=st.sampled_from([b"", b"PK\3\4", b"\x1f\x8b\x08", b"\0\0\x08\3", b"\x93NUMPY"]), rest=st.binary())
@in_one_folder
def test_any_bytes_give_the_one_error(tmp_path: Path, start: bytes, rest: bytes) -> None:
    """Any bytes, also after the first bytes of a known format, give a DataError of printable characters."""
    (tmp_path / "any").write_bytes(start + rest)
    with pytest.raises(DataError) as refusal:
        load(tmp_path / "any", any_data=True)
    assert str(refusal.value).isprintable()


class Bomb:
    """Leave a file in the current folder when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, ("executed", "w")


def claim(*shape: int) -> bytes:
    """Return an .npz whose arrays have a header that states `shape`, and no values."""
    header, stream = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(stream, "w") as archive:
        for name in NPZ_NAMES:
            archive.writestr(f"{name}.npy", header.getvalue())
    return stream.getvalue()


A, B, C, D = tiny()
BOMB = np.zeros(8_000_000, np.uint8)
LIE = (8_000_128).to_bytes(4, "little"), (100).to_bytes(4, "little")  # the size of BOMB.npy, and another
SHORT = gzip.decompress(tgz(tiny())).replace(b"\x01\0\0\0\6", b"\x01\0\0\0\7")
LINK = tarfile.TarInfo(IDX_NAMES[3])
LINK.type, LINK.linkname = tarfile.SYMTYPE, "/etc/hosts"
BAD_FILES: dict[str, tuple[bytes, str]] = {  # the bytes, and a part of the reason
    "empty": (b"", "an empty file"),
    "an HTML page": (b"\n<!doctype html>", "an HTML page; wanted is an .npz"),
    "unknown": (b"abc", "3 bytes in no known format; wanted is"),
    "a single idx file": (idx(B), "a single idx file of labels; wanted is .* a folder with four idx files"),
    "a single packed idx file": (gzip.compress(idx(A)), "a single idx file of images; wanted"),
    "cut in half": (npz(tiny())[:5000], "not a zip file"),
    "a pickle": (pickle.dumps(Bomb()), "a Python pickle; wanted"),
    "a pickle in the npz": (npz([A, B, C, D], y_test=np.array([Bomb()] * 4)), "allow_pickle=False"),
    "wide images": (npz([A[:, :27], B, C, D]), r"images are uint8 \(6, 27, 28\); wanted .*\(n, 784\)"),
    "no axes": (npz([A, B, C, D], x_train=np.uint8(3)), r"uint8 \(\); wanted"),
    "no images": (npz([A[:0], B[:0], C, D]), r"\(0, 28, 28\)"),
    "a missing label": (npz([A, B[1:], C, D]), "5 labels for 6 images"),
    "labels in columns": (npz([A, np.eye(10, dtype=int)[B], C, D]), r"labels are int64 \(6, 10\); wanted .*\(n,\)"),
    "a label 10": (npz([A, B, C, np.array([1, 10, 2, 3])]), "from 1 to 10; wanted are numbers from 0 to 9"),
    "a label -1": (npz([A, B, C, np.array([1, -1, 2, 3])]), "from -1 to 3"),
    "images of floats": (npz([A, B, C, D], x_train=A / 255), "float64 .*whole numbers"),
    "a missing array": (npz([A, B, C, D]).replace(b"y_test", b"z_test"), "z_test.*but not y_test"),
    "a missing member": (tgz([A, B, C]), f"but not {IDX_NAMES[3]}"),
    "labels for images": (tgz([B, B, C, D]), "a single idx file of labels; wanted is an idx file of bytes with 3 axes"),
    "a short idx file": (SHORT, r"size 6 into shape \(7,\)"),
    "a way out": (tgz([A, B, C, D], tarfile.TarInfo("../../executed")), "points outside"),
    "a way out by root": (tgz([A, B, C, D], tarfile.TarInfo("/executed")), "points outside"),
    "a way out by link": (tgz([A, B, C], LINK), f"but not {IDX_NAMES[3]}"),
    "a way out of the npz": (npz([A, B, C, D], **{"../executed": B}), "points outside"),
    "a way out on Windows": (npz([A, B, C, D], **{"..\\executed": B}), "points outside"),
    "a name for the terminal": (tgz([A, B, C, D], tarfile.TarInfo("../\x1b[2J\r\nAll is well")), "points outside"),
    "a gzip bomb": (gzip.compress(BOMB.tobytes(), 1), "has more than the 0 MB allowed"),
    "a zip bomb": (npz([A, B, C, D], x_train=BOMB), "unpacks to more than the 1 MB allowed"),
    "a zip bomb that lies": (npz([A, B, C, D], x_train=BOMB).replace(*LIE), "."),
    "a claim of 784 TB": (claim(10**12, 28, 28), "Unable to allocate|EOF"),
    "packed with xz": (lzma.compress(gzip.decompress(tgz(tiny()))), "packed with xz; wanted is an .npz, the .tgz"),
    "packed with bzip2": (bz2.compress(gzip.decompress(tgz(tiny()))), "packed with bzip2; wanted is an .npz"),
    "a large file": (BOMB.tobytes(), "has more than"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_and_does_nothing(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the path, what was found and what is wanted. Nothing is run or written."""
    raw, reason = BAD_FILES[case]
    monkeypatch.setattr(reading, "LARGEST", 2**17)  # bytes; the bombs unpack to 8 MB
    file = tmp_path / "deep" / "down" / "mnist.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(raw)
    monkeypatch.chdir(file.parent)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=reason) as refusal:
            load(file, any_data=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(file) in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [file]
    assert peak < 3 * 2**20 or "claim" in case  # numpy reserves the memory of a claim, but does not use it


def test_a_bad_file_in_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the idx file that is missing or is a bomb."""
    monkeypatch.setattr(reading, "LARGEST", 2**20)
    file = write(tmp_path, "idx", tiny()) / IDX_NAMES[0]
    file.write_bytes(gzip.compress(bytes(8_000_000), 1))
    with pytest.raises(DataError, match=f"{file.name} has more than"):
        load(file.parent)
    file.unlink()
    with pytest.raises(DataError, match=f"{IDX_NAMES[2]}.*but not {file.name}"):
        load(file.parent)


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a home that does not exist, a name too long and a device are refused, and never opened."""
    for path in (tmp_path / "nothing", "~no-such-user/mnist.npz", tmp_path / ("x" * 5000), os.devnull):
        with pytest.raises(DataError, match="is refused"):
            load(path)
