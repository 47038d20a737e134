"""The `study` command: reads what was asked for, and calls the rooms that do it."""

import argparse
import difflib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from study.engine import environment
from study.runner.progress import say

DONE, SOME_FAILED, BAD_USAGE, NO_DATA, DAMAGED, HELD, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class UsageError(Exception):
    """Something asked for that cannot be; the message is complete."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code (CONTRIBUTING.md says what they mean)."""
    environment.prepare()
    signal.signal(signal.SIGTERM, _terminate)
    options = _parser().parse_args(arguments)
    from study.data.mnist import DataError
    from study.records.files import FolderError, FolderHeld
    from study.records.store import RecordError
    from study.settings import SettingsError

    code = DONE
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except SettingsError as error:
        return _complain("bad settings:\n  " + "\n  ".join(error.problems), BAD_USAGE)
    except (UsageError, FolderError) as error:
        return _complain(str(error), BAD_USAGE)
    except DataError as error:
        return _complain(str(error), NO_DATA)
    except RecordError as error:
        return _complain(str(error), DAMAGED)
    except FolderHeld as error:
        return _complain(str(error), HELD)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said, and the workers are being ended
        again = "study " + shlex.join(sys.argv[1:] if arguments is None else arguments)
        return _complain(f"interrupted; what was finished is kept. Resume with: {again}", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has had enough
        return code


def _terminate(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _complain(message: str, code: int) -> int:
    say(f"study: {message}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("study", description="The reference study of activation functions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (function, text, groups) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        for group in groups:
            group(command)
        command.set_defaults(command=function)
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="all of the target if none is named")
    parser.add_argument("--target", help="whose experiments: all (if not said), or one with long protocols, as claims")
    parser.add_argument("--seeds", type=int, help="paired seeds per setting")
    parser.add_argument("--activations", help='names, as in "relu mish"; the studied ones if not said')
    parser.add_argument("--quick", action="store_true", help="a short taste: fewer seeds and epochs")


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), help="where everything is kept (results)")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mnist", type=Path, help="a file or folder that holds MNIST")
    parser.add_argument("--any-data", action="store_true", help="accept a --mnist file that holds another data set")


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, help="processes; one a core if not said; 0: all in this process")
    parser.add_argument("--scheduler", help="address of a Dask scheduler to use instead of this machine")


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="activations; all if none is named")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="+", metavar="FIELD=VALUE", help="as in activation=relu seed=0 depth=5")


def _run(options: argparse.Namespace) -> int:
    from experiments import askable
    from study.records.ledger import shelves

    plan, names = _asked(options)
    targets, code = askable(), DONE
    for shelf in shelves(options.results):
        if here := [name for name in names if shelf.holds(targets[name])]:
            code = max(code, _run_on(shelf, plan, here, options))
    return code


def _run_on(shelf: Any, plan: Any, names: list[str], options: argparse.Namespace) -> int:
    """Do what is missing of the experiments whose runs are kept on this shelf."""
    from study.records.files import hold, prepare_folder
    from study.runner.session import run_experiments
    from study.runner.workers import ClusterError

    prepare_folder(shelf.folder)
    try:
        with hold(shelf.folder):
            outcome = run_experiments(
                plan, _modules(names), shelf, _data(options), _workers(options), options.scheduler
            )
    except ClusterError as error:
        return _complain(f"{error}; what was finished is kept: run it again", SOME_FAILED)
    say(f"{outcome.trained} runs done, {outcome.recorded} recorded in {shelf.folder}")
    for failure in outcome.failures:
        say(f"study: {failure}")
    return SOME_FAILED if outcome.failures else DONE


def _all(options: argparse.Namespace) -> int:
    code = _run(options)
    return max(code, _report(options))


def _report(options: argparse.Namespace) -> int:
    from experiments import by_name
    from study.report.assembly import write_report

    started = time.monotonic()
    missing = write_report(options.results, by_name())
    say(f"{options.results / 'README.md'} is written ({time.monotonic() - started:.0f} s)", sys.stdout)
    for line in missing:
        say(f"study: {line}")
    return SOME_FAILED if missing else DONE


def _plan(options: argparse.Namespace) -> int:
    from study.runner.session import planned

    plan, names = _asked(options)
    for line in planned(plan, _modules(names), options.results, _data(options), _workers(options)):
        print(line)
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from study.records.ledger import shelves

    places = shelves(options.results)
    problems = [problem for shelf in places for problem in shelf.problems()]
    for problem in problems:
        print(problem)
    count = sum(len(shelf.store) + len(shelf.document_paths()) for shelf in places)
    print(f"{count} records, {len(problems)} damaged")
    return DAMAGED if problems else DONE


