"""Compute the study's network in numpy, as a second method for its gradients and measures."""

import numpy as np


class NumpyNetwork:
    """Compute a network and its measures in numpy and float64, as directly as the definitions allow.

    `layers` is a list of (W_l, b_l), or, with normalisation, (W_l, b_l, gamma_l, beta_l), l = 1 to L + 1. `phi` maps an
    array to the activation's values and derivatives. `normalization` is "none", "batch" or "layer", and `residual` is
    "none", "plain" or "scaled". B is the number of examples. `deltas`, `gradients` and `measures` are for networks
    without normalisation and residual connections; finite differences check the others.
    """

    def __init__(self, layers, phi, normalization="none", residual="none") -> None:
        self.layers = [tuple(np.array(array, np.float64) for array in layer) for layer in layers]
        self.axis, self.residual = {"none": None, "batch": 0, "layer": 1}[normalization], residual
        self._phi, self._known = phi, {}

    def phi(self, z):
        """Return the activation's values and derivatives at z; equal arrays are computed once."""
        key = z.shape, z.tobytes()
        if key not in self._known:
            self._known[key] = self._phi(z)
        return self._known[key]

    def forward(self, x, nudges=None):
        """Return two lists over the layers: inputs h_{l-1} (B, fan_in) and pre-activations z_l (B, units).

        x (B, inputs) holds the examples. `nudges` maps a layer's number l, from 1, to an array (B, units) that is added
        to z_l.
        """
        inputs, preactivations = [], []
        h = np.asarray(x, np.float64)
        for number, (kernel, bias, *scales) in enumerate(self.layers, start=1):
            z = h @ kernel + bias
            if scales:
                centred = z - z.mean(self.axis, keepdims=True)
                z = scales[0] * centred / np.sqrt(z.var(self.axis, keepdims=True) + 0.001) + scales[1]
            z = z + (nudges or {}).get(number, 0)
            inputs.append(h)
            preactivations.append(z)
            is_added = self.residual != "none" and number > 1 and h.shape == z.shape
            scale = (2 * (len(self.layers) - 1)) ** -0.5 if self.residual == "scaled" else 1.0
            h = scale * self.phi(z)[0] + h if is_added else self.phi(z)[0]
        return inputs, preactivations

    def losses(self, x, y, nudges=None):
        """Return the cross-entropy of every example (B,), for labels y (B,); `nudges` is as in `forward`."""
        logits = self.forward(x, nudges)[1][-1]
        top = logits.max(1)
        return np.log(np.exp(logits - top[:, None]).sum(1)) + top - logits[np.arange(len(y)), y]

    def outputs(self, x):
        """Return the softmax of the logits: an array (B, classes)."""
        logits = self.forward(x)[1][-1]
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    def hits(self, x, y) -> int:
        return int((self.forward(x)[1][-1].argmax(1) == y).sum())

    def deltas(self, x, y):
        """Return a list over the layers of delta_l (B, units): row i is the gradient of example i's loss in z_l."""
        _, preactivations = self.forward(x)
        delta = self.outputs(x)
        delta[np.arange(len(y)), y] -= 1
        found = [delta]
        for (kernel, _), z in zip(self.layers[:0:-1], preactivations[-2::-1], strict=True):
            found.insert(0, found[0] @ kernel.T * self.phi(z)[1])
        return found

    def gradients(self, x, y):
        """Return the gradients of the mean loss over the batch x, y, in the order W_1, b_1, W_2, b_2, ..."""
        pairs = zip(self.forward(x)[0], self.deltas(x, y), strict=True)
        return [array for h, delta in pairs for array in (h.T @ delta / len(y), delta.mean(0))]

    def measures(self, x, y, probe, supremum):
        """Return {measure: list over the L + 1 layers}, for all of the study's measures but update_ratio.

        Gradients and signals are measured on the batch x (B, inputs), y (B,), units and similarity on the inputs
        `probe`. `supremum` is the largest |phi'|. Measures that need an activation are NaN in the output layer.
        """
        inputs, preactivations = self.forward(x)
        sizes = [np.array([np.linalg.norm(example) for example in delta]) for delta in self.deltas(x, y)]
        lengths = [np.array([np.linalg.norm(example) for example in h]) for h in inputs]
        shown = self.forward(probe)[1]
        hidden = [(self.phi(z)[0] == 0, np.abs(self.phi(z)[1])) for z in shown[:-1]]
        of_hidden = {
            "activation_rms": [np.sqrt(np.mean(self.phi(z)[0] ** 2)) for z in preactivations[:-1]],
            "activation_mean": [self.phi(z)[0].mean() for z in preactivations[:-1]],
            "dead_units": [np.mean((slope < 0.001 * supremum).all(0)) for _, slope in hidden],
            "saturation": [np.mean(slope < 0.05 * supremum) for _, slope in hidden],
            "sparsity": [np.mean(is_zero) for is_zero, _ in hidden],
        }
        return {
            "weight_gradient": [np.sqrt((array**2).sum()) for array in self.gradients(x, y)[::2]],
            "error": [np.sqrt((size**2).mean()) for size in sizes],
            "example_weight_gradient": [
                np.sqrt(((size * length) ** 2).mean()) for size, length in zip(sizes, lengths, strict=True)
            ],
            "preactivation_square": [(z**2).mean() for z in preactivations],
            "similarity": [mean_cosine(z) for z in shown],
            **{name: [*values, np.nan] for name, values in of_hidden.items()},
        }


def mean_cosine(z):
    """Return the mean cosine over all pairs of different rows of z.

    A row of zeros has cosine 1 with another such row, and 0 with every other row.
    """
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    directions = np.divide(z, lengths, out=np.zeros_like(z), where=lengths > 0)
    cosines = directions @ directions.T + (lengths == 0) @ (lengths == 0).T
    return cosines[np.triu_indices(len(z), 1)].mean()
