"""List the questions of the study, one module each, in the order of the report.

To add a question, write its module and add it to `MODULES` (see study/report/section.py for what a module offers).
"""

from types import ModuleType
from typing import cast

from experiments import (
    baseline,
    cost,
    deep_swish,
    depth,
    digits,
    elu_paper,
    few_seeds,
    flagship,
    gelu_paper,
    initialization,
    learning_rate,
    lippe,
    other_editions,
    output_layer,
    past_99,
    published,
    remedies,
    robustness,
    speed,
    trainable_depth_6xi,
    verdict,
    why_relu,
    wrong_digits,
)
from study.plan import target, times_activations
from study.report.section import Experiment

MODULES: tuple[ModuleType, ...] = (
    other_editions,  # concludes last, because the last of the report conclude first; the verdict leads all the same
    verdict,
    why_relu,
    baseline,
    few_seeds,
    depth,
    initialization,
    remedies,
    learning_rate,
    robustness,
    digits,
    output_layer,
    cost,
    published,
    gelu_paper,
    deep_swish,
    elu_paper,
    lippe,
    trainable_depth_6xi,
    past_99,
    wrong_digits,
    flagship,
    speed,
)


def by_name() -> dict[str, ModuleType]:
    """Return every module by its name, in the order of the report."""
    return {module.__name__.removeprefix("experiments."): module for module in MODULES}


def experiments() -> dict[str, Experiment]:
    """Return the modules that ask for runs, by name, in the order of the report."""
    return {name: cast(Experiment, module) for name, module in by_name().items() if hasattr(module, "rounds")}


def askable() -> dict[str, str]:
    """Return the make target of each module that something can be done for: runs, or timing."""
    found = by_name().items()
    return {name: target(module) for name, module in found if hasattr(module, "rounds") or times_activations(module)}
