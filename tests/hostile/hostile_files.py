"""Contents of files that other programs write: matrices, arrays, networks, results; sound ones with something wrong."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from hostile_values import Pool, emitted, mutated, scalars, spoilt
from hostile_words import PATHS, WORDS
from hypothesis import strategies as st

EXTENTS = (0, 1, 2, 3, 4, 5, 8, 16, -1, 2**31, 2**63, 10**12, 10**30)
BIG_EXTENTS = (2**31 - 1, 2**40, 10**12, 2**62, 2**63 - 1, 2**64)
DTYPES = ("<f4", "<f8", "<f2", "<i4", "<i8", "|b1", ">f4", "<c8", "|O", "|S5", "<U7", "<M8[s]", "|V3", "<i2", "<f16")


def npy_header(dtype: object, shape: object, fortran: bool = False, version: tuple[int, int] = (1, 0)) -> bytes:
    """Return the header of an array file, whether it makes sense or not."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}\n".encode("utf-8", "replace")
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text) & (0xFFFF if version == (1, 0) else 0xFFFFFFFF))
    return b"\x93NUMPY" + bytes(version) + size + text


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return bytes with some of them changed, cut off, doubled, or put in between."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from("fffcidz")):
            case "f":
                content = content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place + 1 :]
            case "c":
                content = content[:place]
            case "i":
                content = content[:place] + draw(st.binary(min_size=1, max_size=16)) + content[place:]
            case "d":
                content = content[:place] + content[place : place + 64] * 2 + content[place + 64 :]
            case _:
                content = content[:place] + b"\0" * 64 + content[place:]
    return content


@st.composite
def npy_files(draw: st.DrawFn, shape: tuple[int, ...] = (4, 4)) -> bytes:
    """Return the content of an array file of 4 x 4 numbers, with something wrong in most cases."""
    dtype = draw(st.sampled_from(DTYPES[:9]))
    sound = npy(np.resize(np.arange(16), shape).astype(dtype))
    match draw(st.sampled_from("odhhhnpvb")):
        case "o":
            return sound
        case "d":
            return draw(damaged(sound))
        case "n":
            special = draw(st.sampled_from((np.nan, np.inf, -np.inf, 1e300, 3.4e38, 5e-324)))
            return npy(np.full(shape, special))
        case "p":
            return npy(np.array([[{"a": print}] * 4] * 4, dtype=object))
        case "v":
            return (
                npy_header("<f4", shape, version=draw(st.sampled_from(((2, 0), (3, 0), (9, 9), (0, 0))))) + b"\0" * 64
            )
        case "b":
            return draw(st.binary(max_size=200))
    shapes: Any = st.one_of(
        st.just(shape),
        st.lists(st.sampled_from((*EXTENTS, *BIG_EXTENTS)), max_size=5).map(tuple),
        st.sampled_from((None, 4, "4", [4, 4], (4.0, 4), (4, None), ("4", 4), (True, 4), (4,) * 70, ((4,), 4))),
    )
    descr = draw(st.sampled_from((*DTYPES, "<f4,<f4", [("a", "<f4")], None, 7, "nonsense", "<f" + "9" * 50, "(4,)<f4")))
    header = npy_header(descr, draw(shapes), draw(st.booleans()))
    if draw(st.integers(0, 5)) == 0:
        header = header.replace(
            b"'shape'", draw(st.sampled_from((b"'shap'", b"'shape", b"__import__('os')", b"'" * 9)))
        )
    return header + b"\0" * draw(st.sampled_from((0, 1, 63, 64, 128, 4096)))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _matrix_arrays(kind: str) -> dict[str, Any]:
    import scipy.sparse

    matrix = scipy.sparse.coo_array(np.eye(8, dtype=np.float32)[:, [0, 2, 4, 6, 1, 3, 5, 7]])
    found = matrix.tobsr((2, 2)) if kind == "bsr" else matrix.asformat(kind)
    parts = {"format": np.array(kind.encode()), "shape": np.array(found.shape), "data": found.data}
    if kind == "coo":
        return parts | {"row": found.row, "col": found.col}
    return parts | {"indices": found.indices, "indptr": found.indptr}


MATRICES = {kind: _matrix_arrays(kind) for kind in ("csr", "csc", "bsr", "coo")}

