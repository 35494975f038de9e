"""What is done with an input of each kind, and what became of it."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from math import prod
from pathlib import Path
from typing import Any

from hostile_pools import SPARSE, TINY

from ipusim.chip.load import load_chip
from ipusim.frontends.build import build_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph

ACCEPTED, INFEASIBLE, REFUSED = "accepted", "does not fit", "refused"


class MessageError(AssertionError):
    """A refusal that does not say what is wrong, or where."""


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


def attempt_chip(content: bytes) -> str:
    Path("chip.yaml").write_bytes(content)
    chip = load_chip("chip.yaml")
    from ipusim.report.chips import render_chip

    render_chip(chip)
    return timed(TINY, chip) if chip.n_tiles <= MOST_TILES else ACCEPTED


def attempt_workload(content: bytes) -> str:
    Path("workload.yaml").write_bytes(content)
    workload = load_workload("workload.yaml")
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def attempt_space(content: bytes) -> str:
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


def attempt_pattern(named: tuple[str, bytes]) -> str:
    name, content = named
    Path(name).write_bytes(content)
    sparsity = {"pattern": {"file": name}, "block_size": 1}
    workload = load_workload({**TINY, "tensors": {**TINY["tensors"], "w": {"shape": [8, 8], "sparsity": sparsity}}})
    sparse_values(build_graph(workload).tensors["w"], 0)
    return timed(workload)


def attempt_array(named: tuple[str, bytes]) -> str:
    name, content = named
    Path(name).write_bytes(content)
    tensors = {"w": {"shape": [4, 4], "init": {"file": name}}, "x": {"shape": [4, 4]}}
    workload = load_workload({**TINY, "tensors": tensors})
    tensor_values(build_graph(workload).tensors["w"], 0)
    return ACCEPTED


def attempt_onnx(content: bytes) -> str:
    Path("model.onnx").write_bytes(content)
    workload = load_workload(
        {"name": "m", "chip": "tiny", "model": {"onnx": {"file": "model.onnx", "dims": {"batch": 2, "sequence": 3}}}}
    )
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def attempt_topology(content: bytes) -> str:
    Path("layers.csv").write_bytes(content)
    workload = load_workload("layers.csv", ["chip=tiny"])
    graph = build_graph(workload)
    return timed(workload) if is_small(workload, graph) else ACCEPTED


def attempt_report(content: tuple[bytes, bool]) -> str:
    text, page = content
    Path("result.json").write_bytes(text)
    return cli(["report", "result.json", "-o", "page.html" if page else "text.txt"])


def attempt_settings(drawn: tuple[str, list[str]]) -> str:
    kind, texts = drawn
    if kind == "chip":
        load_chip("tiny", texts)
        return ACCEPTED
    workload = load_workload(TINY if kind == "workload" else SPARSE, texts)
    build_graph(workload)
    return ACCEPTED


def attempt_path(drawn: tuple[str, str]) -> str:
    where, path = drawn
    match where:
        case "workload":
            return attempt_workload_of(path)
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
            return attempt_workload_of({"name": "m", "chip": "tiny", "model": {where: path}})
        case "extends":
            Path("self.yaml").write_text(f"extends: {json.dumps(path)}\nname: a\n")
            load_chip("self.yaml")
        case "in a workload":
            return attempt_workload_of({**TINY, "chip": path}, compiles=True)
        case "report":
            return cli(["report", path])
        case _:
            return cli(["run", "--no-execute", "--chip", "tiny", path])
    return ACCEPTED


def attempt_workload_of(source: Any, compiles: bool = False) -> str:
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


def attempt_arguments(drawn: tuple[str, list[str]]) -> str:
    command, rest = drawn
    Path("bad.yaml").write_text("name: 1\nops: {}\n")
    Path("tiny.yaml").write_text("name: t\nchip: tiny\n")  # nothing that takes long can come of it
    words = [*command.split(), *(word.replace("\0", "") for word in rest)]
    return cli([word.encode("utf-8", "replace").decode() for word in words])
