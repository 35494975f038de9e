"""SCALE-Sim topologies: both forms, as their files have them, and what is no layer."""

from math import ceil
from pathlib import Path

import pytest

import ipusim
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.models.scale_sim_file import read_layers
from ipusim.frontends.workload import load_workload

DATA = Path(__file__).parents[3] / "data" / "scale_sim"
CHIP = ipusim.load_chip("bow", n_tiles=16)


def problems_of(path):
    with pytest.raises(BadInputError) as caught:
        load_workload(path)
    return [str(problem) for problem in caught.value.problems]


def test_convolutions_have_the_work_that_scale_sim_counts():
    run = ipusim.simulate(DATA / "convolutions.csv", CHIP, explain=False)
    expected = []
    for height, width, kernel_height, kernel_width, channels, filters, stride in (
        (56, 56, 3, 3, 16, 32, 2),
        (28, 28, 3, 3, 1, 1, 1),
        *[(28, 28, 3, 3, 1, 1, 1)] * 32,  # "DP" in the name: every channel alone
        (1, 1, 1, 1, 256, 100, 1),
    ):
        windows = [
            ceil((extent - size + stride) / stride) for extent, size in ((height, kernel_height), (width, kernel_width))
        ]
        expected.append(2 * windows[0] * windows[1] * kernel_height * kernel_width * channels * filters)
    assert [op["name"] for op in run.ops] == ["Conv1", "Conv2_dw", "ConvDP", "FC"]
    assert [op["flops"] for op in run.ops] == [expected[0], expected[1], sum(expected[2:34]), expected[34]]
    assert [op["op"] for op in run.ops] == ["conv2d", "conv2d", "conv2d", "matmul"]


def test_products_run_one_after_the_other_with_n_of_m_filters():
    graph = build_graph(load_workload(DATA / "products.csv"))
    assert [(op.name, op.inputs) for op in graph.ops] == [
        ("QKT", ("QKT.filters", "QKT.input")),
        ("FF", ("FF.filters", "FF.input")),
        ("FF_2", ("FF_2.filters", "FF_2.input")),
    ]
    assert graph.tensors["QKT.filters"].shape == (128, 64)
    assert graph.tensors["QKT"].shape == (128, 128)
    assert graph.tensors["QKT.filters"].sparsity is None
    assert graph.tensors["FF.filters"].sparsity.density == 0.5
    assert graph.tensors["FF_2.filters"].sparsity.density == 0.25
    assert graph.outputs == ("QKT", "FF", "FF_2")


def test_a_topology_is_executed(tmp_path):
    topology = tmp_path / "net.csv"
    topology.write_text("Layer,M,N,K\none,8,12,16\n")
    run = ipusim.simulate(topology, CHIP, execute=True, threads=1, explain=False)
    assert run.check["passed"]
    assert run.workload == "net"


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("a, 4, 5, 6", ((5, 6), (6, 4))),  # neither header nor trailing comma
        ("Layer, M, N, K,\n\n\ta, 4, 5, 6, ,\n", ((5, 6), (6, 4))),
        ("Layer,M,N,K\na,4,5,6,#last", ((5, 6), (6, 4))),
        ("a,10,64,1,64,1,7,1,", ((7, 64), (64, 10))),  # a product written as a convolution
        ("a,5,5,3,3,2,6,1,2:4,", None),  # 18 elements of a filter
        ("a,6,6,2,2,4,3,1,1:4", ((3, 16), (16, 25))),  # sparse filters make a product of all windows
        ("a,9,8,3,2,4,5,2,2,", ((5, 4, 3, 2), (1, 4, 9, 8))),  # strides of both dimensions
    ],
)
def test_forms_of_a_line(tmp_path, text, layer):
    path = tmp_path / "t.csv"
    path.write_text(text)
    if layer is None:
        assert "needs filters of a multiple of 4, found 18" in problems_of(path)[0]
    else:
        (found,) = read_layers(path)
        assert (found.filters, found.input) == layer


def test_every_line_that_is_no_layer_is_told(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(
        "Layer,M,N,K\na,1,2\nb,0,2,3\nc,x,2,3\nd,1,2,3,4:2\ne,2,2,3,3,1,1,1\nf,1,2,99999999999999999999\ng,1,2,3\n"
    )
    found = problems_of(path)
    assert [text.split("line ")[1][:2] for text in found] == ["2:", "3:", "4:", "5:", "6:", "7:"]
    assert all(text.startswith(f"{path}: model.scale-sim.file: line ") for text in found)
    assert "cannot keep 4 of every 2 elements" in found[3]
    assert "a filter of 3 x 3 is larger than its input 2 x 2" in found[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no layers"),
        (b"Layer,M,N,K\n", "no layers"),
        (b"\xff\xfe\x00", "no text"),
        (b"a" * (1 << 21), "larger than 1 MiB"),
    ],
)
def test_files_that_are_no_topology(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert message in problems_of(path)[0]


def test_a_missing_topology_is_told(tmp_path):
    assert "no such file" in problems_of(tmp_path / "none.csv")[0]


def test_layers_stream_from_dram(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,8,8,8,2:4\nb,8,8,8\n")
    tensors = load_workload(path, ["model.scale-sim.memory=dram"]).tensors
    assert {name: entry.memory for name, entry in tensors.items()} == {
        "a.filters": "sram", "a.input": "dram", "b.filters": "dram", "b.input": "dram"
    }  # fmt: skip
