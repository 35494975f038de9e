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

from benchmarks.measuring import Figures, exponent, run_process

PACKAGES = ("scalesim==3.0.0", "numpy==2.2.6")
"""SCALE-Sim and the last numpy series with which this version runs."""
CUBES = (64, 128, 256)
CONVOLUTIONS = {
    "conv 14x14, 3x3, 32 to 32": (16, 16, 3, 3, 32, 32, 1),
    "conv 14x14, 3x3, 64 to 64": (16, 16, 3, 3, 64, 64, 1),
}
"""Height and width with padding, kernel, channels, filters, stride."""

CONFIGURATION = """
    [general]
    run_name = bench
    [architecture_presets]
    ArrayHeight = 32
    ArrayWidth = 32
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

_OURS = """
import sys, time
import ipusim.plan.best_rows as best_rows
from ipusim.pipeline import simulate
best_rows.read_entry = lambda key: None  # the search itself, not what an earlier run has found
topology, warm = sys.argv[1:]
simulate(warm, "bow", explain=False)
start = time.process_time()
assert simulate(topology, "bow", explain=False).cycles > 0
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
        (folder / "bench.cfg").write_text(dedent(CONFIGURATION))
        (folder / "layout.csv").write_text("Layer,\n")
        layers = {f"{size}-cube": ("gemm", f"Layer,M,N,K,\nproduct,{size},{size},{size},\n") for size in CUBES}
        header = "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,\n"
        for label, sizes in CONVOLUTIONS.items():
            layers[label] = ("conv", f"{header}layer,{','.join(map(str, sizes))},\n")
        warm = {"gemm": folder / "warm-gemm.csv", "conv": folder / "warm-conv.csv"}
        warm["gemm"].write_text("Layer,M,N,K,\nproduct,48,48,48,\n")
        warm["conv"].write_text(f"{header}layer,10,10,3,3,16,16,1,\n")
        for label, (kind, text) in layers.items():
            topology = folder / f"{label.replace(' ', '-').replace(',', '')}.csv"
            topology.write_text(text)
            files = [str(topology), str(folder / "bench.cfg"), str(folder / "layout.csv"), str(folder / "results")]
            theirs = run_process([str(python), "-c", _THEIRS, *files, kind])
            ours = run_process([sys.executable, "-c", _OURS, str(topology), str(warm[kind])])
            taken = {"SCALE-Sim": float(theirs.output.split()[-1]), "ipusim": float(ours.output.split()[-1])}
            for tool, used in (("SCALE-Sim", theirs), ("ipusim", ours)):
                figures[f"{label}, {tool} (CPU s)"] = taken[tool]
                figures[f"{label}, {tool}, peak (MiB)"] = used.peak_mib
                if kind == "gemm":
                    times[tool][float(label.partition("-")[0])] = taken[tool]
            figures[f"{label}, speed relative to SCALE-Sim"] = taken["SCALE-Sim"] / taken["ipusim"]
    for tool, found in times.items():
        figures[f"exponent over the edge of a cube, {tool}"] = exponent(found)
    return figures


def scale_sim_python() -> Path:
    """Return the Python of SCALE-Sim's own environment in the cache folder, which is made if it is not there.

    Raises
    ------
    SkippedError
        When it cannot be installed, as without a network.
    """
    from ipusim.kernels.jit import cache_folder

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
