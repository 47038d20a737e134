"""List the modules that answer the questions of the study, one for each question, in the order of the report.

A module with a function `rounds` is an experiment: it requests training runs. A module without it uses the results of
other modules, or measurements that are stored as documents. CONTRIBUTING.md says how to add a question.
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
    narrow,
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
from study.plan import asks_for_timings, make_target
from study.report.section import Experiment

MODULES: tuple[ModuleType, ...] = (
    # `conclude` is called from the last module to the first, so `other_editions` sees the results of all others.
    other_editions,  # the report still opens with `verdict`, because that section `is_opening`
    verdict,
    why_relu,
    baseline,
    few_seeds,
    depth,
    initialization,
    remedies,
    learning_rate,
    narrow,
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
    """Return {file name without ".py": module} for all of MODULES, in their order."""
    return {module.__name__.removeprefix("experiments."): module for module in MODULES}


def experiments() -> dict[str, Experiment]:
    """Return {name: module} for the modules that ask for runs (those with `rounds`), in the order of MODULES."""
    return {name: cast(Experiment, module) for name, module in by_name().items() if hasattr(module, "rounds")}


def make_targets() -> dict[str, str]:
    """Return {name: make target} for the modules that ask for runs or for timings, in the order of MODULES."""
    found = by_name().items()
    return {
        name: make_target(module) for name, module in found if hasattr(module, "rounds") or asks_for_timings(module)
    }
