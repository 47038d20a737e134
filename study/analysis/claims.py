"""State published claims and the rules for their verdicts, fixed here before the runs that they judge.

Each part of a claim is one measured quantity, with the region in which the claim puts it (`constants.ACCEPTED`). A part
is reproduced if the whole interval lies in that region, contradicted if the whole interval lies outside it, and
inconclusive otherwise. A part without a region stands beside the others and judges nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from study.analysis.statistics import Interval
from study.constants import ACCEPTED, P4_LOSSES

SCALED_DOWN = " (scaled down)"  # ends the verdict on a protocol that is smaller than the source's
REPRODUCED, CONTRADICTED, INCONCLUSIVE = "reproduced", "contradicted", "inconclusive"
NOT_REACHED = "not reached here"  # what is claimed to be possible
NOT_TESTABLE = "not testable here"  # there is no interval
NOT_RUN, BESIDE = "not run", "beside"
DIFFERS = "different by aspect"  # the verdict on a claim whose aspects have different ones
NOTHING = Interval(math.nan, math.nan, math.nan, 0)
JUDGED = tuple(word + scale for word in (REPRODUCED, CONTRADICTED, INCONCLUSIVE) for scale in ("", SCALED_DOWN))
SEVERITY = (  # the first that a part has is the whole's
    CONTRADICTED, CONTRADICTED + SCALED_DOWN, INCONCLUSIVE, INCONCLUSIVE + SCALED_DOWN, NOT_REACHED, NOT_TESTABLE,
    NOT_RUN, REPRODUCED + SCALED_DOWN, REPRODUCED,
)  # fmt: skip
CHANGED = ("A3", "A5", "P2", "P3", "P4", "P5", "P6", "P7", "P8")  # in what is measured, after numbers had been seen
CHANGED_ON = "2026-11-28"  # runs of an earlier day are among those seen
VERDICTS = (*JUDGED, NOT_REACHED, NOT_TESTABLE, DIFFERS, NOT_RUN)  # in the order of the report


@dataclass(frozen=True)
class Claim:
    """State a claim of the literature; `parts` names the quantity that is measured for each part.

    `aspects` names, by part, what the part is about, if the claim is judged by each aspect alone. The parts of
    `possible` say that something can be reached, which a failure does not contradict. `target` is the make target
    whose runs judge the claim, but for the parts that `targets` names another for.
    """

    statement: str
    source: str
    protocol: str
    parts: Mapping[str, str]
    aspects: Mapping[str, str] = field(default_factory=dict)
    possible: tuple[str, ...] = ()
    target: str = "all"
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """Hold the measurement of one part of a claim, and the verdict on it.

    `remark` tells how the runs differ from the published protocol.
    """

    claim: str
    part: str
    measured: Interval
    verdict: str
    remark: str = ""


ARTICLE = "the article (a tutorial on ReLU for working data scientists)"
BY_NORM = {"_weights": "weight gradients", "_error": "the error"}  # the aspect by the end of a part's name

CLAIMS: dict[str, Claim] = {
    "A1": Claim(
        "ReLU is cheap to compute.",
        ARTICLE,
        "time per element, forward and backward, timed alone",
        {"elementwise": "ReLU's time per element over the time of the cheapest other activation studied"},
    ),
    "A2": Claim(
        "ReLU's exact zeros express units that do not fire, and improve accuracy; the sigmoid has none.",
        ARTICLE,
        "the article's network after training, 1,000 validation images",
        {
            "relu": "share of the hidden layers' outputs that are exactly 0, ReLU",
            "sigmoid": "share of the hidden layers' outputs that are exactly 0, sigmoid",
            "zeros": "test accuracy of ReLU minus that of leaky ReLU (slope 0.01), which has no exact zeros, paired",
        },
        {"relu": "zeros", "sigmoid": "zeros", "zeros": "accuracy by 0.2 points"},
    ),
    "A3": Claim(
        "The sigmoid's slope is at most 0.25, so its gradients shrink layer by layer; ReLU's is 1, so they do not.",
        ARTICLE,
        "Keras' default initialisation, 50 hidden layers of 100 units, at initialisation; weights from layer 2",
        {
            "sigmoid_weights": "factor of the weight gradient's norm per hidden layer, sigmoid",
            "relu_weights": "factor of the weight gradient's norm per hidden layer, ReLU",
            "sigmoid_error": "factor of the error's norm per hidden layer, sigmoid",
            "relu_error": "factor of the error's norm per hidden layer, ReLU",
        },
        {name + ending: aspect for name in ("sigmoid", "relu") for ending, aspect in BY_NORM.items()},
    ),
    "A4": Claim(
        "ReLU is a poor output activation.",
        ARTICLE,
        "the article's network with ReLU, sigmoid or softmax outputs",
        {
            "crossentropy": "share of seeds whose ReLU output diverges or ends worse than softmax, cross-entropy",
            "squared_error": "test accuracy with a ReLU output minus that with softmax, mean squared error",
        },
    ),
    "A5": Claim(
        "The network reaches 96.96% on the test images, and can be tuned to 99%.",
        ARTICLE,
        "the article's network, ReLU; and one tuned on validation alone",
        {
            "accuracy": "mean test accuracy of the article's network over seeds",
            "ninety_nine": "test accuracy of the network tuned on validation",
        },
        {"accuracy": "96.96%", "ninety_nine": "99%"},
        possible=("ninety_nine",),
        targets={"ninety_nine": "ninety_nine"},
    ),
    "P1": Claim(
        "GELU beats ELU and ReLU in training loss, with and without dropout.",
        "Hendrycks & Gimpel 2016, section 3.1",
        "784-8x128-10, Adam, rate from {1e-3, 1e-4, 1e-5} on 5,000 validation images, batch 128, 50 epochs, median "
        "of 5, dropout keep 1 or 0.5, unit-norm incoming weights, tanh approximation",
        {
            "relu": "final training loss of GELU over ReLU's, no dropout",
            "elu": "final training loss of GELU over ELU's, no dropout",
            "relu_dropout": "final training loss of GELU over ReLU's, dropout 0.5",
            "elu_dropout": "final training loss of GELU over ELU's, dropout 0.5",
        },
        target="claims",
    ),
    "P2": Claim(
        "GELU matches or exceeds ReLU under input noise.",
        "Hendrycks & Gimpel 2016, section 3.1",
        "the networks of P1 without dropout; Unif[-a, a] added to the test images, a from 0 to 3",
        {"accuracy": "test accuracy of GELU minus ReLU's, mean over the amplitudes above 0"},
        target="claims",
    ),
    "P3": Claim(
        "Swish trains at 40 to 50 layers where ReLU fails.",
        "Ramachandran, Zoph & Le 2017, section 5 (fully connected networks on MNIST)",
        "batch normalisation and dropout, 45 hidden layers",
        {
            "trains": "share of seeds at which Swish trains and ReLU does not, 45 hidden layers",
            "difference": "validation accuracy at the lowest validation loss of Swish minus ReLU's, 45 hidden layers",
        },
        target="claims",
    ),
    "P4": Claim(
        "ELU's mean activations are nearer zero than ReLU's, and it learns faster.",
        "Clevert, Unterthiner & Hochreiter 2015, section 4.1",
        "784-8x128-10, SGD 0.01, batch 64, He initialisation, 300 epochs",
        {
            "mean": "absolute mean of the hidden layers' outputs after training, ELU over ReLU",
            **{f"to_{loss:g}": f"epochs to a training loss of {loss:g}, ELU over ReLU" for loss in P4_LOSSES},
            "final_loss": "training loss after the last epoch, ELU over ReLU",
        },
        {"mean": "mean activations", **dict.fromkeys((f"to_{loss:g}" for loss in P4_LOSSES), "speed")},
        target="claims",
    ),
    "P5": Claim(
        "He initialisation keeps the gradients of a deep ReLU network where Glorot's loses them.",
        "He, Zhang, Ren & Sun 2015, section 2.2",
        "30 layers, at initialisation; the error from layer 1, weights from layer 2",
        {
            "glorot_weights": "weight gradient's norm at the first layer over that at the last hidden layer, Glorot",
            "he_weights": "weight gradient's norm at the first layer over that at the last hidden layer, He",
            "glorot_error": "error's norm at the first layer over that at the last hidden layer, Glorot",
            "he_error": "error's norm at the first layer over that at the last hidden layer, He",
            "size": "weight gradient's norm at the first layer, Glorot over He",
        },
        {name + ending: aspect for name in ("glorot", "he") for ending, aspect in BY_NORM.items()},
    ),
    "P6": Claim(
        "A sigmoid network of 4 hidden layers stays at chance.",
        "Lippe, UvA deep learning tutorial 3 (on Fashion-MNIST)",
        "hidden 512-256-256-128, SGD 0.01, momentum 0.9, batch 256, up to 50 epochs, PyTorch's initialisation",
        {
            "torch": "validation accuracy at the lowest validation loss, PyTorch's default initialisation",
            "keras": "validation accuracy at the lowest validation loss, Keras' default initialisation",
        },
        target="claims",
    ),
    "P7": Claim(
        "A network trains to a depth of about 6 xi.",
        "Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017",
        "tanh, Gaussian weights, a grid of depth and sigma_w, SGD",
        {"depth": "deepest network that trains over 6 xi, geometric mean over sigma_w"},
        target="claims",
    ),
    "P8": Claim(
        "Smooth gates cannot be distinguished, and n = 3 finds differences that a larger n does not.",
        "the tables of the Mish repository (Misra 2019), n = 3 beside n = 23",
        "the study's tuned runs, resampled at n = 3; a winner is Welch p < 0.05",
        {
            "gates": "test accuracy of Swish minus GELU's, paired",
            "small_n": "share of draws of 3 runs with a false winner, minus the share that noise alone gives",
        },
    ),
    "P9": Claim(
        "Narrow deep ReLU networks are born dead.",
        "Lu, Shin, Su & Karniadakis 2019",
        "width 2 to 10, 10 hidden layers, He initialisation; dead: some layer wholly dead on the probe images",
        {
            "narrow": "share of networks born dead, width 2",
            "wide": "share of networks born dead, width 10",
        },
    ),
}


def judge(claim: str, part: str, measured: Interval, remark: str = "", scaled_down: str = "") -> Judgement:
    """Judge one part of a claim by the interval measured; KeyError if the claim has no such part.

    `scaled_down` says what was smaller than in the source's protocol; the verdict's word then says that something was.
    """
    if part not in CLAIMS[claim].parts:
        raise KeyError(f"claim {claim} has no part {part!r}; its parts: {', '.join(CLAIMS[claim].parts)}")
    verdict = _verdict(claim, part, measured)
    if scaled_down and verdict in JUDGED:
        verdict += SCALED_DOWN
    return Judgement(claim, part, measured, verdict, "; ".join(filter(None, (scaled_down, remark))))


def fewer_epochs(run: int, published: int) -> str:
    """Say that `run` epochs are fewer than the source's, as `judge` takes it; nothing if they are not."""
    return f"{run} epochs instead of {published}" if run < published else ""


