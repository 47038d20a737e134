"""Describe the plan that was asked for, and what a module of experiments/ declares beside its runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.constants import FIRST_FRESH_SEED

EVERYTHING = "all"  # the target of a module that names none


@dataclass(frozen=True)
class Plan:
    """Hold what was asked for: the activations compared, in the registry's order, and how many paired seeds.

    `first_seed` shifts every block of seeds, so that another edition of the study shares no seed with this one.

    `theory` holds, per activation, what the catalogue recorded of its predictions. `interpret` also finds there the
    activations that only `rounds` named.
    """

    activations: tuple[str, ...]
    seeds: int | None = None
    is_quick: bool = False
    theory: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    first_seed: int = 0

    def is_fresh(self, seed: Any) -> Any:
        """Tell whether a seed, or each seed of a column, is of the fresh blocks, which choose nothing."""
        return seed >= self.first_seed + FIRST_FRESH_SEED

    def block(self, n: int, start: int = 0) -> range:
        """Return a block of `n` seeds: from `start` on, shifted by `first_seed`."""
        return range(self.first_seed + start, self.first_seed + start + n)


@dataclass(frozen=True)
class DepthScaleGrid:
    """Ask for theory's depth scale at each `sigma_w` of the weights, all with one `sigma_b` of the biases."""

    sigma_w: tuple[float, ...]
    sigma_b: float


def target(module: object) -> str:
    """Return the make target that does what a module asks for."""
    return str(getattr(module, "TARGET", EVERYTHING))


def times_activations(module: object) -> bool:
    """Tell whether `module` asks for the activations to be timed."""
    return bool(getattr(module, "TIMES_ACTIVATIONS", False))


def depth_scales(modules: Mapping[str, object]) -> dict[str, Mapping[str, DepthScaleGrid]]:
    """Return the depth scales that each module asks for, by its name and by activation.

    The catalogue computes them once and keeps them; `Plan.theory[activation]["depth_scales"][module]` has them.
    """
    return {name: getattr(module, "DEPTH_SCALES", {}) for name, module in modules.items()}
