"""The registry, whole: values, derivatives, what identifies an entry and what is refused."""

import hashlib
import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erf, expit, ndtr

from study.activations import REGISTRY, Activation, ActivationError, curve, fingerprint, value_and_derivative
from study.engine.measures import derivative_supremum
from study.fitness import check

NAMES = list(REGISTRY)


def tanh_gelu(z):
    return z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


# phi by other means. An entry that is not here still goes through every other test of this file.
CLOSED_FORMS = {
    "relu": lambda z: np.where(z > 0, z, 0),
    "sigmoid": expit,
    "gelu": lambda z: z * ndtr(z),
    "swish": lambda z: z * expit(z),
    "tanh": lambda z: 1 - 2 * expit(-2 * z),
    "linear": lambda z: z,
    "leaky_relu": lambda z: np.where(z > 0, z, z / 100),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "mish": lambda z: z * (1 - 2 / (1 + (1 + np.exp(z)) ** 2)),
    "hard_swish": lambda z: np.where(z < -3, 0, np.where(z > 3, z, z * (z + 3) / 6)),
    "gelu_tanh": tanh_gelu,
    "relu6": lambda z: np.clip(z, 0, 6),
    "erf": erf,
    "squared_relu": lambda z: np.where(z > 0, z, 0) ** 2,
}


def entry(function, **changes):
    return Activation(**{"function": function, "label": "An entry", "formula": "z", "source": "a test", **changes})


def test_the_registry_holds_what_the_study_needs():
    """The study's four come first, in the article's order; at least fourteen well-known ones are there to be named."""
    studied = [name for name, activation in REGISTRY.items() if activation.studied]
    assert studied[:4] == NAMES[:4] == ["relu", "sigmoid", "gelu", "swish"]
    assert len(REGISTRY) >= 14
    assert set(CLOSED_FORMS) <= set(REGISTRY)
    for activation in REGISTRY.values():
        assert all((activation.label, activation.formula, activation.source))
    assert len({activation.label for activation in REGISTRY.values()}) == len(REGISTRY)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float32", 2e-5, 2e-6), ("float64", 1e-6, 1e-12)])
