"""A disk that is full, or whose process is killed, from any step on."""

import errno
import math
import os
import shutil
from pathlib import Path


class Killed(BaseException):
    """What stands in for SIGKILL inside a test: nothing catches it, and nothing reaches the disk any more."""


class Disk:
    """Counts what would change the disk through pathlib, os.fsync and shutil.rmtree, and stops it when it is time.

    At the `last`-th time half of a write is done, and from then on nothing. The disk is full (OSError, though files
    can be removed), or, if `is_kill`, it is as if the process had been killed there.
    """

    def __init__(self, monkeypatch, last: float = math.inf, is_kill: bool = False) -> None:
        self.last, self.is_kill, self.count = last, is_kill, 0
        removing = [(Path, "unlink"), (Path, "rmdir"), (shutil, "rmtree")] if is_kill else []
        for owner, name in [(Path, "mkdir"), (Path, "replace"), (os, "fsync"), *removing]:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))
        monkeypatch.setattr(Path, "open", self._open(Path.open))

    def _counted(self, function):
        def counted(first, *args, **kwargs):
            self.tick(first)
            return function(first, *args, **kwargs)

        return counted

    def _open(self, function):
        def opened(path, mode="r", *args, **kwargs):
            if "w" not in mode:
                return function(path, mode, *args, **kwargs)
            self.tick(path)
            file = function(path, mode, *args, **kwargs)
            write = file.write
            return _Written(file, lambda content: self.write(path, write, content))

        return opened

    def write(self, path, write, content):
        if self.count + 1 >= self.last:
            write(content[: len(content) // 2])
        self.tick(path)
        return write(content)

    def tick(self, what) -> None:
        self.count += 1
        if self.count >= self.last:
            name = str(what) if isinstance(what, Path) else None
            raise Killed if self.is_kill else OSError(errno.ENOSPC, "No space left on device", name)


class _Written:
    """A file open for writing whose `write` is another."""

    def __init__(self, file, write) -> None:
        self.file, self.write = file, write
        self.flush, self.fileno = file.flush, file.fileno

    def __enter__(self):
        return self

    def __exit__(self, *about) -> None:
        self.file.close()