ODD_ARRAYS: tuple[Any, ...] = (
    *(np.zeros(0), np.array(3), np.full(8, np.nan), np.full(8, np.inf), np.full(8, 1e300), np.ones(8, complex)),
    *(np.array(b"csr"), np.array("csr"), np.array("dia"), np.array(["csr"]), np.array(b"\xff\xfe"), np.ones(9)),
    *(np.zeros(8, bool), np.array([8, 8, 8]), np.array([8.5, 8]), np.array([2**40, 2**40]), np.array([-8, 8])),
)

_BOMB: list[bytes] = []


def zeros_bomb() -> bytes:
    """Return a small archive of a large array: 3 GiB of zeros."""
    if not _BOMB:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in MATRICES["csr"].items():
                if name != "data":
                    archive.writestr(f"{name}.npy", npy(value))
            with archive.open("data.npy", "w", force_zip64=True) as member:
                member.write(npy_header("<f4", (3 * 2**28,)))
                block = bytes(2**24)
                for _ in range(192):
                    member.write(block)
        _BOMB.append(stream.getvalue())
    return _BOMB[0]


@st.composite
def npz_matrices(draw: st.DrawFn) -> bytes:
    """Return the content of a sparse matrix [8, 8] of SciPy, with something wrong in most cases."""
    parts = dict(MATRICES[draw(st.sampled_from(sorted(MATRICES)))])
    members = {f"{name}.npy": npy(value) for name, value in parts.items()}
    name = draw(st.sampled_from(sorted(parts)))
    match draw(st.sampled_from("oddhhhhaaavvmrxz")):
        case "d":
            return draw(damaged(zipped(members)))
        case "h":
            members[f"{name}.npy"] = draw(npy_files(draw(st.sampled_from(((8,), (9,), (2,), (4, 2, 2), ())))))
        case "a":
            numbers = st.sampled_from((0, 1, 2, 7, 8, 9, -1, -(2**31), 2**31 - 1, 2**40, 2**62))
            array = np.array(parts[name])
            if array.dtype.kind == "i" and array.size:
                found = array.astype(np.int64)
                found[draw(st.integers(0, array.size - 1))] = draw(numbers)
                members[f"{name}.npy"] = npy(found)
        case "v":
            members[f"{name}.npy"] = npy(draw(st.sampled_from(ODD_ARRAYS)))
        case "m":
            del members[f"{name}.npy"]
        case "r":
            members[draw(st.sampled_from((*WORDS[:40], *PATHS[:20]))).replace("\0", "")[:99] or "a"] = b"x"
        case "x":
            return zipped(members, zipfile.ZIP_STORED).replace(b"data.npy", draw(st.binary(min_size=8, max_size=8)))
        case "z" if draw(st.integers(0, 20)) == 0:
            return zeros_bomb()
    return zipped(members, draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))))


@st.composite
def mtx_files(draw: st.DrawFn) -> bytes:
    """Return the content of a Matrix Market file of 8 x 8 elements, with something wrong in most cases."""
    extents = st.sampled_from((8, 8, 8, 8, 8, 0, 1, 7, 9, -8, 2**31, 2**63, 10**12, 10**400))
    word = draw(
        st.sampled_from(("real",) * 4 + ("pattern", "integer", "complex", "text", "double", "unsigned-integer", ""))
    )
    symmetry = draw(st.sampled_from(("general",) * 4 + ("symmetric", "skew-symmetric", "hermitian", "none")))
    count = draw(st.integers(0, 12))
    said = count if draw(st.integers(0, 3)) else draw(st.sampled_from((0, 1, 63, 65, -1, 10**9, 10**12, 2**63, 10**30)))
    rows = [f"{draw(extents)} {draw(extents)} {said}"] if draw(st.integers(0, 9)) else ["8 8"]
    values = st.sampled_from(("1", "0.5", "-2", "0", "nan", "inf", "1e999", "1e-999", "x", "", "1 2", "0x10", "1,5"))
    places = st.sampled_from(("1", "2", "3", "4", "5", "6", "7", "8")) | st.sampled_from(
        ("0", "9", "-1", "1.5", "x", "9" * 30)
    )
    for _ in range(count):
        value = "" if word == "pattern" else draw(values) if draw(st.integers(0, 5)) == 0 else "1.5"
        rows.append(f"{draw(places)} {draw(places)} {value}{' 2' if word == 'complex' else ''}")
    form = draw(st.sampled_from(("coordinate",) * 8 + ("array", "vector")))
    comment = draw(st.sampled_from(("", "% a\n", "%" + "c" * 70_000 + "\n", "%\n" * 3000, "\n\n", " \n")))
    text = f"%%MatrixMarket matrix {form} {word} {symmetry}\n{comment}" + "\n".join(rows) + "\n"
    return draw(spoilt(text))


