"""Write each file whole or not at all, and lock a folder so that two commands never write to it at once."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from study.errors import FolderError, FolderHeld


@contextlib.contextmanager
def os_errors_explained(what: str, advice: str = "") -> Iterator[None]:
    """Turn an OSError in the block into a FolderError, as in "cannot write a/b: No space left on device" + `advice`."""
    try:
        yield
    except OSError as error:
        raise FolderError(f"cannot {what}: {error.strerror or error}{advice}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, at any moment; raise FolderError if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os_errors_explained(f"write {path}"):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def prepare_folder(folder: Path) -> None:
    """Create `folder` and its parents, and test that a file can be written there; raise FolderError if not."""
    with os_errors_explained(f"create the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    write_atomically(probe, b"")
    probe.unlink(missing_ok=True)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create `folder`, and lock it for this process in the block; delete temporary files that a killed process left.

    Raise FolderHeld if another process has the lock. Raise FolderError if the folder cannot be written to, or if the
    file system has no locks that end with their process.
    """
    prepare_folder(folder)
    note = folder / ".holder.json"
    lock = filelock.FileLock(folder / ".lock", timeout=0, fallback_to_soft=False)
    advice = "; keep the results in a folder of a local disk, as in RESULTS=folder"
    with os_errors_explained(f"lock {lock.lock_file}", advice):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise FolderHeld(f"{folder} is locked by another command: {_holder_text(note)}; wait or stop it") from error
    try:
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_atomically(note, json.dumps(about).encode())
        for stale in folder.glob(".*.tmp"):
            stale.unlink(missing_ok=True)
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder_text(note: Path) -> str:
    """Return which process has locked the folder, and since when, as `lock_folder` wrote it in the file `note`."""
    try:
        about = json.loads(note.read_text())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said who it is"
