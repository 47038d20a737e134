"""Choose the settings that decide a compiled program: runs of an activation that agree in all of them can share it."""

import dataclasses

from study.engine.layer_groups import LayerGroup, Shape, layer_groups
from study.settings import DISTORTIONS, Settings

# Precision of the errors in a network that is not trained. In float32, tiny errors of deep networks would be 0.
INITIAL_ERRORS = "float64"


@dataclasses.dataclass(frozen=True)
class ProgramKind:
    """Hold the settings that decide a compiled program, and the shapes of its layer groups.

    The strengths of distortions, weight decay and averaging are arguments of the program. Only whether they are above 0
    is compiled.
    """

    shapes: tuple[Shape, ...]
    distorts: bool
    decays: bool
    averages: bool
    normalization: str
    residual: str
    dropout: float
    output: str
    loss: str
    label_smoothing: float
    optimizer: str
    precision: str
    batch: int


def groups_of(settings: Settings) -> tuple[LayerGroup, ...]:
    """Return the layer groups of a run's compiled program, nearest the input first."""
    return layer_groups(settings.widths, settings.epochs, settings.batch)


def program_kind(settings: Settings) -> ProgramKind:
    """Return the kind of program that a run with these settings needs."""
    shapes = tuple(group.shape for group in groups_of(settings))
    distorts = any(getattr(settings, name) > 0 for name in DISTORTIONS)
    flags = distorts, settings.weight_decay > 0, settings.averaging > 0
    names = (field.name for field in dataclasses.fields(ProgramKind)[1 + len(flags) :])
    return ProgramKind(shapes, *flags, **{name: getattr(settings, name) for name in names})
