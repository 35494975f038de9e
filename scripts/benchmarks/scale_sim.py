"""ipusim beside SCALE-Sim: the same topology files, the time and memory until there is an answer.

The two do not simulate the same machine. SCALE-Sim follows a systolic array of 32 x 32 with three buffers: it makes the
address of every operand of every cycle, and counts stalls of buffers and their bandwidth; it counts cycles and
utilisation, no energy, and moves no values. ipusim compiles for the 1,472 tiles of a Bow, counts the cycles of every
superstep from formulas, tile by tile, and maps the memory. Its answer is about another chip, so that cycles are not
compared, and neither is the better simulator for being faster. What is compared is how long a user waits, and how that
grows with the size of a layer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from textwrap import dedent

from benchmarks.growing import compile_one
from benchmarks.measuring import Figures, exponent, run_part, run_process
from ipusim.kernels.jit import cache_folder

PACKAGES = ("scalesim==3.0.0", "numpy==2.2.6")
"""SCALE-Sim and the last numpy series with which this version runs."""
CUBES = (64, 128, 256)
CONVOLUTIONS = {
    "conv 14x14, 3x3, 32 to 32": (16, 16, 3, 3, 32, 32, 1),
    "conv 14x14, 3x3, 64 to 64": (16, 16, 3, 3, 64, 64, 1),
}
"""Height and width with padding, kernel, channels, filters, stride."""
HEADER = "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,\n"
STAGES = ((56, 64, 3), (28, 128, 4), (14, 256, 6), (7, 512, 3))
"""Of ResNet-50: edge of the results, channels inside, blocks."""
LAYERS_OF_BOTH = 11
"""The stem and the first stage: what SCALE-Sim finishes in two to three minutes of processor time."""

CONFIGURATION = """
    [general]
    run_name = bench
    [architecture_presets]
    ArrayHeight = EDGE
    ArrayWidth = EDGE
    IfmapSramSzkB = 256
    FilterSramSzkB = 256
    OfmapSramSzkB = 256
    IfmapOffset = 0
    FilterOffset = 10000000
    OfmapOffset = 20000000
    Bandwidth = 32
    Dataflow = ws
    MemoryBanks = 1
    ReadRequestBuffer = 64
    WriteRequestBuffer = 64
    [layout]
    IfmapCustomLayout = False
    IfmapSRAMBankBandwidth = 10
    IfmapSRAMBankNum = 10
    IfmapSRAMBankPort = 2
    FilterCustomLayout = False
    FilterSRAMBankBandwidth = 10
    FilterSRAMBankNum = 10
    FilterSRAMBankPort = 2
    [sparsity]
    SparsitySupport = False
    SparseRep = ellpack_block
    OptimizedMapping = False
    BlockSize = 8
    RandomNumberGeneratorSeed = 40
    [run_presets]
    InterfaceBandwidth = USER
    UseRamulatorTrace = False
