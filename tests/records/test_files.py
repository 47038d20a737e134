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

from study.records.files import FolderError, FolderHeld, hold, prepare_folder, write_atomically

OLD, NEW = b"the old content", b"the new content, which is longer"
ENDLESS = 100  # more steps than any of these functions takes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def test_a_file_is_written_whole(file: Path) -> None:
    """The new content is there, and nothing beside it."""
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW
    assert list(file.parent.iterdir()) == [file]


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
        assert is_kill or list(file.parent.iterdir()) == [file]
        if disk.count < step:
            break
    assert step == 5, "opening, writing, flushing to the disk and renaming: four steps that can fail"


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    """Preparing a folder makes it with its parents, and leaves nothing in it."""
    prepare_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("wanted", ["file", "file/below"])
def test_a_file_in_the_place_of_a_folder_is_refused(file: Path, wanted: str) -> None:
    """A file where the folder, or a parent of it, should be: FolderError names the folder; the file is untouched."""
    folder = file.parent / wanted
    with pytest.raises(FolderError, match=str(folder)):
        prepare_folder(folder)
    assert file.read_bytes() == OLD


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    """FolderError names a folder that is there but read-only, and one that cannot be made; a writable one is taken."""
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
            prepare_folder(free)
            for folder in (locked, locked / "below"):
                with pytest.raises(FolderError, match=str(folder)):
                    prepare_folder(folder)
        finally:
            os.seteuid(user)


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """While it is held a second holder is refused and told who has it; afterwards it is free."""
    with hold(tmp_path):
        refusal = pytest.raises(FolderHeld, match=rf"{tmp_path}.*process {os.getpid()} on .* since \d{{4}}-")
        with refusal, hold(tmp_path):
            pytest.fail("held twice")
        assert json.loads((tmp_path / ".holder.json").read_text())["pid"] == os.getpid()
    with hold(tmp_path):
        pass


@pytest.mark.parametrize("note", ["", "{}", "[]", "{", None])
def test_a_holder_that_has_not_said_who_it_is_still_holds(tmp_path: Path, note: str | None) -> None:
    """A note that is missing, half written or foreign lets no second run in, and does not crash."""
    with hold(tmp_path):
        (tmp_path / ".holder.json").unlink()
        if note is not None:
            (tmp_path / ".holder.json").write_text(note)
        with pytest.raises(FolderHeld, match="has not said who it is"), hold(tmp_path):
            pytest.fail("held twice")


def test_holding_a_folder_sweeps_what_a_killed_run_left(tmp_path: Path) -> None:
    """Stale temporary files go, whoever's process wrote them; records and other files stay."""
    for name in (".0123.json.4711.tmp", ".plan.json.1.tmp", "0123.json", "notes.tmp", ".hidden"):
        (tmp_path / name).touch()
    with hold(tmp_path):
        pass
    left = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert left == {"0123.json", "notes.tmp", ".hidden"}


def test_a_lock_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Another user's lock file, or anything else in its place, is a FolderError with its path."""
    (tmp_path / ".lock").mkdir()
    with pytest.raises(FolderError, match=r"cannot lock .*\.lock"), hold(tmp_path):
        pytest.fail("held without a lock")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """One sentence names the lock and says to use a local folder; no holder's note is left, and nothing is run."""

    def refuse(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = rf"cannot lock .*{re.escape(os.strerror(code))}; keep the results .* RESULTS=folder"
    with pytest.raises(FolderError, match=told) as error, hold(tmp_path):
        pytest.fail("held without a lock")
    assert "\n" not in str(error.value)
    assert not (tmp_path / ".holder.json").exists()


def test_a_lock_file_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that may not be opened gives the same sentence, with the system's reason."""
    opened = os.open

    def refuse(path: object, *arguments: int, **more: int) -> int:
        if str(path).endswith(".lock"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FolderError, match=r"\.lock: Permission denied; .* RESULTS=folder"), hold(tmp_path):
        pytest.fail("held without a lock")
