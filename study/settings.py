"""Define the settings of one run: frozen, and validated once, when they are made."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeGuard

from study.errors import UsageError

# Keras defines glorot_uniform and he_normal. Weights are Gaussian with critical, centred and gaussian. unit_norm draws
# normal kernels and scales every unit's incoming weights to norm 1. torch_default draws kernels and biases from
# Unif[-1, 1] / sqrt(fan_in), as PyTorch's Linear layer does.
INITIALIZATIONS = (
    "glorot_uniform", "he_normal", "critical", "centred", "gaussian", "unit_norm", "torch_default",
)  # fmt: skip
SCALED = ("critical", "centred", "gaussian")  # the Gaussian ones, which need sigma_w and sigma_b
NORMALIZATIONS = ("none", "batch", "layer")
RESIDUALS = ("none", "plain", "scaled")
DISTORTIONS = ("shift", "rotation", "scaling", "shear", "elastic")  # fields: the strengths of the augmentation
SCHEDULES = ("constant", "cosine")
OPTIMIZERS = ("adam", "sgd")
OUTPUTS = ("softmax", "sigmoid", "relu")
LOSSES = ("crossentropy", "squared_error")
PRECISIONS = ("float32", "float64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold everything that decides a run besides the data and the code; the defaults are the article's protocol.

    - activation: a name of the registry
    - seed: from 0 to 2**32 - 1, decides all that is random
    - depth: number of hidden layers
    - width: units of each hidden layer, or a tuple with one number per layer
    - initialization: one of INITIALIZATIONS; see there
    - sigma_w, sigma_b: sigma_w^2 = fan_in Var(W) and sigma_b^2 = Var(b), for the initialisations SCALED alone
    - first_square: the mean square of z_1 that W_1 is scaled for, for SCALED alone; None scales W_1 by its fan_in
    - normalization: between a layer's affine map and its activation
    - residual: "plain" adds a layer's input to its output, if both have one size; "scaled" first multiplies the output
      by 1 / sqrt(2 depth)
    - dropout: share of every hidden layer's outputs set to 0 in training
    - shift, rotation (degrees), scaling, shear, elastic: the most by which training images are distorted at random.
      Images move by `shift` pixels along each axis. Their axes are scaled by 1 - `scaling` to 1 + `scaling`, and
      sheared by `shear`. The nodes of a grid of 6 x 6 move by `elastic` pixels along each axis
    - weaker_epochs, weaker_share: in the last `weaker_epochs`, distortions have this share of their strength
    - output: turns the logits into the outputs that the loss takes
    - loss: categorical cross-entropy, or the mean squared error over the classes
    - label_smoothing: share of every training label that is spread evenly over the classes
    - optimizer, learning_rate, momentum (SGD), epsilon (Adam): as in Keras
    - schedule: "cosine" lets the learning rate fall to 0 along half a cosine until the last of the `epochs`
    - warm_up: epochs in which the learning rate first rises linearly
    - weight_decay: every update takes learning rate * weight_decay of each kernel off it (AdamW, decoupled)
    - averaging: decay rate of the moving average of the parameters, which is what is evaluated; 0 averages nothing
    - batch: images per batch
    - validation: number of training images held out
    - epochs: the most epochs of a run; 0 measures the initial network and trains nothing
    - patience: stop after so many epochs without a lower validation loss, as Keras' EarlyStopping with min_delta 0;
      None never stops early
    - precision: of the network's numbers
    - noise: amplitudes of the noise on test images on which the trained network is evaluated
    """

    activation: str
    seed: int
    depth: int = 3
    width: int | tuple[int, ...] = 100
    initialization: str = "glorot_uniform"
    sigma_w: float | None = None
    sigma_b: float | None = None
    first_square: float | None = None
    normalization: str = "none"
    residual: str = "none"
    dropout: float = 0.0
    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    weaker_epochs: int = 0
    weaker_share: float = 0.4
    output: str = "softmax"
    loss: str = "crossentropy"
    label_smoothing: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.01
    schedule: str = "constant"
    warm_up: int = 0
    momentum: float = 0.0
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    averaging: float = 0.0
    batch: int = 100
    validation: int = 12_000
    epochs: int = 3000
    patience: int | None = 10
    precision: str = "float32"
    noise: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for field in ("width", "noise"):  # JSON turns a tuple into a list
            if isinstance(value := getattr(self, field), list):
                object.__setattr__(self, field, tuple(value))
        if problems := [sentence for sentence in _problems(self) if sentence]:
            raise UsageError(problems)
        for name in [field.name for field in dataclasses.fields(self) if field.type is float]:
            object.__setattr__(self, name, float(getattr(self, name)))  # 1 and 1.0 are the same setting
        object.__setattr__(self, "noise", tuple(map(float, self.noise)))

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the units of each hidden layer, nearest the input first."""
        return self.width if isinstance(self.width, tuple) else (self.width,) * self.depth

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return dataclasses.asdict(self)


def _whole(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _real(value: object) -> TypeGuard[float]:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return isinstance(value, float) and math.isfinite(value)


def _is_share(value: object) -> TypeGuard[float]:
    return _real(value) and 0 <= value < 1


def _are_amplitudes(value: object) -> bool:
    return isinstance(value, tuple) and all(_real(a) and a >= 0 for a in value)


def _scale_fits(is_scaled: bool, least: float, value: Any) -> bool:
    return _real(value) and value >= least if is_scaled else value is None


def _problems(settings: Settings) -> Iterable[str]:
    def check(field: str, allowed: str, is_good: Callable[[Any], bool]) -> str:
        value = getattr(settings, field)
        return "" if is_good(value) else f"{field} is {value!r}; it must be {allowed}"

    def one_of(field: str, names: tuple[str, ...]) -> str:
        return check(field, "one of " + ", ".join(names), lambda v: v in names)

    def widths_match(value: Any) -> bool:
        if isinstance(value, tuple):
            return len(value) == settings.depth and all(_whole(units, 1) for units in value)
        return _whole(value, 1)

    def warms_up(value: Any) -> bool:
        return _whole(value, 0) and (value == 0 or not _whole(settings.epochs, 0) or value < settings.epochs)

    yield check("activation", "a name of the registry", lambda v: isinstance(v, str) and v != "")
    yield check("seed", "a whole number from 0 to 2**32 - 1", lambda v: _whole(v, 0) and v < 2**32)
    yield check("depth", "a whole number of hidden layers, at least 1", lambda v: _whole(v, 1))
    yield check("width", "a whole number of units, at least 1, or one such number a hidden layer", widths_match)
    yield one_of("initialization", INITIALIZATIONS)
    is_scaled = settings.initialization in SCALED
    for field, least in (("sigma_w", 1e-30), ("sigma_b", 0.0)):
        allowed = f"a finite number of at least {least:g}" if is_scaled else f"None with {settings.initialization}"
        yield check(field, allowed, functools.partial(_scale_fits, is_scaled, least))
    biases = settings.sigma_b**2 if is_scaled and _real(settings.sigma_b) and settings.sigma_b is not None else 0.0
    allowed = f"a finite number above {biases:g}, or None" if is_scaled else f"None with {settings.initialization}"
    yield check("first_square", allowed, lambda v: v is None or (is_scaled and _real(v) and v > biases))
    yield one_of("normalization", NORMALIZATIONS)
    yield one_of("residual", RESIDUALS)
    yield check("dropout", "at least 0 and below 1", _is_share)
    yield check("shift", "a number of pixels from 0 to 27", lambda v: _real(v) and 0 <= v <= 27)
    yield check("rotation", "a number of degrees from 0 to 180", lambda v: _real(v) and 0 <= v <= 180)
    for field in ("scaling", "shear"):
        yield check(field, "at least 0 and below 1", _is_share)
    yield check("elastic", "a number of pixels from 0 to 27", lambda v: _real(v) and 0 <= v <= 27)
    yield check("weaker_epochs", "a whole number of epochs, at least 0", lambda v: _whole(v, 0))
    yield check("weaker_share", "from 0 to 1", lambda v: _real(v) and 0 <= v <= 1)
    yield one_of("output", OUTPUTS)
    yield one_of("loss", LOSSES)
    yield check("label_smoothing", "at least 0 and below 1", _is_share)
    yield one_of("optimizer", OPTIMIZERS)
    yield check("learning_rate", "a finite number above 0", lambda v: _real(v) and v > 0)
    yield one_of("schedule", SCHEDULES)
    yield check("warm_up", "a whole number of epochs, 0 or below epochs", warms_up)
    yield check("momentum", "at least 0 and below 1", _is_share)
    yield check("epsilon", "a finite number above 0", lambda v: _real(v) and v > 0)
    yield check("weight_decay", "a finite number of at least 0", lambda v: _real(v) and v >= 0)
    yield check("averaging", "at least 0 and below 1", _is_share)
    yield check("batch", "a whole number of images, at least 1", lambda v: _whole(v, 1))
    yield check("validation", "a whole number of images, at least 1", lambda v: _whole(v, 1))
    yield check("epochs", "a whole number, at least 0", lambda v: _whole(v, 0))
    yield check("patience", "a whole number of epochs, at least 1, or None", lambda v: v is None or _whole(v, 1))
    yield one_of("precision", PRECISIONS)
    yield check("noise", "amplitudes, each a finite number of at least 0", _are_amplitudes)