def _train(options: argparse.Namespace) -> int:
    """One run of any settings, printed and recorded."""
    from study.records.files import hold, prepare_folder
    from study.runner.session import train_one
    from study.settings import Settings, SettingsError

    given = dict(_assignment(text) for text in options.settings)
    known = Settings.__dataclass_fields__
    unknown = [f"{name} is no setting; the settings are {', '.join(known)}" for name in given if name not in known]
    missing = [f"{name} is missing" for name in ("activation", "seed") if name not in given]
    if unknown or missing:
        raise SettingsError([*unknown, *missing])
    settings = Settings(**given)
    _check_names([settings.activation], _registry(), "activation")
    runs = options.results / "runs"
    prepare_folder(runs)
    with hold(runs):
        result = train_one(settings, options.results, _data(options))
    print(json.dumps({key: result[key] for key in ("status", "epochs", "last", "best") if key in result}, indent=2))
    return DONE if result["status"] in ("done", "diverged") else SOME_FAILED


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no setting; write FIELD=VALUE")
    try:
        return name, json.loads(value, parse_constant=float)
    except ValueError:
        return name, {"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf"), "none": None}.get(
            value.lower(), value
        )


def _activations(options: argparse.Namespace) -> int:
    registry = _registry()
    for name, entry in registry.items():
        mark = "*" if entry.studied else " "
        print(f"{mark} {name:12s} {entry.label:18s} {entry.source}")
    print("* studied unless ACTIVATIONS says otherwise")
    return DONE


def _theory(options: argparse.Namespace) -> int:
    from study.theory.meanfield import describe

    names = options.names or [name for name, entry in _registry().items() if entry.studied]
    _check_names(names, _registry(), "activation")
    print("\n\n".join(describe(name) for name in names))
    return DONE


def _show_data(options: argparse.Namespace) -> int:
    data = _data(options)()
    print(f"{len(data.training_labels)} training and {len(data.test_labels)} test images from {data.source}")
    print(f"SHA-256 of the arrays: {data.checksum}")
    return DONE


def _registry() -> dict[str, Any]:
    environment.start_tensorflow()
    from study.activations import REGISTRY

    return REGISTRY


def _asked(options: argparse.Namespace) -> tuple[Any, list[str]]:
    """The plan and the experiments' names; everything wrong with them is said at once."""
    from experiments import askable
    from study.plan import EVERYTHING, Plan

    registry, known = _registry(), askable()
    wanted = options.target or EVERYTHING
    names = options.experiments or [name for name, target in known.items() if target == wanted]
    chosen = options.activations.replace(",", " ").split() if options.activations is not None else None
    problems = [*_unknown(names, known, "experiment"), *_unknown(chosen or [], registry, "activation")]
    targets = dict.fromkeys([EVERYTHING, *known.values()])
    problems += _unknown([wanted], targets, "target")
    if options.target in targets:
        others = [name for name in names if known.get(name, wanted) != wanted]
        problems += [f"{name} belongs to the target {known[name]}, not {wanted}" for name in others]
    if options.quick and any(known.get(name, EVERYTHING) != EVERYTHING for name in names):
        problems.append("a long protocol has no quick form: leave --quick out")
    if chosen == []:
        problems.append("activations is empty; name at least one, as in 'relu mish'")
    if options.seeds is not None and options.seeds < 1:
        problems.append(f"seeds is {options.seeds}; it must be a whole number, at least 1")
    if options.workers is not None and options.workers < 0:
        problems.append(f"workers is {options.workers}; it must be a whole number, at least 0")
    if problems:
        raise UsageError("\n  ".join(problems))
    is_wanted = (lambda name: registry[name].studied) if chosen is None else (lambda name: name in chosen)
    activations = tuple(name for name in registry if is_wanted(name))
    return Plan(activations, options.seeds, options.quick), names


def _modules(names: Sequence[str]) -> dict[str, Any]:
    """Return the experiments of these names, in the order of the report."""
    from experiments import by_name

    return {name: module for name, module in by_name().items() if name in names}


def _check_names(names: Sequence[str], known: dict[str, Any], what: str) -> None:
    if problems := _unknown(names, known, what):
        raise UsageError("\n  ".join(problems))


def _unknown(names: Sequence[str], known: dict[str, Any], what: str) -> list[str]:
    problems = []
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known)
            problems.append(f"unknown {what} {name!r}; near it: {', '.join(near)}")
    return problems


def _data(options: argparse.Namespace) -> Callable[[], Any]:
    from study.data.mnist import load

    return lambda: load(options.mnist, any_data=options.any_data)


def _workers(options: argparse.Namespace) -> int:
    if options.workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(options.workers)


_PLAN = (_add_plan, _add_results, _add_data, _add_machine)
_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str, tuple[Callable[..., None], ...]]] = {
    "all": (_all, "run every experiment of the target, then write the report", _PLAN),
    "run": (_run, "do the runs that are missing", _PLAN),
    "plan": (_plan, "what would run, and how long it would take", _PLAN),
    "report": (_report, "tables, figures and report from the records", (_add_results,)),
    "verify": (_verify, "check every record's checksum and identity", (_add_results,)),
    "train": (_train, "one run of any settings", (_add_settings, _add_results, _add_data)),
    "activations": (_activations, "the registry", ()),
    "theory": (_theory, "what theory predicts for an activation", (_add_names,)),
    "data": (_show_data, "get MNIST and verify it", (_add_data,)),
}
