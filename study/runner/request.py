"""Check the arguments of a command, and raise one UsageError that lists the problems found."""

import argparse
import difflib
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from study.errors import UsageError
from study.plan import EVERYTHING, Plan
from study.settings import Settings

WORD_VALUES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "none": None}  # values of words that are not JSON
LARGEST_FIRST_SEED = 4_000_000_000  # a seed is below 2^32


def read_plan(
    options: argparse.Namespace, registry: Mapping[str, Any], targets: Mapping[str, str]
) -> tuple[Plan, list[str]]:
    """Return the plan that the options of `study run` ask for, and the names of its experiments.

    `registry` holds the activations by name, and `targets` each experiment's make target. Raise UsageError with one
    sentence for each bad option.
    """
    wanted = options.target or EVERYTHING
    names = options.experiments or [name for name, target in targets.items() if target == wanted]
    chosen = None if options.activations is None else options.activations.replace(",", " ").split()
    known = list(dict.fromkeys([EVERYTHING, *targets.values()]))
    problems = _unknown_names(names, targets, "experiment") + _unknown_names(chosen or [], registry, "activation")
    problems += _unknown_names([wanted], known, "target")
    if options.target in known:
        others = [name for name in names if targets.get(name, wanted) != wanted]
        problems += [f"{name} belongs to the target {targets[name]}, not {wanted}" for name in others]
    if options.quick and any(targets.get(name, EVERYTHING) != EVERYTHING for name in names):
        problems.append("a long protocol has no quick form: leave --quick out")
    if chosen == []:
        problems.append("activations is empty; name at least one, as in 'relu mish'")
    if options.first_seed not in range(LARGEST_FIRST_SEED + 1):
        problems.append(f"first_seed is {options.first_seed}; it must be from 0 to {LARGEST_FIRST_SEED}")
    for field, value, least in (("seeds", options.seeds, 1), ("workers", options.workers, 0)):
        if value is not None and value < least:
            problems.append(f"{field} is {value}; it must be a whole number, at least {least}")
    if problems:
        raise UsageError(problems)
    is_wanted = (lambda name: is_studied(registry[name])) if chosen is None else (lambda name: name in chosen)
    compared = tuple(filter(is_wanted, registry))
    return Plan(compared, options.seeds, options.quick, first_seed=options.first_seed), names


def is_studied(entry: Any) -> bool:
    """Tell whether a registry `entry` is compared by default.

    An entry that is not an Activation counts as compared, so that it is refused by name.
    """
    return bool(getattr(entry, "studied", True))


def read_settings(words: Sequence[str]) -> Settings:
    """Return the settings that `words` such as "seed=0" and "width=[7,5]" give.

    The value after "=" is JSON, a word of WORD_VALUES, or else text. Raise UsageError if a word lacks "=", a field or
    its value is not allowed, a field is given twice, or `activation` or `seed` is missing.
    """
    pairs = [_assignment(word) for word in words]
    given = dict(pairs)
    known = Settings.__dataclass_fields__
    problems = [f"{name} is not a setting; the settings are {', '.join(known)}" for name in given if name not in known]
    problems += [f"{name} is given {n} times" for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    problems += [f"{name} is missing" for name in ("activation", "seed") if name not in given]
    if problems:
        raise UsageError(problems)
    return Settings(**given)


def _assignment(word: str) -> tuple[str, Any]:
    """Return the name and the value of a setting from a word such as "seed=0"; raise UsageError if "=" is missing."""
    name, equals, value = word.partition("=")
    if not equals:
        raise UsageError([f"{word!r} is not a setting; write FIELD=VALUE"])
    try:
        return name, json.loads(value, parse_constant=float)
    except ValueError:
        return name, WORD_VALUES.get(value.lower(), value)


def check_activations(names: Sequence[str], registry: Mapping[str, Any]) -> None:
    """Raise UsageError, with one sentence for each, if any of the activations `names` is not in `registry`."""
    if problems := _unknown_names(names, registry, "activation"):
        raise UsageError(problems)


def _unknown_names(names: Sequence[str], known: Collection[str], kind: str) -> list[str]:
    """Return a sentence for each of `names` not in `known`, with similar names or all; `kind` is a word for a name."""
    near = {name: difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known) for name in names}
    return [f"unknown {kind} {name!r}; near it: {', '.join(near[name])}" for name in names if name not in known]