"""

_THEIRS = """
import sys, time, warnings
warnings.simplefilter("ignore")
from scalesim.scale_sim import scalesim
topology, configuration, layout, results, kind = sys.argv[1:]
start = time.process_time()
run = scalesim(True, False, configuration, topology, layout, kind == "gemm")
run.run_scale(results)
assert run.runner.single_layer_sim_object_list[0].get_compute_report_items()[0] > 0
print(time.process_time() - start)
"""


class SkippedError(Exception):
    """A bench cannot run here, and says why."""


def scale_sim() -> Figures:
    """The same topology files through SCALE-Sim 3.0.0 (32 x 32 array) and ipusim (Bow, float16), imports apart"""
    python = scale_sim_python()
    figures: Figures = {}
    times: dict[str, dict[float, float]] = {"SCALE-Sim": {}, "ipusim": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in CUBES:
            label = f"{size}-cube"
            text = f"Layer,M,N,K,\nproduct,{size},{size},{size},\n"
            figures |= _both(label, python, folder, "gemm", text)
            for tool, found in times.items():
                found[size] = figures[f"{label}, {tool} (CPU s)"]
        for label, sizes in CONVOLUTIONS.items():
            figures |= _both(label, python, folder, "conv", f"{HEADER}layer,{','.join(map(str, sizes))},\n")
    for tool, found in times.items():
        figures[f"exponent over the edge of a cube, {tool}"] = exponent(found)
    return figures


def resnet50() -> Figures:
    """ResNet-50's layers (54 convolutions and products, one image) from a topology file, through SCALE-Sim 3.0.0
    (128 x 128 array), which is given the first 11 (stem and one of four stages), and ipusim (Bow, float16)
    """
    python = scale_sim_python()
    layers = resnet50_layers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = HEADER + "".join(layers[:LAYERS_OF_BOTH])
        figures = _both(f"{LAYERS_OF_BOTH} layers", python, folder, "conv", text, 128)
        taken, peak = _ours(folder, "conv", HEADER + "".join(layers))
    what = f"all {len(layers)} layers, ipusim"
    return {**figures, f"{what} (CPU s)": taken, f"{what}, peak (MiB)": peak}


def resnet50_layers() -> list[str]:
    """Return the lines of the topology file of ResNet-50, images of 224 x 224; heights and widths with padding."""
    rows: list[tuple[int, ...]] = [(230, 230, 7, 7, 3, 64, 2)]
    channels = 64
    for edge, inside, n_blocks in STAGES:
        for block in range(n_blocks):
            stride = 2 if edge < 56 and block == 0 else 1
            before, wide = edge * stride, 4 * inside
            rows.append((before, before, 1, 1, channels, inside, 1))
            rows.append((before + 2, before + 2, 3, 3, inside, inside, stride))
            rows.append((edge, edge, 1, 1, inside, wide, 1))
            if block == 0:
                rows.append((before, before, 1, 1, channels, wide, stride))
            channels = wide
    rows.append((1, 1, 1, 1, channels, 1000, 1))
    return [f"layer{number},{','.join(map(str, row))},\n" for number, row in enumerate(rows)]


def _both(label: str, python: Path, folder: Path, kind: str, text: str, edge: int = 32) -> Figures:
    """Return the times and peaks of both tools on one topology."""
    topology, configuration, layout = folder / "topology.csv", folder / "bench.cfg", folder / "layout.csv"
    topology.write_text(text)
    configuration.write_text(dedent(CONFIGURATION).replace("EDGE", str(edge)))
    layout.write_text("Layer,\n")
    files = [str(file) for file in (topology, configuration, layout, folder / "results")]
    used = run_process([str(python), "-c", _THEIRS, *files, kind])
    theirs = float(used.output.split()[-1])
    ours, peak = _ours(folder, kind, text)
    return {
        f"{label}, SCALE-Sim (CPU s)": theirs,
        f"{label}, SCALE-Sim, peak (MiB)": used.peak_mib,
        f"{label}, ipusim (CPU s)": ours,
        f"{label}, ipusim, peak (MiB)": peak,
        f"{label}, speed relative to SCALE-Sim": theirs / ours,
    }


def _ours(folder: Path, kind: str, text: str) -> tuple[float, float]:
    """Return the CPU seconds of ipusim, after a small layer, and its peak of memory."""
    topology, warm = folder / "topology.csv", folder / "warm.csv"
    topology.write_text(text)
    product, convolution = "Layer,M,N,K,\nproduct,48,48,48,\n", f"{HEADER}layer,10,10,3,3,16,16,1,\n"
    warm.write_text(product if kind == "gemm" else convolution)
    part = run_part(compile_one, str(warm), str(topology), {})
    return part.figures["s"], part.peak_mib


def scale_sim_python() -> Path:
    """Return the Python of SCALE-Sim's own environment in the cache folder, which is made if it is not there.

    Raises
    ------
    SkippedError
        When it cannot be installed, as without a network.
    """
    folder = cache_folder() / "bench" / "-".join(PACKAGES).replace("==", "-")
    python, done = folder / "bin" / "python", folder / "installed.json"
    if done.exists():
        return python
    print(f"bench: installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
    try:
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        last = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1]
        raise SkippedError(f"SCALE-Sim could not be installed, perhaps for want of a network ({last})") from None
    done.write_text(json.dumps(PACKAGES))
    return python
