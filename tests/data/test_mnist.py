"""MNIST is found in the stated order, and is what it claims to be."""

import functools
import os
from pathlib import Path

import numpy as np
import pytest
from mnist_files import Arrays, npz, tgz, tiny, write

from study.data import mnist
from study.data.mnist import load
from study.errors import DataError
from tests.data.test_sources import deliver, files_in, publisher


def test_the_real_data_are_recognised_in_another_file(tmp_path: Path) -> None:
    """MNIST has the checksum in every record, and as many images of each digit as the literature says.

    The arrays written anew are MNIST again. MNIST=path names the data where there is no network.
    """
    real = load(os.environ.get("MNIST") or None)
    assert real.checksum == "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
    assert (real.training_images.shape, real.test_images.shape) == ((60_000, 784), (10_000, 784))
    assert (real.training_images.min(), real.training_images.max()) == (0, 255)
    training = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(real.training_labels).tolist() == training
    assert np.bincount(real.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    own = tmp_path / "own.npz"
    images, tests = real.training_images.reshape(-1, 28, 28), real.test_images.reshape(-1, 28, 28)
    np.savez(own, x_train=images, y_train=real.training_labels, x_test=tests, y_test=real.test_labels)
    assert load(own).checksum == real.checksum
    own.unlink()  # 55 MB, which pytest would keep


def test_the_checksum_sees_every_array_and_their_shapes(tmp_path: Path) -> None:
    """One changed pixel or label, or an example moved from test to training, gives another checksum."""
    base = tiny()
    variants = [base, [np.concatenate([base[i], base[i + 2][:1]]) for i in (0, 1)] + [base[i][1:] for i in (2, 3)]]
    for which in range(4):
        changed = [array.copy() for array in base]
        changed[which].flat[0] = (int(changed[which].flat[0]) + 1) % 10
        variants.append(changed)
    checksums = set()
    for number, arrays in enumerate(variants):
        (tmp_path / str(number)).write_bytes(npz(arrays))
        checksums.add(load(tmp_path / str(number), any_data=True).checksum)
    assert len(checksums) == len(variants)


def test_other_data_are_taken_only_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data in the right format that are not MNIST are refused. any_data=True accepts a given file, not a cached one.

    A refused file in the cache is not replaced by a download: the message says to delete it.
    """
    file = tmp_path / "mnist.npz"
    file.write_bytes(npz(tiny()))
    monkeypatch.setattr(mnist, "SOURCES", [publisher(file.name, b"", lambda *_: pytest.fail("a source was asked"))])
    with pytest.raises(DataError, match=r"mnist\.npz is refused: it is not MNIST"):
        load(file)
    with pytest.raises(DataError, match=r"not MNIST.*\nDelete this cached copy"):
        load(any_data=True, cache=tmp_path)
    assert load(file, any_data=True).training_images.shape == (6, 784)


def test_the_order_is_path_cache_sources(tmp_path: Path, published: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked only if those before it have nothing. A downloaded file is not downloaded again."""
    asked: list[str] = []

    def answer(url: str, output_file: str, _: object) -> None:
        asked.append(url)
        Path(output_file).write_bytes(b"half" if url == "first" else tgz(published))
        if url == "first":
            raise OSError(28, "No space left on device")

    cache = tmp_path / "cache"
    sources = [publisher(f"{url}.tgz", tgz(published), answer, url) for url in ("first", "second", "third")]
    monkeypatch.setattr(mnist, "SOURCES", sources)
    assert load(write(tmp_path, "npz", published), cache=cache).source == "the given npz"
    assert asked == []
    assert load(cache=cache).source == "second"
    assert load(cache=cache).source == "the cache, second.tgz"
    assert asked == ["first", "second"]
    assert files_in(cache) == {"second.tgz": tgz(published)}


def test_the_cache_is_the_users_own(tmp_path: Path, published: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME is used if set, else ~/.cache. A given path may start with ~."""
    raw = npz(published)
    monkeypatch.setattr(mnist, "SOURCES", [publisher("mnist.npz", raw, functools.partial(deliver, raw))])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load()
    assert list(tmp_path.rglob("*.npz")) == [tmp_path / "xdg" / "activation-study" / "mnist.npz"]
    monkeypatch.delenv("XDG_CACHE_HOME")
    load()
    assert (tmp_path / "home" / ".cache" / "activation-study" / "mnist.npz").exists()
    assert load("~/.cache/activation-study/mnist.npz").source == "the given mnist.npz"


@pytest.mark.skipif(os.name != "posix", reason="HOME names the home folder on POSIX systems")
@pytest.mark.parametrize("home", ["a file", "unknown"])
def test_an_unusable_home_is_named(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder that cannot be written, or that the system does not know, is a DataError that says what to set."""
    (tmp_path / "a file").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "a file"))
    if home == "unknown":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", lambda _: {}[0])
    with pytest.raises(DataError, match=r"cache folder cannot be used: .*(a file/|home directory).*Set HOME or XDG_"):
        load()
    assert files_in(tmp_path) == {"a file": b"mine"}
