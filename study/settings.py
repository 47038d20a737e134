"""Define the settings of one run. They are frozen, and checked once, when they are made."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

from study.errors import UsageError

# Keras defines glorot_uniform and he_normal. critical, centred and gaussian draw Gaussian weights of variance
# sigma_w^2 / fan_in. critical is for theory's values of sigma_w and sigma_b, and gaussian for any other values. centred
# sets the biases so that a sigmoid network computes at first what a tanh network does. unit_norm draws normal kernels
# and scales every unit's incoming weights to norm 1. torch_default draws kernels and biases from
# Unif[-1, 1] / sqrt(fan_in), as PyTorch's Linear layer does.
INITIALIZATIONS = (
    "glorot_uniform", "he_normal", "critical", "centred", "gaussian", "unit_norm", "torch_default",
)  # fmt: skip
SCALED = ("critical", "centred", "gaussian")  # the initialisations that need sigma_w and sigma_b
DISTORTIONS = ("shift", "rotation", "scaling", "shear", "elastic")  # settings: strengths of the distortions of images
OPTIMIZERS = ("adam", "sgd")
OUTPUTS = ("softmax", "sigmoid", "relu")
LOSSES = ("crossentropy", "squared_error")

# The allowed values in words, and a function that tells whether a value is allowed.
Rule = tuple[str, Callable[[Any], bool]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold everything that decides a run besides the data and the code; the defaults are the article's protocol.

    Raise UsageError, with a sentence for each bad setting, if any value is not allowed.

    - activation: a name of the registry
    - seed: from 0 to 2**32 - 1, decides all that is random
    - depth: number of hidden layers
    - width: units of each hidden layer, or a tuple with one number per layer, nearest the input first
    - initialization: one of INITIALIZATIONS; the comment there says what each does
    - sigma_w, sigma_b: sigma_w^2 = fan_in Var(W) and sigma_b^2 = Var(b), for the initialisations SCALED alone
    - first_square: mean square pre-activation that layer 1 is scaled to have, for SCALED alone; with None, the weights
      of layer 1 have variance sigma_w^2 / fan_in like the others
    - normalization: "batch" or "layer" normalisation between a layer's affine map and its activation, or "none"
    - residual: "plain" adds a layer's input to its output, if both have one size; "scaled" first multiplies the output
      by 1 / sqrt(2 depth)
    - dropout: share of every hidden layer's outputs set to 0 in training
    - shift, rotation (degrees), scaling, shear, elastic: the most by which training images are distorted at random.
      Images move by `shift` pixels along each axis. Their axes are scaled by 1 - `scaling` to 1 + `scaling`, and
      sheared by `shear`. The nodes of a grid of 6 x 6 move by `elastic` pixels along each axis
    - weaker_epochs, weaker_share: in the last `weaker_epochs` of the `epochs`, all distortions are multiplied by
      `weaker_share`
    - output: one of OUTPUTS, the function that turns the logits into the outputs that the loss takes
    - loss: categorical cross-entropy, or the mean squared error over the classes
    - label_smoothing: share of every training label that is spread evenly over the classes
    - optimizer, learning_rate, momentum (SGD), epsilon (Adam): as in Keras
    - schedule: "constant", or "cosine": the learning rate falls to 0 along half a cosine until the last of the `epochs`
    - warm_up: number of first epochs in which the learning rate rises linearly to `learning_rate`
    - weight_decay: every update subtracts learning rate * weight_decay * kernel from each kernel (AdamW, decoupled)
    - averaging: decay rate of the moving average of the parameters. The average is evaluated instead of the parameters
      themselves; 0 averages nothing
    - batch: images per batch
    - validation: number of training images held out
    - epochs: the most epochs of a run; 0 measures the initial network and trains nothing
    - patience: stop after so many epochs without a lower validation loss, as Keras' EarlyStopping with min_delta 0;
      None never stops early
    - precision: floating-point type of the network's numbers, "float32" or "float64"
    - noise: amplitudes a of the noise Unif[-a, a] on test images, under which the trained network is evaluated
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
        """Turn lists into tuples, and whole numbers of float fields into floats; raise UsageError for bad values."""
        for field in ("width", "noise"):  # JSON turns a tuple into a list
            if isinstance(value := getattr(self, field), list):
                object.__setattr__(self, field, tuple(value))
        if problems := list(_problems(self)):
            raise UsageError(problems)
        for name in [field.name for field in dataclasses.fields(self) if field.type is float]:
            object.__setattr__(self, name, float(getattr(self, name)))  # 1 and 1.0 are the same setting
        object.__setattr__(self, "noise", tuple(map(float, self.noise)))

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the units of each hidden layer, nearest the input first."""
        return self.width if isinstance(self.width, tuple) else (self.width,) * self.depth

    def to_dict(self) -> dict[str, Any]:
        """Return all fields by name, ready for JSON."""
        return dataclasses.asdict(self)


