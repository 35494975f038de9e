"""Every kind of input that ipusim reads: how hostile ones are made, and what is done with each of them.

An input is accepted (it was loaded and, where that is little work, compiled and timed), does not fit, or is refused
with a located message. Everything else is a defect.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from io import StringIO
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from hostile_files import mtx_files, npy_files, npz_matrices, onnx_files, packed, results, settings_texts, topologies
from hostile_values import PATHS, WORDS, Pool, lines, values, yaml_files
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError, Problem
from ipusim.files.document import load_document
from ipusim.files.packaged import packaged_file, packaged_names
from ipusim.frontends.build import build_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph

ROOT = Path(__file__).parents[2]

ACCEPTED, INFEASIBLE, REFUSED = "accepted", "does not fit", "refused"

TINY_OPS = [
    {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
    {"op": "relu", "inputs": ["y"], "output": "z"},
]
TINY: dict[str, Any] = {
    "name": "t",
    "chip": "tiny",
    "tensors": {"w": {"shape": [8, 8]}, "x": {"shape": [8, 4]}},
    "ops": TINY_OPS,
}
SPARSE: dict[str, Any] = {
    **TINY,
    "tensors": {"w": {"shape": [8, 8], "sparsity": {"density": "1/2", "block_size": 1}}, "x": {"shape": [8, 4]}},
}


class Kind(NamedTuple):
    """One kind of input.

    Attributes
    ----------
    inputs : strategy
        Of what `attempt` takes; bytes, text, or a tuple of them.
    attempt : function (input) -> str
        Uses the input, in the working directory, and returns what became of it.
    share : int
        How many of a thousand inputs are of this kind.
    has_variants : bool
        Whether further inputs can be made of one: those that have the content of a file in them.
    """

    inputs: st.SearchStrategy[Any]
    attempt: Callable[[Any], str]
    share: int
    has_variants: bool = True


class MessageError(AssertionError):
    """A refusal that does not say what is wrong, or where."""


def check_messages(problems: Sequence[Problem]) -> None:
    """Raise unless there are problems, each with a file and a message that fit on a page."""
    if not problems:
        raise MessageError("refused without a reason")
    for each in problems:
        text = str(each)
        if not each.file or not each.message or len(text) > 12_000:
            raise MessageError(f"a poor message: {text[:300]!r} ({len(text)} characters)")
        text.encode("utf-8", "backslashreplace")
    if len(problems) > 1000:
        raise MessageError(f"{len(problems)} problems at once")


def prepare(folder: Path) -> None:
    """Make the files, pipes, links and folders that hostile paths lead to."""
    for name in ("loop.yaml", "loop.mtx"):
        (folder / name).symlink_to(name)
    for name in ("fifo", "fifo.mtx", "fifo.npz", "fifo.npy", "fifo.onnx", "fifo.csv"):
        os.mkfifo(folder / name)
    for name in ("zero.mtx", "zero.npz", "zero.npy", "zero.onnx", "zero.csv"):
        (folder / name).symlink_to("/dev/zero")
    for name in ("folder", "folder.yaml", "folder.mtx", "folder.npz", "folder.npy", "folder.onnx", "folder.csv"):
        (folder / name).mkdir()
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))


def _documents(kind: Any, names: Sequence[str]) -> list[Any]:
    return [load_document(packaged_file(kind, name)).data for name in names]


@cache
def chip_pool() -> Pool:
    whole = _documents("configs", ("tiny", "bow", "c600"))
    small = {"extends": "tiny", "name": "a", "n_tiles": 8, "clock_hz": "1 GHz", "sync_cycles": 10}
    return Pool([*whole, *[small] * 12])


@cache
def workload_pool() -> Pool:
    heavy = ("networks/", "dense/too-large", "sparse/ffn")
    found = _documents("workloads", [name for name in packaged_names("workloads") if not name.startswith(heavy)])
    networks = ("networks/conv-block", "networks/depthwise-block", "networks/streamed-mlp", "networks/encoder-layer")
    tiny = [*_small_workloads(), TINY, SPARSE]
    return Pool([*found, *_documents("workloads", networks), *tiny * 3])


def _small_workloads() -> list[Any]:
    dense = {"shape": [8, 8]}
    sparse = {"shape": [8, 8], "sparsity": {"density": 0.25, "block_size": 4, "mode": "dynamic", "oversize": 0.5}}
    bands = {"shape": [8, 8], "sparsity": {"density": 0.5, "pattern": {"n_m": {"n": 2, "m": 4}}}}
    image = {"shape": [1, 4, 6, 6]}
    return [
        {**TINY, "tensors": {"w": sparse, "x": dense}},
        {**TINY, "tensors": {"w": bands, "x": dense}},
        {**TINY, "tensors": {"w": {**dense, "init": {"values": [1.5] * 64}}, "x": {**dense, "init": "zeros"}}},
        {
            **TINY,
            "tensors": {"i": image, "k": {"shape": [4, 4, 3, 3]}},
            "ops": [{"op": "conv2d", "inputs": ["i", "k"], "output": "y", "stride": [1, 1], "padding": [1, 1, 1, 1]}],
        },
        {
            **TINY,
            "tensors": {
                "t": {"shape": [6, 8]},
                "i": {"shape": [5], "dtype": "int32", "init": {"integers": {"below": 6}}},
            },
            "ops": [
                {"op": "gather", "inputs": ["t", "i"], "output": "g"},
                {"op": "softmax", "inputs": ["g"], "output": "s", "axis": 1},
                {"op": "top_k", "inputs": ["s"], "output": "k", "k": 2},
            ],
        },
        {
            **TINY,
            "compile": {"available_memory_proportion": 0.6, "layout": "network", "levers": ["temporaries", "stream"]},
            "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float32"}],
        },
        {**TINY, "layers": {"w": {"density": "1/2", "block_size": 2, "mode": "static"}, "*": {"partials": "float32"}}},
    ]


@cache
def model_pool() -> Pool:
    models = [
        {"transformer": {"layers": 1, "hidden": 8, "heads": 2, "ffn": 16, "sequence": 4, "batch": 1}},
        {"mlp": {"layers": [8, 8, 4], "batch": 2}},
        {"gpt2": {"layers": 1}},
        {"bert": {"layers": 1, "hidden": 8, "heads": 2}},
        *({name: {}} for name in ("lstm", "dlrm", "resnet50", "mobilenet-v1")),
    ]
    training = load_document(packaged_file("workloads", "training/digits-mlp")).data
    return Pool([*({"name": "m", "chip": "tiny", "model": each} for each in models), training, training])


@cache
def space_pool() -> Pool:
    small = {
        "name": "s",
        "chip": "tiny",
        "workloads": [TINY, {"workload": SPARSE, "name": "sparse", "weight": 2}],
        "parameters": {
            "n_tiles": {"from": 2, "to": 8, "step": 2},
            "tile_sram_bytes": "64 KiB / n_tiles",
            "workload.tensors.x.shape.1": [2, 4],
        },
        "constraints": ["total_sram_bytes <= 1 MiB", "memory < 1"],
        "objectives": ["seconds", "tflops:desc"],
        "sampler": "random",
        "budget": 3,
    }
    small["constraints"] = ["total_sram_bytes <= 1 MiB"]
    return Pool([*_documents("spaces", packaged_names("spaces")), small, small, small, small])


@cache
def result_pool() -> Pool:
    import ipusim

    run = ipusim.simulate(TINY, execute=True).to_dict(profile=True)
    tight = ipusim.simulate(TINY, settings=["tensors.x.shape=[8, 40000]"]).to_dict()
    cells = ipusim.compare(SPARSE, densities="1/2,1/4", block_sizes="1,2", workers=1).to_dict()
    validation = {"schema": "ipusim-validation-1", "chip": "bow", "options": {}, "versions": {}, "passed": True}
    validation |= {"n_points": 1, "sources": [], "fitted_constants": []}
    return Pool([json.loads(json.dumps(each, default=float)) for each in (run, run, tight, cells, validation)])


@cache
def onnx_models() -> list[Any]:
    import onnx

    names = ("mlp-ts", "mlp-dynamo", "cnn-ts", "conv1d-ts", "recommender-ts", "sentence-ts")
    return [onnx.load(ROOT / "tests" / "data" / "onnx" / f"{name}.onnx") for name in names]


@cache
def topology_files() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted((ROOT / "tests" / "data" / "scale_sim").glob("*.csv")))


MOST_ELEMENTS = 20_000
MOST_OPS = 12
MOST_TILES = 2_000


def is_small(workload: Workload, graph: Graph) -> bool:
    """Tell whether to compile and time a graph is little work."""
    return (
        len(graph.ops) <= MOST_OPS
        and sum(prod(tensor.shape) for tensor in graph.tensors.values()) <= MOST_ELEMENTS
        and workload.chip in ("tiny", "bow", "gc2", "gc200", "c600")
    )


def timed(workload: Any, chip: Any = None, execute: bool = False, **options: Any) -> str:
    """Compile and time a workload, and return whether it fits."""
    from ipusim.pipeline import simulate
    from ipusim.plan.cache import not_written
    from ipusim.report.json import render_json

    with not_written():
        run = simulate(workload, chip=chip, execute=execute, explain=False, **options)
    document = run.to_dict()
    render_json(document)
    if document["infeasible"] is not None:
        return INFEASIBLE
    if not document["cycles"] > 0 or not document["seconds"] > 0:
        raise AssertionError(f"{document['cycles']} cycles, {document['seconds']} s")
    if execute and not document["check"]["passed"]:
        raise AssertionError(f"the check failed: {document['check']}")
    return ACCEPTED


def _chip(content: bytes) -> str:
    Path("chip.yaml").write_bytes(content)
    chip = load_chip("chip.yaml")
    from ipusim.report.chips import render_chip

    render_chip(chip)
    return timed(TINY, chip) if chip.n_tiles <= MOST_TILES else ACCEPTED


def _workload(content: bytes) -> str:
    Path("workload.yaml").write_bytes(content)
    workload = load_workload("workload.yaml")
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def _space(content: bytes) -> str:
    from ipusim.exploration.exploring import explore
    from ipusim.exploration.load import load_space

    Path("space.yaml").write_bytes(content)
    space = load_space("space.yaml")
    small = all(is_small(each.workload, build_graph(each.workload)) for each in space.members)
    if not small or max(chip.n_tiles for chip in space.chips.values()) > 64 or (space.grid_size or 0) > 10_000:
        return ACCEPTED
    for leftover in Path().glob("store.sqlite*"):
        leftover.unlink()
    found = explore("space.yaml", store="store.sqlite", workers=1, sampler="random", budget=2)
    document = found.to_dict()
    if document["counts"].get("failed"):
        raise AssertionError(f"a point failed: {document['reasons']}")
    return ACCEPTED if document["counts"].get("ok") else INFEASIBLE


def _pattern(named: tuple[str, bytes]) -> str:
    name, content = named
    Path(name).write_bytes(content)
    sparsity = {"pattern": {"file": name}, "block_size": 1}
    workload = load_workload({**TINY, "tensors": {**TINY["tensors"], "w": {"shape": [8, 8], "sparsity": sparsity}}})
    sparse_values(build_graph(workload).tensors["w"], 0)
    return timed(workload)


def _array(named: tuple[str, bytes]) -> str:
    name, content = named
    Path(name).write_bytes(content)
    tensors = {"w": {"shape": [4, 4], "init": {"file": name}}, "x": {"shape": [4, 4]}}
    workload = load_workload({**TINY, "tensors": tensors})
    tensor_values(build_graph(workload).tensors["w"], 0)
    return ACCEPTED


def _onnx(content: bytes) -> str:
    Path("model.onnx").write_bytes(content)
    workload = load_workload(
        {"name": "m", "chip": "tiny", "model": {"onnx": {"file": "model.onnx", "dims": {"batch": 2, "sequence": 3}}}}
    )
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def _topology(content: bytes) -> str:
    Path("layers.csv").write_bytes(content)
    workload = load_workload("layers.csv", ["chip=tiny"])
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def _report(content: tuple[bytes, bool]) -> str:
    text, page = content
    Path("result.json").write_bytes(text)
    return cli(["report", "result.json", "-o", "page.html" if page else "text.txt"])


def _settings(drawn: tuple[str, list[str]]) -> str:
    kind, texts = drawn
    if kind == "chip":
        load_chip("tiny", texts)
        return ACCEPTED
    workload = load_workload(TINY if kind == "workload" else SPARSE, texts)
    build_graph(workload)
    return ACCEPTED


def _path(drawn: tuple[str, str]) -> str:
    where, path = drawn
    match where:
        case "workload":
            return _workload_of(path)
        case "chip":
            load_chip(path)
        case "space":
            from ipusim.exploration.load import load_space

            load_space(path)
        case "pattern":
            sparsity = {"pattern": {"file": path}}
            return timed({**TINY, "tensors": {**TINY["tensors"], "w": {"shape": [8, 8], "sparsity": sparsity}}})
        case "init":
            tensors = {**TINY["tensors"], "w": {"shape": [8, 8], "init": {"file": path}}}
            return timed({**TINY, "tensors": tensors}, execute=True)
        case "onnx" | "scale-sim":
            return _workload_of({"name": "m", "chip": "tiny", "model": {where: path}})
        case "extends":
            Path("self.yaml").write_text(f"extends: {json.dumps(path)}\nname: a\n")
            load_chip("self.yaml")
        case "in a workload":
            return _workload_of({**TINY, "chip": path}, compiles=True)
        case "report":
            return cli(["report", path])
        case _:
            return cli(["run", "--no-execute", "--chip", "tiny", path])
    return ACCEPTED


def _workload_of(source: Any, compiles: bool = False) -> str:
    workload = load_workload(source)
    build_graph(workload)
    return timed(workload) if compiles else ACCEPTED


def cli(arguments: list[str]) -> str:
    """Run a command, and return what became of it by its exit code and by what it wrote."""
    from ipusim.cli.main import main

    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
    if code not in (0, 1, 2):
        raise AssertionError(f"exit code {code}")
    if "Traceback" in err.getvalue() or (code == 2 and not err.getvalue().strip()):
        raise MessageError(f"no message: {err.getvalue()!r}")
    if code == 2 and out.getvalue():
        raise MessageError("bad input, and yet something on stdout")
    return (ACCEPTED, INFEASIBLE, REFUSED)[code]


_OPTIONS = (
    *(
        "--chip",
        "--set",
        "--json",
        "--no-execute",
        "--html",
        "--trace",
        "--trace-tiles",
        "--ops",
        "-o",
        "--threads",
        "--help",
    ),
    *(
        "--density",
        "--block-size",
        "--mode",
        "--batch",
        "--dtype",
        "--features",
        "--weights",
        "--print",
        "--diff",
        "--saved",
    ),
    *(
        "--status",
        "--store",
        "--sampler",
        "--budget",
        "--seed",
        "--top",
        "--csv",
        "--method",
        "--steps",
        "--compare",
        "--",
    ),
)
_COMMANDS = ("run", "compile", "compare", "report", "train", "explore", "chips", "schema", "chips show", "")
_SAFE = (
    "gone.yaml",
    "bad.yaml",
    "tiny.yaml",
    "folder",
    "/dev/null",
    "bow",
    "fifo",
    "1/4",
    "0",
    "-1",
    "1",
    "x=1",
    "nope",
)
arguments = st.tuples(
    st.sampled_from(_COMMANDS),
    st.lists(st.sampled_from(_OPTIONS) | st.sampled_from(_SAFE) | st.sampled_from(WORDS), max_size=5),
)


def _arguments(drawn: tuple[str, list[str]]) -> str:
    command, rest = drawn
    Path("bad.yaml").write_text("name: 1\nops: {}\n")
    Path("tiny.yaml").write_text("name: t\nchip: tiny\n")  # nothing that takes long can come of it
    words = [*command.split(), *(word.replace("\0", "") for word in rest)]
    return cli([word.encode("utf-8", "replace").decode() for word in words])


_names = st.sampled_from(("x.mtx", "x.mtx", "x.mtx.gz", "x.mtx.bz2"))


@st.composite
def _patterns(draw: st.DrawFn) -> tuple[str, bytes]:
    if draw(st.booleans()):
        return "x.npz", draw(npz_matrices())
    name = draw(_names)
    return name, draw(packed(draw(mtx_files()), Path(name).suffix))


@st.composite
def _arrays(draw: st.DrawFn) -> tuple[str, bytes]:
    from hostile_files import damaged, zipped

    content = draw(npy_files())
    if draw(st.integers(0, 2)):
        return "x.npy", content
    name = draw(st.sampled_from(("w.npy", "w", "a.npy", "../w.npy", "/w.npy", " ")))
    whole = zipped({name: content, **({"b.npy": content} if draw(st.integers(0, 3)) == 0 else {})})
    return "x.npz", draw(damaged(whole)) if draw(st.integers(0, 3)) == 0 else whole


@st.composite
def _operators(draw: st.DrawFn) -> bytes:
    """Return a workload of one or two operators of any kind, with operands of small shapes."""
    from ipusim.ops.registry import find_op, op_names

    shapes = st.lists(st.sampled_from((1, 1, 2, 3, 4, 5, 8, 16)), min_size=1, max_size=5)
    common = draw(shapes)
    tensors: dict[str, Any] = {}
    ops = []
    for number in range(draw(st.integers(1, 2))):
        spec = find_op(draw(st.sampled_from(op_names())))
        inputs = []
        for position in range(
            max(1, len(spec.inputs) + (draw(st.integers(-1, 1)) if draw(st.integers(0, 9)) == 0 else 0))
        ):
            if ops and draw(st.integers(0, 1)):
                inputs.append(ops[-1]["output"])
                continue
            name = f"t{number}{position}"
            shape = common if draw(st.integers(0, 2)) else draw(shapes)
            tensors[name] = {"shape": list(shape)}
            if position in spec.whole_inputs:
                tensors[name] |= {
                    "dtype": "int32",
                    "init": {"integers": {"below": draw(st.sampled_from((1, 2, 8, 2**24)))}},
                }
            elif draw(st.integers(0, 3)) == 0:
                tensors[name]["dtype"] = draw(
                    st.sampled_from(("float16", "float32", "bfloat16", "float8_e4m3fnuz", "int32"))
                )
            if position in spec.sparse_inputs and draw(st.integers(0, 2)) == 0:
                tensors[name]["sparsity"] = {
                    "density": draw(st.sampled_from(("1/2", "1/4", 1, 0.01, 0.9))),
                    "block_size": draw(st.sampled_from((1, 2, 4, 8, 16))),
                    "mode": draw(st.sampled_from(("static", "dynamic"))),
                }
            inputs.append(name)
        op = {"op": spec.name, "inputs": inputs, "output": f"r{number}"}
        for attribute in spec.attributes:
            if draw(st.integers(0, 1)) or attribute.default is None:
                op[attribute.name] = draw(_attribute_values(attribute))
        ops.append(op)
    chip = draw(st.sampled_from(("tiny", "tiny", "tiny", "bow", "c600")))
    return lines({"name": "o", "chip": chip, "tensors": tensors, "ops": ops}).encode("utf-8", "surrogatepass")


def _attribute_values(attribute: Any) -> st.SearchStrategy[Any]:
    small = st.integers(-2, 6) | st.sampled_from((0, 1, 2**31, 2**62))
    lists = st.lists(st.integers(-1, 6), max_size=6)
    choices = getattr(attribute, "choices", None)
    likely: st.SearchStrategy[Any] = st.one_of(small, lists, st.booleans(), st.floats(-3, 3))
    if choices:
        likely = st.sampled_from(choices)
    elif isinstance(attribute.default, (bool, int, float, tuple)):
        kind = type(attribute.default)
        likely = {bool: st.booleans(), int: small, float: st.floats(-3, 3), tuple: lists}.get(kind, likely)
    return st.one_of(likely, likely, likely, likely, values)


_WHERE = (
    "workload",
    "chip",
    "space",
    "pattern",
    "init",
    "onnx",
    "scale-sim",
    "extends",
    "in a workload",
    "report",
    "run",
)


@cache
def kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    paths = (
        st.sampled_from(PATHS) | st.sampled_from(WORDS) | st.sampled_from(("socket", "self.yaml")) | st.text(max_size=9)
    )
    return {
        "chip": Kind(st.deferred(lambda: yaml_files(chip_pool())), _chip, 60),
        "workload": Kind(st.deferred(lambda: yaml_files(workload_pool())), _workload, 230),
        "operators": Kind(_operators(), _workload, 100),
        "model and training": Kind(st.deferred(lambda: yaml_files(model_pool())), _workload, 60),
        "space": Kind(st.deferred(lambda: yaml_files(space_pool())), _space, 30),
        "sparse matrix": Kind(_patterns(), _pattern, 130),
        "array": Kind(_arrays(), _array, 130),
        "onnx": Kind(st.deferred(lambda: onnx_files(onnx_models())), _onnx, 60),
        "topology": Kind(st.deferred(lambda: topologies(topology_files())), _topology, 100),
        "saved result": Kind(
            st.tuples(st.deferred(lambda: results(result_pool())), st.integers(0, 5).map(lambda n: n == 0)), _report, 10
        ),
        "setting": Kind(
            st.tuples(
                st.sampled_from(("chip", "workload", "sparse")), st.lists(settings_texts, min_size=1, max_size=3)
            ),
            _settings,
            60,
            False,
        ),
        "path": Kind(st.tuples(st.sampled_from(_WHERE), paths), _path, 20, False),
        "command line": Kind(arguments, _arguments, 10, False),
    }


def outcome(kind: Kind, drawn: Any) -> str:
    """Return what became of an input; a defect is raised."""
    try:
        return kind.attempt(drawn)
    except BadInputError as error:
        check_messages(error.problems)
        return REFUSED
