"""Train by JAX in one thread: an epoch is one jitted `lax.scan` whose state is donated, with bytes gathered inside."""

from typing import Any

import jax
from jax import numpy as jnp

from tests.benchmarks import task


def contenders(data: task.Data) -> dict[str, task.Contender]:
    """Return two contenders, without and with norms; both count loss and accuracy, as model.fit does."""
    return {"jax": task.timed(_Training(data, False).epoch), "jax_norms": task.timed(_Training(data, True).epoch)}


class _Training:
    def __init__(self, data: task.Data, logs: bool) -> None:
        self.logs, self.orders = logs, task.Orders()
        images, labels = task.training_part(data)
        self.images, self.labels = jnp.asarray(images), jnp.asarray(labels.astype("int32"))
        parameters = jax.tree.map(jnp.asarray, task.initial_parameters())
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        self.state = (parameters, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))
        self.run = jax.jit(self._epoch, donate_argnums=0)

    def epoch(self, number: int) -> Any:
        """Train; return total loss, hits, and norms (480, 2, 4), if logged: weight gradients, and rms of delta."""
        steps = (self.orders(), task.is_logged(number) if self.logs else None)
        self.state, found = self.run(self.state, steps, self.images, self.labels)
        return jax.block_until_ready(found)

    def _epoch(self, state: Any, steps: Any, images: Any, labels: Any) -> Any:
        def step(carry: Any, batch_and_flag: Any) -> Any:
            state, (total, hits) = carry
            batch, flag = batch_and_flag
            x, y = images[batch].astype(jnp.float32) / 255, labels[batch]
            taps = [jnp.zeros((task.BATCH, bias.size)) for _, bias in state[0]]  # their gradient is delta
            slope = jax.value_and_grad(self._loss, argnums=(0, 1), has_aux=True)
            (loss, logits), (gradients, deltas) = slope(state[0], taps, x, y)
            norms = None
            if self.logs:

                def none(*_):
                    return jnp.zeros((2, len(taps)))

                norms = jax.lax.cond(flag, self._norms, none, gradients, deltas)
            counted = (total + loss, hits + (logits.argmax(1) == y).sum())
            return (self._adam(state, gradients), counted), norms

        carry = (state, (jnp.zeros(()), jnp.zeros((), jnp.int32)))
        (state, counted), norms = jax.lax.scan(step, carry, steps)
        return state, (*counted, norms)

    def _loss(self, parameters: Any, taps: Any, x: Any, labels: Any) -> Any:
        h = x
        for (kernel, bias), tap in zip(parameters, taps, strict=True):
            z = h @ kernel + bias + tap
            h = jax.nn.relu(z)
        picked = jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], 1)
        return -picked.mean(), z

    def _norms(self, gradients: Any, deltas: Any) -> Any:
        norm = jnp.linalg.norm
        of_weights = jnp.stack([norm(kernel) for kernel, _ in gradients])
        return jnp.stack([of_weights, jnp.stack([norm(delta) * task.BATCH**0.5 for delta in deltas])])

    def _adam(self, state: Any, gradients: Any) -> Any:
        parameters, first, second, count = state
        each, count = jax.tree.map, count + 1
        first = each(lambda m, g: m + (g - m) * (1 - task.BETA_1), first, gradients)
        second = each(lambda v, g: v + (g * g - v) * (1 - task.BETA_2), second, gradients)
        rate = task.LEARNING_RATE * jnp.sqrt(1 - task.BETA_2**count) / (1 - task.BETA_1**count)

        def update(p, m, v):
            return p - rate * m / (jnp.sqrt(v) + task.EPSILON)

        return each(update, parameters, first, second), first, second, count