def _verdict(claim: str, part: str, measured: Interval) -> str:
    if part not in ACCEPTED[claim]:
        return BESIDE
    low, high = ACCEPTED[claim][part]
    if math.isnan(measured.low) or math.isnan(measured.high):
        return NOT_TESTABLE
    if low <= measured.low and measured.high <= high:
        return REPRODUCED
    if part in CLAIMS[claim].possible:
        return NOT_REACHED
    return CONTRADICTED if measured.high < low or high < measured.low else INCONCLUSIVE


def overall(verdicts: Sequence[str]) -> str:
    """Return the verdict on a whole from the verdicts of its parts, all of which it claims."""
    return next(verdict for verdict in SEVERITY if verdict in verdicts)


def table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Return the rows of claims.csv, one a part of every claim; parts without a judgement are "not run"."""
    found = {(judgement.claim, judgement.part): judgement for judgement in judgements}
    rows = []
    for name, claim in CLAIMS.items():
        typed = {part: f"make {claim.targets.get(part, claim.target)}" for part in claim.parts}
        unjudged = {part: Judgement(name, part, NOTHING, NOT_RUN, remark) for part, remark in typed.items()}
        parts = [found.get((name, part), judgement) for part, judgement in unjudged.items()]
        verdicts: dict[str, list[str]] = {}
        for judgement in parts:
            if judgement.part in ACCEPTED[name]:
                verdicts.setdefault(claim.aspects.get(judgement.part, ""), []).append(judgement.verdict)
        rows += [_row(judgement, {aspect: overall(each) for aspect, each in verdicts.items()}) for judgement in parts]
    return pd.DataFrame(rows)


def _row(judgement: Judgement, by_aspect: Mapping[str, str]) -> dict[str, object]:
    claim, measured = CLAIMS[judgement.claim], judgement.measured
    aspect = claim.aspects.get(judgement.part, "")
    return {
        "claim": judgement.claim,
        "part": judgement.part,
        "statement": claim.statement,
        "source": claim.source,
        "protocol": claim.protocol,
        "quantity": claim.parts[judgement.part],
        "expected": _region(*ACCEPTED[judgement.claim].get(judgement.part, (-math.inf, math.inf))),
        "measured": measured.estimate,
        "ci_low": measured.low,
        "ci_high": measured.high,
        "n": measured.n,
        "verdict": judgement.verdict,
        "aspect": aspect,
        "aspect_verdict": by_aspect.get(aspect, ""),
        "claim_verdict": DIFFERS if len(set(by_aspect.values())) > 1 else next(iter(by_aspect.values())),
        "remark": judgement.remark,
    }


def _region(low: float, high: float) -> str:
    if math.isinf(low):
        return "" if math.isinf(high) else f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
