"""Count the bytes that an activation's gradient keeps from the forward pass, from the graph, without timing."""

from typing import Any

import tensorflow as tf

from study.engine.architecture import Function

COUNTED = 4096  # elements of the tensor whose graph is counted
SHAPES_ONLY = ("Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike")  # operations that read no values


def kept_bytes(function: Function) -> dict[str, float]:
    """Return the bytes per element, in float32, that TensorFlow's gradient of `function` reads from the forward pass.

    The dict has two entries. `output_bytes` counts the output of `function`, which the next layer keeps anyway.
    `other_bytes` counts all other tensors as large as the input, and the input itself. Constants and tensors of which
    only the shape is read do not count.
    """
    with tf.Graph().as_default() as graph:
        z = tf.compat.v1.placeholder(tf.float32, [COUNTED])
        upstream = tf.compat.v1.placeholder(tf.float32, [COUNTED])
        output = function(z)
        forward = set(graph.get_operations())
        (gradient,) = tf.gradients(output, z, grad_ys=upstream)
        read = _tensors_read(gradient, forward) - {upstream.ref()}
        kept = {ref: ref.deref().dtype.size for ref in read if ref.deref().shape.num_elements() == COUNTED}
        own = kept.pop(_source(output).ref(), 0)
    return {"output_bytes": float(own), "other_bytes": float(sum(kept.values()))}


def _tensors_read(gradient: tf.Tensor | None, forward: set[tf.Operation]) -> set[Any]:
    """Return `Tensor.ref()` of each tensor of the forward pass that the backward pass reads to compute `gradient`.

    `forward` holds all operations that existed before the gradient was built. A copy by identity counts as its source.
    Constants do not count, nor do reads of a shape alone. The set is empty if `gradient` is None.
    """
    found, seen = set(), set()
    waiting = [] if gradient is None or gradient.op in forward else [gradient.op]
    while waiting:
        operation = waiting.pop()
        if operation in seen or operation.type in SHAPES_ONLY:
            continue
        seen.add(operation)
        for tensor in operation.inputs:
            if tensor.op not in forward:
                waiting.append(tensor.op)
            elif tensor.op.type != "Const":
                found.add(_source(tensor).ref())
    return found


def _source(tensor: tf.Tensor) -> tf.Tensor:
    """Return the tensor that `tensor` copies through identity operations, which hold no data of their own."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor
