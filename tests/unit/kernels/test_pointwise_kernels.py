"""Functions of kernels beside those of numpy and scipy, and the bits that they give on every machine."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from ipusim.ir.expression import ELEMENT_BY_ELEMENT, broadcast_pattern
from ipusim.ir.regions import Regions, whole_boxes
from ipusim.kernels.pointwise import FUNCTIONS, map_regions
from ipusim.kernels.workers import Workers
from ipusim.ops.registry import find_op

UNARY = {
    "relu": lambda x: np.maximum(x, 0),
    "negate": np.negative,
    "abs": np.abs,
    "square": np.square,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "scale_shift": lambda x: 1.5 * x + 0.25,
    "exp": np.exp,
    "log": np.log,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "swish": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
    "gelu_erf": lambda x: x * special.ndtr(x),
    "erf": special.erf,
    "power": lambda x: np.power(x, 1.5),
    "inverse": lambda x: 1 / x,
}
CURVES = {
    "clip": lambda x: np.clip(x, -0.75, 2.5),
    "leaky_relu": lambda x: np.where(x < 0, -0.75 * x, x),
    "elu": lambda x: np.where(x < 0, -0.75 * np.expm1(x), x),
    "hard_sigmoid": lambda x: np.clip(-0.75 * x + 2.5, 0, 1),
    "hard_swish": lambda x: np.where(x > -3, x * np.clip(x / 6 + 0.5, 0, 1), np.where(np.isnan(x), x, 0)),
    "softplus": lambda x: np.logaddexp(0, x),
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "sign": np.sign,
}
COMPARISONS = {
    "equal": np.equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
SLOPES = ("relu", "sigmoid", "tanh", "gelu", "gelu_erf", "swish")
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def points() -> np.ndarray:
    """Every 4,099th float32, both signs."""
    return np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)


def mapped(function: str, *operands: np.ndarray) -> np.ndarray:
    out = np.zeros((1, 1, operands[0].size), np.float32)
    constants = {"scale_shift": (1.5, 0.25), "power": (1.5,), "dropout": (0.25, 77.0)}.get(function, ())
    constants = (-0.75, 2.5) if function in CURVES else constants
    patterns = (ELEMENT_BY_ELEMENT,) * len(operands)
    with Workers(1) as workers:
        regions = whole_boxes(np.array([[0, 1, 0, 1, 0, operands[0].size]]))
        map_regions(function, out, regions, operands, patterns, workers, constants)
    return out.ravel()


def test_every_function_is_tested():
    gradients = {f"{name}_gradient" for name in SLOPES}
    assert {*UNARY, *CURVES, *BINARY, *COMPARISONS, *gradients, "dropout", "select"} == set(FUNCTIONS)


@pytest.mark.parametrize("function", [*UNARY, *CURVES])
def test_a_function_is_within_half_a_unit_in_the_last_place(function):
    x = points()
    with np.errstate(all="ignore"):
        exact = (UNARY | CURVES)[function](x.astype(np.float64))
        value = mapped(function, x).astype(np.float64)
        error = np.abs(value - exact)
        allowed = 1.01 * 2.0**-24 * np.abs(exact) + 2.0**-150
    finite = np.abs(exact) < 3.4028235e38
    assert finite.sum() > len(x) / 3
    assert (error[finite] <= allowed[finite]).all()
    huge = np.abs(exact) > 3.402824e38
    assert (np.isinf(value[huge]) & (np.sign(value[huge]) == np.sign(exact[huge])) | (exact[huge] == value[huge])).all()
    assert np.isnan(value[np.isnan(x)]).all()


@pytest.mark.parametrize("function", COMPARISONS)
def test_comparisons_are_those_of_numpy(function):
    x = points()
    y = np.where(np.arange(len(x)) % 3 == 0, x, np.random.default_rng(0).permutation(x))
    np.testing.assert_array_equal(mapped(function, x, y), COMPARISONS[function](x, y).astype(np.float32))


def test_a_choice_takes_one_operand_or_the_other():
    x = points()
    condition = np.where(np.arange(len(x)) % 3 == 0, 0, x).astype(np.float32)
    np.testing.assert_array_equal(mapped("select", condition, x, -x), np.where(condition != 0, x, -x))


def test_dropout_is_that_of_the_reference_and_keeps_its_share():
    x = np.ones(100_000, np.float32)
    value = mapped("dropout", x)
    reference = find_op("dropout").reference((x.astype(np.float64),), {"p": 0.25, "seed": 77})
    np.testing.assert_array_equal(value, reference.astype(np.float32))
    kept = value > 0
    assert abs(kept.mean() - 0.75) < 0.006
    assert abs((kept[1:] == kept[:-1]).mean() - (0.75**2 + 0.25**2)) < 0.006
    assert set(np.unique(value)) == {0, np.float32(1 / 0.75)}


@pytest.mark.parametrize("function", BINARY)
def test_arithmetic_is_that_of_numpy(function):
    x = points()
    y = np.random.default_rng(0).permutation(x)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(mapped(function, x, y), BINARY[function](x, y))


def test_the_bits_are_the_same_on_every_machine():
    digest = hashlib.sha256()
    for function in UNARY:
        digest.update(mapped(function, points()).tobytes())
    assert digest.hexdigest()[:16] == "09482dc75885347d"
    for function in CURVES:
        digest.update(mapped(function, points()).tobytes())
    assert digest.hexdigest()[:16] == "81fc1f75c1bda4d3"


@settings(deadline=None, max_examples=40)
@given(
    extents=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    kept=st.tuples(*[st.lists(st.booleans(), min_size=4, max_size=4)] * 2),
    half=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_broadcasting_is_that_of_numpy(extents, kept, half, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(extents)
    shapes = [tuple(e if k else 1 for e, k in zip(extents, flags, strict=False)) for flags in kept]
    left, right = (rng.standard_normal(each).astype(np.float32) for each in shapes)
    elements = int(np.prod(shape))
    begin, end = sorted(rng.integers(0, elements + 1, 2))
    out = np.full((1, 1, elements), 7.0, np.float32)
    expected = out.copy().reshape(shape)
    total = np.broadcast_to(left - right, shape)
    total = total.astype(np.float16).astype(np.float32) if half else total
    expected.reshape(-1)[begin:end] = total.reshape(-1)[begin:end]
    patterns = tuple(broadcast_pattern(each, shape) for each in shapes)
    regions = Regions(np.array([[0, 1, 0, 1, 0, elements]]), np.array([begin]), np.array([end]))
    with Workers(1) as workers:
        map_regions("subtract", out, regions, (left.ravel(), right.ravel()), patterns, workers, half=half)
    np.testing.assert_array_equal(out.reshape(shape), expected)


@pytest.mark.parametrize("function", SLOPES)
def test_the_gradient_of_an_activation(function):
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(size=(2, 4096)).astype(np.float32)
    exact = find_op("activation_gradient").reference(
        (x.astype(np.float64), upstream.astype(np.float64)), {"function": function}
    )
    np.testing.assert_allclose(mapped(f"{function}_gradient", x, upstream), exact, rtol=1e-6, atol=1e-9)
