"""Simulate a disk that gets full, or a process that is killed, after a given number of changes to the disk."""

import errno
import math
import os
import shutil
from pathlib import Path


class Killed(BaseException):
    """Stand in for SIGKILL inside a test; no `except Exception` catches it."""


class Disk:
    """Count the changes to the disk by pathlib and os.fsync, and fail from the `last`-th change on.

    A write that fails writes half. A failure is an OSError, as on a full disk, where files can still be removed. With
    `is_kill`, removals count as changes too, and a failure is Killed, as if the process had been killed there.
    """

    def __init__(self, monkeypatch, last: float = math.inf, is_kill: bool = False) -> None:
        self.last, self.is_kill, self.count = last, is_kill, 0
        removing = [(Path, "unlink"), (Path, "rmdir"), (shutil, "rmtree")] if is_kill else []
        for owner, name in [(Path, "mkdir"), (Path, "replace"), (os, "fsync"), *removing]:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))
        monkeypatch.setattr(Path, "open", self._open(Path.open))

    def _counted(self, function):
        """Return a version of `function` that first counts a change of its first argument, a path or a file."""

        def counted(first, *args, **kwargs):
            self.tick(first)
            return function(first, *args, **kwargs)

        return counted

    def _open(self, function):
        """Return a version of `function`, which is Path.open, that counts each opening to write and each write."""

        def opened(path, mode="r", *args, **kwargs):
            if "w" not in mode:
                return function(path, mode, *args, **kwargs)
            self.tick(path)
            file = function(path, mode, *args, **kwargs)
            write = file.write
            return _Written(file, lambda content: self.write(path, write, content))

        return opened

    def write(self, path, write, content):
        """Write `content` to the file `path` by the function `write`, as one change, which may fail halfway."""
        if self.count + 1 >= self.last:
            write(content[: len(content) // 2])
        self.tick(path)
        return write(content)

    def tick(self, what) -> None:
        """Count a change of `what`, a path or a file, and raise OSError or Killed from the `last`-th change on."""
        self.count += 1
        if self.count >= self.last:
            name = str(what) if isinstance(what, Path) else None
            raise Killed if self.is_kill else OSError(errno.ENOSPC, "No space left on device", name)


class _Written:
    """Hold a file that is open for writing, and write to it by the function `write`."""

    def __init__(self, file, write) -> None:
        self.file, self.write = file, write
        self.flush, self.fileno = file.flush, file.fileno

    def __enter__(self):
        return self

    def __exit__(self, *about) -> None:
        self.file.close()
