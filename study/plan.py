"""What was asked for: activations, seeds, and which make target an experiment belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EVERYTHING = "all"  # the target of what names none


@dataclass(frozen=True)
class Plan:
    """What was asked for: the activations compared, in the registry's order, and how many paired seeds.

    `theory` holds, per activation, what the catalogue recorded of its predictions; to `interpret`, also that of the
    activations that `rounds` named besides.
    """

    activations: tuple[str, ...]
    seeds: int | None = None
    is_quick: bool = False
    theory: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def target(module: object) -> str:
    """The make target that does what a module asks for."""
    return str(getattr(module, "TARGET", EVERYTHING))


def times_activations(module: object) -> bool:
    """Whether a module asks for the activations to be timed."""
    return bool(getattr(module, "TIMES_ACTIVATIONS", False))