def _is_whole(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(value: object, least: float = -math.inf, most: float = math.inf) -> TypeGuard[float]:
    """Tell whether `value` is a finite number from `least` to `most`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53 and least <= value <= most  # floats hold every smaller whole number exactly
    return isinstance(value, float) and math.isfinite(value) and least <= value <= most


def _choice_rule(*names: str) -> Rule:
    return "one of " + ", ".join(names), lambda value: value in names


def _whole_rule(least: int, what: str) -> Rule:
    return f"a whole number{what}, at least {least}", lambda value: _is_whole(value, least)


def _are_amplitudes(value: object) -> bool:
    return isinstance(value, tuple) and all(_is_real(a, 0) for a in value)


SHARE: Rule = "at least 0 and below 1", lambda value: _is_real(value, 0) and value < 1
NOT_NEGATIVE: Rule = "a finite number of at least 0", lambda value: _is_real(value, 0)
POSITIVE: Rule = "a finite number above 0", lambda value: _is_real(value) and value > 0
RULES: dict[str, Rule] = {  # by field: the rules of the fields that can be checked without the other fields
    "activation": ("a name of the registry", lambda value: isinstance(value, str) and value != ""),
    "seed": ("a whole number from 0 to 2**32 - 1", lambda value: _is_whole(value, 0) and value < 2**32),
    "depth": _whole_rule(1, " of hidden layers"),
    "initialization": _choice_rule(*INITIALIZATIONS),
    "normalization": _choice_rule("none", "batch", "layer"),
    "residual": _choice_rule("none", "plain", "scaled"),
    **dict.fromkeys(("dropout", "scaling", "shear", "label_smoothing", "momentum", "averaging"), SHARE),
    **dict.fromkeys(("shift", "elastic"), ("a number of pixels from 0 to 27", lambda value: _is_real(value, 0, 27))),
    "rotation": ("a number of degrees from 0 to 180", lambda value: _is_real(value, 0, 180)),
    "weaker_epochs": _whole_rule(0, " of epochs"),
    "weaker_share": ("from 0 to 1", lambda value: _is_real(value, 0, 1)),
    "output": _choice_rule(*OUTPUTS),
    "loss": _choice_rule(*LOSSES),
    "optimizer": _choice_rule(*OPTIMIZERS),
    **dict.fromkeys(("learning_rate", "epsilon"), POSITIVE),
    "schedule": _choice_rule("constant", "cosine"),
    "weight_decay": NOT_NEGATIVE,
    **dict.fromkeys(("batch", "validation"), _whole_rule(1, " of images")),
    "epochs": _whole_rule(0, ""),
    "patience": ("a whole number of epochs, at least 1, or None", lambda value: value is None or _is_whole(value, 1)),
    "precision": _choice_rule("float32", "float64"),
    "noise": ("amplitudes, each a finite number of at least 0", _are_amplitudes),
}


def _problems(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each bad field of `settings`, in the order of fields: name, value and what is allowed."""
    rules = {**RULES, **_joint_rules(settings)}
    for field in dataclasses.fields(settings):
        (allowed, is_good), value = rules[field.name], getattr(settings, field.name)
        if not is_good(value):
            yield f"{field.name} is {value!r}; it must be {allowed}"


def _joint_rules(settings: Settings) -> dict[str, Rule]:
    """Return {field: rule} for the fields whose allowed values depend on another field of `settings`."""

    def widths_match(value: Any) -> bool:
        if isinstance(value, tuple):
            return len(value) == settings.depth and all(_is_whole(units, 1) for units in value)
        return _is_whole(value, 1)

    def warms_up(value: Any) -> bool:
        return _is_whole(value, 0) and (value == 0 or not _is_whole(settings.epochs, 0) or value < settings.epochs)

    widths: Rule = "a whole number of units, at least 1, or one such number a hidden layer", widths_match
    found: dict[str, Rule] = {"width": widths, "warm_up": ("a whole number of epochs, 0 or below epochs", warms_up)}
    if settings.initialization not in SCALED:
        none: Rule = f"None with {settings.initialization}", lambda value: value is None
        return {**found, **dict.fromkeys(("sigma_w", "sigma_b", "first_square"), none)}
    sigma_b = settings.sigma_b
    least = sigma_b**2 if _is_real(sigma_b) else 0.0  # the biases alone give layer 1 this mean square
    found["sigma_w"] = "a finite number of at least 1e-30", lambda value: _is_real(value, 1e-30)
    found["sigma_b"] = NOT_NEGATIVE
    above = f"a finite number above {least:g}, or None"
    found["first_square"] = above, lambda value: value is None or (_is_real(value) and value > least)
    return found
