"""Define what a command was asked for, and what a module of experiments/ declares besides its runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.constants import FIRST_FRESH_SEED

EVERYTHING = "all"  # the make target of a module that declares no TARGET


@dataclass(frozen=True)
class Plan:
    """Hold what a command was asked for, and what theory predicts of the activations."""

    activations: tuple[str, ...]  # to compare, in the registry's order
    seeds: int | None = None  # how many paired seeds to run; None leaves the number to each experiment
    is_quick: bool = False  # asks for a quick look with few seeds and epochs
    # {activation: the entry `theory` of its description in study/records/catalogue.py}. For `interpret`, it also holds
    # activations that are not compared, but that the experiment's runs use.
    theory: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    first_seed: int = 0  # is added to all seeds, so that another edition of the study shares none with this one

    def is_fresh(self, seed: Any) -> Any:
        """Tell whether `seed`, a number or a column of numbers, is fresh: at least `first_seed` + FIRST_FRESH_SEED.

        Test results of fresh seeds choose no learning rate. They decide how many seeds run, and led to the second
        attempt of the experiment `past_99`.
        """
        return seed >= self.first_seed + FIRST_FRESH_SEED

    def block(self, n: int, start: int = 0) -> range:
        """Return `n` consecutive seeds, of which the first is `first_seed` + `start`."""
        return range(self.first_seed + start, self.first_seed + start + n)


@dataclass(frozen=True)
class DepthScaleGrid:
    """Ask for theory's depth scale at each value in `sigma_w`, all with the same `sigma_b`.

    The weights then have the variance sigma_w^2 / fan_in, and the biases sigma_b^2. The DEPTH_SCALES of a module map
    activations to grids. The depth scales are in `Plan.theory[activation]["depth_scales"][name of the module]`.
    """

    sigma_w: tuple[float, ...]
    sigma_b: float


def make_target(module: object) -> str:
    """Return the make target of `module`, a module of experiments/: its TARGET, or EVERYTHING if it declares none."""
    return str(getattr(module, "TARGET", EVERYTHING))


def asks_for_timings(module: object) -> bool:
    """Tell whether `module`, a module of experiments/, has the activations timed: its TIMES_ACTIVATIONS is true."""
    return bool(getattr(module, "TIMES_ACTIVATIONS", False))
