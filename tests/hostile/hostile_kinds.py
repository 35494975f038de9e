"""Every kind of input that ipusim reads: how hostile ones are made, and what is done with each of them.

An input is accepted (it was loaded and, where that is little work, compiled and timed), does not fit, or is refused
with a located message. Everything else is a defect.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hostile_attempts import (
    REFUSED,
    MessageError,
    attempt_arguments,
    attempt_array,
    attempt_chip,
    attempt_onnx,
    attempt_path,
    attempt_pattern,
    attempt_report,
    attempt_settings,
    attempt_space,
    attempt_topology,
    attempt_workload,
)
from hostile_files import mtx_files, npy_files, npz_matrices, packed, results, settings_texts, topologies
from hostile_onnx import onnx_files
from hostile_pools import chip_pool, model_pool, onnx_models, result_pool, space_pool, topology_files, workload_pool
from hostile_stores import attempt_store, sound_store, stores
from hostile_values import lines, values, yaml_files
from hostile_words import PATHS, WORDS
from hypothesis import strategies as st

from ipusim.errors import BadInputError, Problem


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
        "chip": Kind(st.deferred(lambda: yaml_files(chip_pool())), attempt_chip, 60),
        "workload": Kind(st.deferred(lambda: yaml_files(workload_pool())), attempt_workload, 220),
        "operators": Kind(_operators(), attempt_workload, 100),
        "model and training": Kind(st.deferred(lambda: yaml_files(model_pool())), attempt_workload, 60),
        "space": Kind(st.deferred(lambda: yaml_files(space_pool())), attempt_space, 30),
        "sparse matrix": Kind(_patterns(), attempt_pattern, 130),
        "array": Kind(_arrays(), attempt_array, 130),
        "onnx": Kind(st.deferred(lambda: onnx_files(onnx_models())), attempt_onnx, 60),
        "topology": Kind(st.deferred(lambda: topologies(topology_files())), attempt_topology, 100),
        "saved result": Kind(
            st.tuples(st.deferred(lambda: results(result_pool())), st.integers(0, 5).map(lambda n: n == 0)),
            attempt_report,
            10,
        ),
        "store": Kind(
            st.tuples(
                st.deferred(lambda: stores(sound_store())),
                st.sampled_from(("saved", "saved", "resume", "status", "report")),
            ),
            attempt_store,
            10,
            False,
        ),
        "setting": Kind(
            st.tuples(
                st.sampled_from(("chip", "workload", "sparse")), st.lists(settings_texts, min_size=1, max_size=3)
            ),
            attempt_settings,
            60,
            False,
        ),
        "path": Kind(st.tuples(st.sampled_from(_WHERE), paths), attempt_path, 20, False),
        "command line": Kind(arguments, attempt_arguments, 10, False),
    }


def outcome(kind: Kind, drawn: Any) -> str:
    """Return what became of an input; a defect is raised."""
    try:
        return kind.attempt(drawn)
    except BadInputError as error:
        check_messages(error.problems)
        return REFUSED