def test_values_are_the_closed_forms(name, dtype, rtol, atol):
    """On [-6, 6]; no closer in float64, for TensorFlow keeps the constants of gelu and leaky_relu in float32."""
    z = np.linspace(-6, 6, 481, dtype=dtype)
    value, derivative = value_and_derivative(REGISTRY[name].function, z)
    assert value.dtype == derivative.dtype == dtype
    np.testing.assert_allclose(value, CLOSED_FORMS[name](z.astype(np.float64)), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_largest_slope_is_that_of_the_closed_form(name):
    """The supremum of |phi'| on [-100, 100] is the steepest step of 0.001 on the closed form, to its grid's 0.2%."""
    z = np.linspace(-100, 100, 200_001)
    steepest = np.abs(np.diff(CLOSED_FORMS[name](z)) / np.diff(z)).max()
    assert derivative_supremum(REGISTRY[name]) == pytest.approx(steepest, rel=2e-3)


def test_the_largest_slope_may_be_a_falling_one():
    """Of -3z the supremum of |phi'| is 3; of sigmoid, 1/4 and of erf, 2 / sqrt(pi), both at 0."""
    assert derivative_supremum(entry(lambda z: -3 * z)) == pytest.approx(3)
    assert derivative_supremum(REGISTRY["sigmoid"]) == pytest.approx(1 / 4)
    assert derivative_supremum(REGISTRY["erf"]) == pytest.approx(2 / np.pi**0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_is_fit_and_its_drawn_curve_is_the_function(name):
    """501 points of [-5, 5]: its ends and its middle are phi and phi' there, and all of it is plain floats."""
    check(REGISTRY[name])
    drawn = curve(REGISTRY[name])
    x = [-5.0, 0.0, 5.0]
    expected = [x, *value_and_derivative(REGISTRY[name].function, np.array(x))]
    found = [drawn[column][::250] for column in ("x", "value", "derivative")]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert {(len(column), type(column[0])) for column in drawn.values()} == {(501, float)}


def test_fingerprints_are_of_the_function_alone():
    """No two entries share one, a SHA-256. Another label, formula, source, `studied`, or spelling: the same."""
    found = {fingerprint(activation) for activation in REGISTRY.values()}
    assert len(found) == len(REGISTRY)
    assert {len(text) for text in found} == {2 * hashlib.sha256().digest_size}
    activation = REGISTRY["elu"]
    reworded = entry(lambda z: 1.0 * activation.function(z), label="Other", formula="x", source="", studied=False)
    assert fingerprint(reworded) == fingerprint(activation)


@pytest.mark.parametrize(
    "other",
    [
        lambda z: tf.nn.relu(z) * (1 + 1e-7),  # another slope
        lambda z: tf.where(z > 90, 90 + 0 * z, tf.nn.relu(z)),  # far out
        lambda z: tf.nn.relu(z - 0.004),  # a kink between two points of a coarse grid
        lambda z: tf.nn.relu(z) + tf.stop_gradient(0.001 * z) - 0.001 * z,  # the same values, another derivative
    ],
)
def test_fingerprints_notice_a_different_function(other):
    """A change anywhere on [-100, 100] of values or derivatives alone: another identity."""
    assert fingerprint(entry(other)) != fingerprint(REGISTRY["relu"])


def test_fingerprints_let_last_digits_pass():
    """Swish spelled in two ways, which differ in their last digits, is one function; so is ReLU with -0 for 0."""
    z = np.linspace(-10, 10, 4001)
    spellings = [lambda z: z * tf.math.sigmoid(z), lambda z: z / (1 + tf.exp(-z))]
    first, second = (value_and_derivative(spelling, z)[0] for spelling in spellings)
    assert (first != second).any()
    assert fingerprint(entry(spellings[0])) == fingerprint(entry(spellings[1]))

    def signed(z):
        return tf.nn.relu(z) * tf.where(z < 0, -1.0 + 0 * z, 1.0 + 0 * z)

    assert np.signbit(value_and_derivative(signed, z)[0]).any()
    assert fingerprint(entry(signed)) == fingerprint(REGISTRY["relu"])


def test_fingerprints_survive_another_processor():
    """XLA's exp and tanh differ from TensorFlow's in the last digit, as another processor's do: the same identity.

    Where phi' is a small difference of large numbers, 1 - tanh^2 at 9, that digit is the tenth of phi' or the first.
    """
    names = ("sigmoid", "swish", "tanh", "gelu_tanh")
    compiled = {name: entry(tf.function(REGISTRY[name].function, jit_compile=True)) for name in names}
    assert [name for name in names if fingerprint(compiled[name]) != fingerprint(REGISTRY[name])] == []


def raises(z):
    raise RuntimeError("out of order")


def broken_backwards(z):
    def gradient(upstream):
        raise RuntimeError("no way back")

    return tf.custom_gradient(lambda z: (z + 0.0, gradient))(z)


def through_numpy(z):
    """Compute tanh in numpy, with its derivative."""
    value = tf.ensure_shape(tf.numpy_function(np.tanh, [z], z.dtype), z.shape)
    return tf.custom_gradient(lambda z: (value, lambda upstream: upstream * (1 - value**2)))(z)


def sloped_by_the_batch(z):
    return tf.custom_gradient(lambda z: (z + 0.0, lambda upstream: upstream * tf.reduce_max(z)))(z)


def branches(z):
    return tf.nn.relu(z) if tf.reduce_sum(tf.abs(z)) > 0 else z


def in_graph_alone(z):
    return tf.nn.relu(z) if tf.executing_eagerly() else tf.nn.relu(tf.strings.to_number(tf.strings.as_string(z)))


def leaky(slope):
    return lambda z: tf.where(z > 0, z, z * tf.cast(slope(z), z.dtype))


SLOPE, FIXED = tf.Variable(0.1), tf.Variable(0.1, trainable=False)
COUNT = itertools.count(1)
NOT_PURE = "in one call and .* in the next; it must be a pure function"
COMPANY = "beside 2001 other values of z and .* beside 799; it must be elementwise"


class Unhashable:
    """Stand for a function that cannot be a key, such as an object with an equality of its own."""

    __hash__ = None

    def __call__(self, z):
        return tf.nn.relu(z)


REFUSED = {
    "is a number": (0.5, "has a function of type float; it must be callable"),
    "is None": (None, "has a function of type NoneType; it must be callable"),
    "has no hash": (Unhashable(), r"not hashable \(unhashable type: 'Unhashable'\); it must be"),
    "raises": (raises, r"raises RuntimeError \(out of order\) on a float32 tensor; it must take any float tensor"),
    "raises in float64": (lambda z: z * tf.constant(2.0), "on a float64 tensor; it must"),
    "takes no argument": (lambda: 0, "raises TypeError"),
    "returns None": (lambda z: None, "NoneType; it must return a tensor"),
    "returns an array": (lambda z: np.tanh(z.numpy()), "ndarray; it must return a tensor"),
    "returns a list": (tf.unstack, "list; it must return a tensor"),
    "sums": (tf.reduce_sum, r"shape \(\).*must keep the shape"),
    "transposes": (tf.transpose, r"shape \(1001, 2\).*must keep the shape"),
    "drops a row": (lambda z: z[:1], "must keep the shape"),
    "wants two axes": (lambda z: tf.nn.relu(z) + 0 * z[:, :1], "raises InvalidArgumentError"),
    "doubles the precision": (lambda z: tf.cast(z, tf.float64), "float64 for float32; it must keep the dtype"),
    "counts": (lambda z: tf.cast(z > 0, tf.int32), "int32 for float32"),
    "rounds": (tf.round, "has no gradient"),
    "goes through integers": (lambda z: tf.cast(tf.cast(z, tf.int32), z.dtype), "has no gradient"),
    "leaves TensorFlow": (lambda z: tf.constant(np.tanh(z.numpy())), "has no gradient"),
    "is a numpy_function": (lambda z: tf.numpy_function(np.tanh, [z], z.dtype), "has no gradient"),
    "is constant": (tf.ones_like, "has no gradient"),
    "is a staircase": (tf.sign, "derivative of zero everywhere"),
    "is NaN for z < 0": (tf.sqrt, "value that is not finite at z = -100"),
    "overflows": (tf.exp, "value that is not finite at z = "),
    "has NaN slopes": (lambda z: tf.where(tf.abs(z) < 1, tf.asin(z), z), "derivative that is not finite at z = -100"),
    "raises backwards": (broken_backwards, "raises RuntimeError.*no way back"),
    "is NaN at 0 alone": (lambda z: z * tf.math.log(tf.abs(z)), "value that is not finite at z = 0"),
    "is softmax": (tf.nn.softmax, COMPANY),
    "is softmax over the first axis": (lambda z: tf.nn.softmax(z, axis=0), COMPANY),
    "subtracts the mean": (lambda z: z - tf.reduce_mean(z), COMPANY),
    "divides by the largest": (lambda z: z / tf.reduce_max(tf.abs(z)), COMPANY),
    "depends on the place": (lambda z: z * tf.reshape(tf.linspace(1.0, 2.0, z.shape.num_elements()), z.shape)
                             if z.dtype == tf.float32 else z, COMPANY),
    "draws by the place": (leaky(lambda z: tf.random.stateless_uniform(z.shape, [1, 2])), COMPANY),
    "has a slope of the batch": (sloped_by_the_batch, f"has the derivative .*{COMPANY}"),
    "has a random slope": (leaky(lambda z: tf.random.uniform(z.shape)), NOT_PURE),
    "has one random slope": (leaky(lambda z: np.random.default_rng().random()), NOT_PURE),
    "counts its calls": (leaky(lambda z: 0.1 * next(COUNT)), NOT_PURE),
    "reads a variable": (leaky(lambda z: SLOPE), "reads a tf.Variable; it must depend on z alone"),
    "reads a variable that is not trained": (leaky(lambda z: FIXED), "reads a tf.Variable"),
    "makes a variable": (leaky(lambda z: tf.Variable(0.1)), "when TensorFlow traces it; it must use tensor operations"),
    "branches in Python": (branches, "raises OperatorNotAllowedInGraphError.*without an if of Python"),
    "reads numbers": (lambda z: z * (1 + 0 * z.numpy().max()), "raises AttributeError.*traces it.*without numpy"),
    "is numpy with a gradient": (through_numpy, "PyFunc.*when XLA compiles it; it must use operations of XLA"),
    "is of text": (in_graph_alone, "AsString.*when XLA compiles it"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_broken_entries_are_refused_with_the_reason(fault):
    """Whatever is wrong with it, the entry is refused before training. One sentence says what is wrong and wanted."""
    function, reason = REFUSED[fault]
    with pytest.raises(ActivationError, match=reason) as found:
        check(entry(function))
    assert "\n" not in str(found.value)
    assert "; it must " in str(found.value) or "cannot differentiate" in str(found.value)


def test_what_is_no_entry_is_refused_with_the_reason():
    """A bare function in place of an Activation, and a label that is not a text."""
    with pytest.raises(ActivationError, match="is of type function; it must be an Activation"):
        check(tanh_gelu)
    with pytest.raises(ActivationError, match="has a label of type NoneType; it must be a text"):
        check(entry(tf.nn.relu, label=None))
