"""Define the `study` command: read its options, call a function of `study.commands`, turn errors into exit codes."""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from study import commands
from study.errors import BAD_USAGE, INTERRUPTED, StudyError
from study.runner import surroundings

DO_RUNS = (commands.make_all, commands.run, commands.train)  # commands that can be resumed


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code; CONTRIBUTING.md lists the codes.

    `arguments` are the words after `study`; None takes them from the command line. Raise SystemExit, as argparse does,
    if a word is not understood, and after printing a help text.
    """
    surroundings.set_variables()
    if arguments is None:
        surroundings.open_closed_streams()
        surroundings.quieten()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except StudyError as error:
        return commands.complain(str(error), error.code)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one must not disturb the end of the workers
            signal.signal(number, signal.SIG_IGN)
        again = "study " + shlex.join(sys.argv[1:] if arguments is None else arguments)
        kept = f"; finished runs are kept. Resume with: {again}" if options.command in DO_RUNS else ""
        return commands.complain(f"interrupted{kept}", INTERRUPTED)
    except OSError as error:  # a file that may not be read, a full disk
        where = f"{error.filename}: " if error.filename else ""
        return commands.complain(f"{where}{error.strerror or error}", BAD_USAGE)


def _path(text: str) -> Path:
    """Return `text` as a path, with the home folder in place of a ~; raise ArgumentTypeError if that is not known."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _folder(text: str) -> Path:
    """Return `text` as the path of a folder, which may not exist yet; raise ArgumentTypeError if it is a file."""
    path = _path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a file; it must be a folder")
    return path


# By name, for each argument and option of any command: the keywords that `add_argument` takes.
_OPTIONS: dict[str, dict[str, Any]] = {
    "experiments": {"nargs": "*", "metavar": "EXPERIMENT", "help": "all of the target if none is named"},
    "--target": {"help": "whose experiments: all (if not given), or one with long protocols, such as claims"},
    "--seeds": {"type": int, "help": "paired seeds per setting"},
    "--first-seed": {"type": int, "default": 0, "help": "shifts every block of seeds (0)"},
    "--activations": {"help": 'names, as in "relu mish"; the studied ones if not given'},
    "--quick": {"action": "store_true", "help": "a quick look: fewer seeds and epochs"},
    "--workers": {"type": int, "help": "processes; one per core if not given; 0: all in this process"},
    "--scheduler": {"help": "address of a Dask scheduler to use instead of this machine"},
    "--results": {"type": _folder, "default": Path("results"), "help": "where everything is kept (results)"},
    "--mnist": {"type": _path, "help": "a file or folder that holds MNIST"},
    "--any-data": {"action": "store_true", "help": "accept a --mnist file that holds another data set"},
    "names": {"nargs": "*", "metavar": "NAME", "help": "activations; all studied ones if none is named"},
    "settings": {"nargs": "+", "metavar": "FIELD=VALUE", "help": "as in activation=relu seed=0 depth=5"},
    "first": {"type": _folder, "metavar": "A", "help": "a results folder"},
    "second": {"type": _folder, "nargs": "?", "metavar": "B", "help": "another; the committed edition if not given"},
    "--keep": {"metavar": "NAME", "help": "keep the conclusions of A in --results; its report then compares with them"},
    "--about": {"metavar": "TEXT", "help": "with --keep: the difference of A, such as its seeds or processor"},
    "images": {"nargs": "+", "type": _path, "metavar": "IMAGE", "help": "pictures of one digit each: PNG, JPEG, ..."},
    "--all": {"action": "store_true", "help": "list also the conclusions that agree"},
}
# The arguments and options of several commands, which _COMMANDS uses.
_DATA = ("--mnist", "--any-data")
_PLAN = (
    "experiments", "--target", "--seeds", "--first-seed", "--activations", "--quick", "--results", *_DATA,
    "--workers", "--scheduler",
)  # fmt: skip
_COMPARED = ("first", "second", "--all", "--keep", "--about", "--results")

# By name: the function that carries out the command, its help, and the names of its arguments and options.
_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str, tuple[str, ...]]] = {
    "all": (commands.make_all, "run every experiment of the target, then write the report", _PLAN),
    "run": (commands.run, "do the runs that are missing", _PLAN),
    "plan": (commands.plan, "what would run, and how long it would take", _PLAN),
    "report": (commands.report, "tables, figures and report from the records", ("--results",)),
    "verify": (commands.verify, "check every record's checksum and identity", ("--results",)),
    "compare": (commands.compare, "conclusions of two editions that agree or contradict", _COMPARED),
    "train": (commands.train, "one run of any settings, printed and recorded", ("settings", "--results", *_DATA)),
    "predict": (commands.predict, "which digit a picture shows, by the best network", ("images", "--results")),
    "activations": (commands.list_activations, "the registry", ()),
    "theory": (commands.theory, "what theory predicts for an activation", ("names",)),
    "data": (commands.show_data, "get MNIST and verify it", _DATA),
}


class _Parser(argparse.ArgumentParser):
    """Parse options as argparse does, but print a help text with `commands.show`, which allows for a closed pipe."""

    def print_help(self, file: Any = None) -> None:
        commands.show(self.format_help().rstrip())


def _parser() -> _Parser:
    """Return the parser of _COMMANDS; the options that it reads hold the function to call as `command`."""
    parser = _Parser("study", description="The reference study of activation functions.")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (function, text, options) in _COMMANDS.items():
        command = subcommands.add_parser(name, help=text, description=text)
        for option in options:
            command.add_argument(option, **_OPTIONS[option])
        command.set_defaults(command=function)
    return parser
