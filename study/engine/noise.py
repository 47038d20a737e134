"""Evaluate a trained network on noisy test images."""

import numpy as np
import tensorflow as tf

from study.engine.layer_groups import PIXELS
from study.engine.network import weights_of
from study.engine.run import Run
from study.engine.seeds import seed_for

IMAGES_AT_ONCE = 1000


def evaluate_with_noise(run: Run) -> dict[str, list[float]]:
    """Return the lists `amplitude`, `test_loss` and `test_accuracy` of a trained run on noisy test images.

    The weights are the last ones, or their moving averages if the run has any. Each list has one entry for each
    amplitude a in the run's setting `noise`. The inputs are x + a U, where x in [0, 1]^784 is the image and U is one
    draw of Unif[-1, 1] for each image and pixel. The run's seed decides U, so that U is the same for every activation
    and every amplitude.
    """
    settings, images, network = run.settings, run.images, run.programs.network
    weights = run.parameters_of_all_pixels(run.state), weights_of(run.state)[1]
    rng = np.random.default_rng(seed_for(settings.seed, "noise"))
    sums = np.zeros((2, len(settings.noise)))
    for chunk in np.split(images.test_indices, range(IMAGES_AT_ONCE, len(images.test_indices), IMAGES_AT_ONCE)):
        inked = network.inputs(tf.gather(images.images, tf.constant(chunk, tf.int32))).numpy()
        x = tf.constant(images.widened(inked, np.zeros((len(chunk), PIXELS), inked.dtype)))
        unit = tf.constant(rng.uniform(-1, 1, x.shape), settings.precision)
        y = tf.cast(tf.gather(images.labels, chunk), tf.int32)
        for place, amplitude in enumerate(settings.noise):
            scores = network.scores(run.counts, weights, x + amplitude * unit, y)
            sums[:, place] += np.sum(scores.loss.numpy()), np.sum(scores.accuracy.numpy())
    loss, accuracy = (sums / max(len(images.test_indices), 1)).tolist()
    return {"amplitude": list(settings.noise), "test_loss": loss, "test_accuracy": accuracy}
