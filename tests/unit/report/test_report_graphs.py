from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Op, Sparsity, Tensor
from ipusim.report.graphs import render_graph


def test_graph_listing():
    tensors = (
        Tensor("w", (64, 32), "float16", Init(), Sparsity(0.0625, 16)),
        Tensor("x", (32, 8), "float16", Init("file", file="x.npy")),
        Tensor("b", (8,), "float16", Init("zeros")),
        Tensor("y", (64, 8), "float16"),
        Tensor("z", (64, 8), "float16"),
    )
    ops = (
        Op("first", "matmul", ("w", "x"), ("y",), {"transpose_a": False, "partials": "float32"}),
        Op("z", "add", ("y", "b"), ("z",)),
    )
    graph = Graph("small", {tensor.name: tensor for tensor in tensors}, ops, ("z",))
    assert render_graph(graph) == (
        "graph small\n"
        "  w: float16[64, 32] = normal(1), static sparse: density 0.0625, block size 16, random\n"
        "  x: float16[32, 8] = file x.npy\n"
        "  b: float16[8] = zeros\n"
        "  y: float16[64, 8] = matmul(w, x) {partials: float32}  # op first\n"
        "  z: float16[64, 8] = add(y, b)  # op z\n"
        "  return z\n"
    )
