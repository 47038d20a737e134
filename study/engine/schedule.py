"""Compute the learning rate of every update."""

import numpy as np

from study.settings import Settings


def learning_rates(settings: Settings, steps: int, epoch: int) -> np.ndarray:
    """Return the learning rates (steps + 1,) of the last update before an epoch, and of the `steps` updates in it.

    Epochs are counted from 1. The rates rise linearly to `learning_rate` over the first `warm_up` epochs. If `schedule`
    is "cosine", they then fall along half a cosine to 0 (Loshchilov & Hutter 2017, without restarts).
    """
    update = np.arange((epoch - 1) * steps, epoch * steps + 1)  # counted from 1
    warm, total = settings.warm_up * steps, settings.epochs * steps
    share = np.ones(steps + 1)
    if settings.schedule == "cosine":
        share = (1 + np.cos(np.pi * np.clip((update - 1 - warm) / (total - warm), 0, 1))) / 2
    return settings.learning_rate * np.where(update < warm, update / max(warm, 1), share)
