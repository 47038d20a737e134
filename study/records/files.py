"""Write files all or nothing, and lock a folder so that two commands never write to it at once."""

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
def doing(what: str, advice: str = "") -> Iterator[None]:
    """Turn an error of the system in the block into a FolderError: that one cannot do `what`, why, and the `advice`."""
    try:
        yield
    except OSError as error:
        raise FolderError(f"cannot {what}: {error.strerror or error}{advice}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside `path`, sync and rename it: `path` has the old content or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with doing(f"write {path}"):
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
    """Create the folder and prove that a file can be written there, before any work is done."""
    with doing(f"create the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    write_atomically(probe, b"")
    probe.unlink(missing_ok=True)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Create the folder and hold it for this process; the system releases it when the process ends, however it ends.

    A file system without locks is refused: a lock that only is a file would outlast a process that is killed.
    """
    prepare_folder(folder)
    note = folder / ".holder.json"
    lock = filelock.FileLock(folder / ".lock", timeout=0, fallback_to_soft=False)
    with doing(f"lock {lock.lock_file}", "; keep the results in a folder of a local disk, as in RESULTS=folder"):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise FolderHeld(f"another run holds {folder}: {_holder(note)}; wait for it or stop it") from error
    try:
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_atomically(note, json.dumps(about).encode())
        for stale in folder.glob(".*.tmp"):
            stale.unlink(missing_ok=True)
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder(note: Path) -> str:
    """Return what the lock file `note` says of the process that holds the folder."""
    try:
        about = json.loads(note.read_text())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said who it is"
