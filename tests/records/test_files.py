"""A file is whole or as it was, whatever happens; a folder is refused before work starts, and held by one run."""

import errno
import fcntl
import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from disk import Disk, Killed

from study.errors import FolderError, FolderHeld
from study.records.files import lock_folder, prepare_folder, write_atomically

OLD, NEW = b"the old content", b"the new content, which is longer"
ENDLESS = 100  # more steps than any of these functions takes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@pytest.mark.parametrize("is_kill", [False, True], ids=["full", "killed"])
def test_a_write_that_is_stopped_at_any_step_leaves_the_old_file_or_the_new_one(file: Path, is_kill: bool) -> None:
    """For every step N: a full disk is reported with the path and leaves no rubbish; a kill never tears the file."""
    for step in range(1, ENDLESS):
        file.write_bytes(OLD)
        told = str(file)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, step, is_kill)
            try:
                write_atomically(file, NEW)
            except (FolderError, Killed) as error:
                told = str(error)
        assert is_kill or str(file) in told
        assert file.read_bytes() == (NEW if disk.count < step else OLD)
        assert (is_kill and disk.count >= step) or list(file.parent.iterdir()) == [file]
        if disk.count < step:
            break
    assert step == 5, "opening, writing, flushing to the disk and renaming: four steps that can fail"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    """FolderError names a read-only folder, and one that cannot be made; a writable one is made and left empty."""
    with tempfile.TemporaryDirectory() as root:
        locked, free = Path(root) / "locked", Path(root) / "free"
        locked.mkdir()
        free.mkdir()
        Path(root).chmod(0o755)
        locked.chmod(0o555)
        free.chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may write anywhere: be nobody for a moment
        try:
            prepare_folder(free / "a" / "b")
            assert list((free / "a" / "b").iterdir()) == []
            for folder in (locked, locked / "below"):
                with pytest.raises(FolderError, match=str(folder)):
                    prepare_folder(folder)
        finally:
            os.seteuid(user)


@pytest.mark.parametrize("note", [None, "", "{}", "[]", "{", "missing"])
def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path, note: str | None) -> None:
    """While it is held a second holder is refused and told who has it, if the note is whole; afterwards it is free."""
    path = tmp_path / ".holder.json"
    told = rf"{tmp_path}.*process {os.getpid()} on .* since \d{{4}}-" if note is None else "has not said who it is"
    with lock_folder(tmp_path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        if note == "missing":
            path.unlink()
        elif note is not None:
            path.write_text(note)
        with pytest.raises(FolderHeld, match=told), lock_folder(tmp_path):
            pytest.fail("held twice")
    with lock_folder(tmp_path):
        pass


def test_holding_a_folder_sweeps_what_a_killed_run_left(tmp_path: Path) -> None:
    """Stale temporary files go, whoever's process wrote them; records and other files stay."""
    for name in (".0123.json.4711.tmp", ".plan.json.1.tmp", "0123.json", "notes.tmp", ".hidden"):
        (tmp_path / name).touch()
    with lock_folder(tmp_path):
        pass
    left = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert left == {"0123.json", "notes.tmp", ".hidden"}


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES, errno.EISDIR])
def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """So is a lock file that cannot be opened: one sentence has the reason and the remedy; no holder's note is left."""
    owner, name = (os, "open") if code == errno.EACCES else (fcntl, "flock")
    function = getattr(owner, name)

    def refuse(first: object, *arguments: int, **more: int) -> int:
        if owner is fcntl or str(first).endswith(".lock"):
            raise OSError(code, os.strerror(code))
        return int(function(first, *arguments, **more))

    if code == errno.EISDIR:
        (tmp_path / ".lock").mkdir()
    else:
        monkeypatch.setattr(owner, name, refuse)
    told = rf"cannot lock .*\.lock: {re.escape(os.strerror(code))}; keep the results .* RESULTS=folder"
    with pytest.raises(FolderError, match=told) as error, lock_folder(tmp_path):
        pytest.fail("held without a lock")
    assert "\n" not in str(error.value)
    assert not (tmp_path / ".holder.json").exists()
