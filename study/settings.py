"""Define the settings of one run. They are frozen, and checked once, when they are made."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

from study.errors import UsageError

INITIALIZATIONS = (  # of hidden layers; study/engine/initialization.py says which hold for the output layer too
    "glorot_uniform",  # as Keras defines it
    "he_normal",  # as Keras defines it
    "critical",  # Gaussian weights of variance sigma_w^2 / fan_in, with theory's values of sigma_w and sigma_b
    "centred",  # the same weights, with biases that make a sigmoid network compute at first what a tanh network does
    "gaussian",  # the same weights, with any values of sigma_w and sigma_b
    "unit_norm",  # normal kernels, with every unit's incoming weights scaled to norm 1
    "torch_default",  # kernels and biases from Unif[-1, 1] / sqrt(fan_in), as in PyTorch's Linear layer
)
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
    """

    activation: str  # a name of the registry
    seed: int  # from 0 to 2**32 - 1, decides all that is random
    depth: int = 3  # number of hidden layers
    width: int | tuple[int, ...] = 100  # units of each hidden layer, or one number per layer, nearest the input first
    initialization: str = "glorot_uniform"  # one of INITIALIZATIONS
    sigma_w: float | None = None  # sigma_w^2 = fan_in Var(W); this and the next two: SCALED initialisations alone
    sigma_b: float | None = None  # sigma_b^2 = Var(b)
    first_square: float | None = None  # mean square z that layer 1 is scaled to have, not if centred; None: by sigma_w
    normalization: str = "none"  # or "batch" or "layer"; between a layer's affine map and its activation
    residual: str = "none"  # or "plain": input + output, if of one size; or "scaled": input + output / sqrt(2 depth)
    dropout: float = 0.0  # share of every hidden layer's outputs set to 0 in training
    # The most by which training images are distorted at random.
    shift: float = 0.0  # pixels along each axis
    rotation: float = 0.0  # degrees
    scaling: float = 0.0  # each axis is scaled by 1 - scaling to 1 + scaling
    shear: float = 0.0  # tangent of the angle
    elastic: float = 0.0  # pixels along each axis, by which the nodes of a grid of 6 x 6 move
    weaker_epochs: int = 0  # number of last epochs in which all distortions are multiplied by `weaker_share`
    weaker_share: float = 0.4
    output: str = "softmax"  # one of OUTPUTS, the function that turns the logits into the outputs that the loss takes
    loss: str = "crossentropy"  # categorical cross-entropy; or "squared_error", the mean over the classes
    label_smoothing: float = 0.0  # share of every training label that is spread evenly over the classes
    optimizer: str = "adam"  # one of OPTIMIZERS, as in Keras
    learning_rate: float = 0.01
    schedule: str = "constant"  # or "cosine": the learning rate falls to 0 along half a cosine until the last epoch
    warm_up: int = 0  # number of first epochs in which the learning rate rises linearly to `learning_rate`
    momentum: float = 0.0  # of SGD
    epsilon: float = 1e-7  # of Adam
    weight_decay: float = 0.0  # every update subtracts learning rate * weight_decay * kernel (AdamW, decoupled)
    averaging: float = 0.0  # decay rate of the moving average of the parameters, which is evaluated; 0 averages nothing
    batch: int = 100  # images
    validation: int = 12_000  # training images held out
    epochs: int = 3000  # at most; 0 measures the initial network and trains nothing
    patience: int | None = 10  # epochs without a lower validation loss before training stops; None never stops early
    precision: str = "float32"  # or "float64", the type of the network's numbers
    noise: tuple[float, ...] = ()  # amplitudes a of the noise Unif[-a, a] under which test images are classified too

    def __post_init__(self) -> None:
        """Turn lists into tuples, and whole numbers of float fields into floats; raise UsageError for bad values."""
        for name in ("width", "noise"):  # JSON turns a tuple into a list
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        if problems := list(_problems(self)):
            raise UsageError(problems)
        for field in dataclasses.fields(self):
            if field.type in (float, float | None) and (value := getattr(self, field.name)) is not None:
                object.__setattr__(self, field.name, float(value))  # 1 and 1.0 are the same setting
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
    none: Rule = f"None with {settings.initialization}", lambda value: value is None
    if settings.initialization not in SCALED:
        return {**found, **dict.fromkeys(("sigma_w", "sigma_b", "first_square"), none)}
    sigma_b = settings.sigma_b
    least = sigma_b**2 if _is_real(sigma_b) else 0.0  # the biases alone give layer 1 this mean square
    found["sigma_w"] = "a finite number of at least 1e-30", lambda value: _is_real(value, 1e-30)
    found["sigma_b"] = NOT_NEGATIVE
    above = f"a finite number above {least:g}, or None"
    found["first_square"] = above, lambda value: value is None or (_is_real(value) and value > least)
    if settings.initialization == "centred":  # whose layer 1 is never scaled
        found["first_square"] = none
    return found