@st.composite
def packed(draw: st.DrawFn, content: bytes, suffix: str) -> bytes:
    """Return the content compressed as a suffix says, or not, or badly."""
    if suffix not in (".gz", ".bz2") or draw(st.integers(0, 9)) == 0:
        return content
    small = gzip.compress(content, mtime=0) if suffix == ".gz" else bz2.compress(content)
    return draw(damaged(small)) if draw(st.integers(0, 2)) == 0 else small


@st.composite
def topologies(draw: st.DrawFn, files: Sequence[str]) -> bytes:
    """Return the content of a SCALE-Sim topology with some cells changed."""
    rows = [line.split(",") for line in draw(st.sampled_from(files)).splitlines()]
    cells = st.sampled_from(
        ("", "0", "-1", "1", "2", "1.5", "x", "2:4", "4:2", "0:4", "9999:9999", "1:1", "dw", "#", '"')
    )
    larger = st.sampled_from(
        ("9" * 30, "2147483648", "2147483647", "1000000", "٣", "1e3", "\0", '"a,b', "²", "4" * 5000)
    )
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from(rows))
        match draw(st.sampled_from("rrrradl")):
            case "r":
                row[draw(st.integers(0, len(row) - 1))] = draw(cells | larger | st.text(max_size=5))
            case "a":
                row.append(draw(cells))
            case "d" if len(row) > 1:
                row.pop(draw(st.integers(0, len(row) - 1)))
            case _:
                rows += [list(row)] * draw(st.sampled_from((1, 2, 50)))
    return draw(spoilt("\n".join(map(",".join, rows)) + "\n"))


@st.composite
def results(draw: st.DrawFn, pool: Pool) -> bytes:
    """Return a saved result with some values changed."""
    match draw(st.sampled_from(".........sb")):
        case "s":
            return draw(spoilt(json.dumps(draw(st.sampled_from(pool.documents)))))
        case "b":
            return draw(
                st.binary(max_size=100) | st.sampled_from((b"", b"[]", b"null", b"[" * 100_000, b'{"a":' * 50_000))
            )
    text = emitted(draw(mutated(pool)))
    return text.encode("utf-8", "surrogatepass")


PLAUSIBLE = (
    *("n_tiles=8", "n_tiles=1e3", "clock_hz=1 GHz", "chip.tile_sram_bytes=32 KiB", "seed=7", "name=b", "dtype=float32"),
    *(
        "tensors.w.shape=[4, 8]",
        "tensors.x.shape.1=16",
        "ops.0.partials=float32",
        "compile.layout=network",
        "outputs=[z]",
    ),
    *(
        "tensors.w.dtype=float32",
        "tensors.w.init=zeros",
        "tensors.w.sparsity={density: 1/2}",
        "sync_cycles=0",
        "ops.1.op=abs",
    ),
)

_hostile_settings = st.builds(
    lambda key, sign, value: f"{key}{sign}{value}",
    st.one_of(
        st.sampled_from(
            ("n_tiles", "clock_hz", "tile_sram_bytes", "chip.n_tiles", "chip.name", "ops.0.op", "ops.0.partials")
        ),
        st.sampled_from(
            ("tensors.w.shape", "tensors.w.shape.0", "tensors.x", "seed", "name", "compile.layout", "outputs")
        ),
        st.sampled_from(
            ("ops.99.op", "ops.-1.op", "ops.x", "a..b", ".", "", "tensors.w.sparsity.density", "amp_modes.0")
        ),
        st.sampled_from(
            ("exchange_bytes_per_cycle", "chip", "dtype", "model", "layers", "training", "chip.chip.n_tiles")
        ),
        st.sampled_from(WORDS),
    ),
    st.sampled_from(("=",) * 9 + ("", "==", ":", " = ")),
    st.one_of(scalars.map(emitted), st.sampled_from((*WORDS, *PATHS)), st.text(max_size=9)),
)

settings_texts = st.one_of(_hostile_settings, st.sampled_from(PLAUSIBLE))
