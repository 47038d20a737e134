"""Which runs share a compiled program: the settings that decide it."""

import dataclasses

from study.engine.stages import Shape, Stage, stages
from study.settings import Settings

INITIAL_ERRORS = "float64"  # precision of the errors in a network that is not trained: in a deep one they are tiny


@dataclasses.dataclass(frozen=True)
class ProgramKind:
    """What a compiled program depends on besides the activation; runs alike in it share the program.

    `shapes` are the stages'; the others are fields of Settings.
    """

    shapes: tuple[Shape, ...]
    normalization: str
    residual: bool
    dropout: float
    shift: int
    output: str
    loss: str
    optimizer: str
    precision: str
    batch: int


def stages_of(settings: Settings) -> tuple[Stage, ...]:
    """Group the layers of a run as its compiled program does."""
    return stages(settings.widths, settings.epochs, settings.batch)


def program_kind(settings: Settings) -> ProgramKind:
    """Return what decides the compiled program of a run."""
    shapes = tuple(stage.shape for stage in stages_of(settings))
    names = (field.name for field in dataclasses.fields(ProgramKind) if field.name != "shapes")
    return ProgramKind(shapes, **{name: getattr(settings, name) for name in names})
