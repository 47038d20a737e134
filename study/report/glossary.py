"""The report's terms, in the words of a learner.

Definitions are those of the engine's measures and of mean-field theory."""

from study.constants import CHANCE_LEVEL, TRAINED_LEVEL

TITLE = "Words used"
TERMS = {
    "Layer": (
        "layers are numbered from 1, nearest the input; z is what a layer's activation receives, h what it returns."
    ),
    "Error signal": (
        "the derivative of one example's loss by z, a vector a layer; its norm here is the root mean square over the "
        "examples of a batch. What backpropagation hands from layer to layer, and what vanishes."
    ),
    "Weight gradient": (
        "the derivative of the batch's mean loss by a layer's weights, with its Frobenius norm: the error signal "
        "times the layer's input, averaged over the examples."
    ),
    "Forward signal": "the root mean square of h.",
    "Dead unit": (
        "a unit whose slope is below 0.001 of the activation's largest for each of 1,000 validation images: it learns "
        "nothing from any of them."
    ),
    "Saturated entry": "one unit for one image with a slope below 0.05 of the largest.",
    "Sparsity": "the share of entries of h that are exactly 0.",
    "sigma_w, sigma_b": (
        "the scales of initial weights and biases: weights have the variance sigma_w^2 / inputs, biases sigma_b^2."
    ),
    "q, q\\*": "the mean square of z in a layer, and the value it settles at with depth.",
    "chi": (
        "the factor by which a layer changes the mean square of the error signal. Where it is 1 at q\\*, the scales "
        "are critical: errors neither vanish nor explode."
    ),
    "xi": (
        "the depth scale: the layers after which what two inputs have in common has come e times closer to its limit."
    ),
    "Trained": (
        f"a best validation accuracy of at least {TRAINED_LEVEL:.0%}; below {CHANCE_LEVEL:.0%} a run stayed at chance."
    ),
    "Points": "percentage points of accuracy.",
    "Finalist": "one of the two learning rates that a first round of few seeds leaves an activation to be chosen from.",
    "Tuned": "with the learning rate that did best on validation images, on seeds that chose nothing.",
}


def listed() -> str:
    """The terms as a Markdown list."""
    return "\n".join(f"- **{term}**: {meaning}" for term, meaning in TERMS.items())
