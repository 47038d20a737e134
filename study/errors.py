"""Define how a command of the study may fail: an error has the exit code, and a message that is ready to print."""

from collections.abc import Iterable

# The exit codes of commands.
DONE, SOME_FAILED, BAD_USAGE, NO_DATA, DAMAGED, HELD, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class StudyError(Exception):
    """End a command with the exit code `code` and print the message; CONTRIBUTING.md lists the codes."""

    code = SOME_FAILED


class UsageError(StudyError):
    """Say what is wrong with a request: `problems` holds a sentence for each bad setting, option or file."""

    code = BAD_USAGE

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join(self.problems))


class FolderError(StudyError):
    """Say that a folder cannot be used; the message names it and the reason."""

    code = BAD_USAGE


class FolderHeld(StudyError):
    """Say that another command has locked the folder; the message names the folder and, if known, the process."""

    code = HELD


class DataError(StudyError):
    """Say that MNIST could not be obtained, or that a file was refused; the message says why."""

    code = NO_DATA


class RecordError(StudyError):
    """Say that a record, document or ledger is damaged, of another name or of another schema."""

    code = DAMAGED


class ClusterError(StudyError):
    """Say that the Dask scheduler does not answer or is gone, or that no workers started; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; finished runs are kept: run it again")


def one_line(error: object, most: int = 500) -> str:
    """Return the text of `error`, or its type's name if it has none, as a line of at most `most` characters."""
    text = " ".join((str(error) or type(error).__name__).split())[:most]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
