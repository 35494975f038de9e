#!/usr/bin/env python3
"""Give ipusim hostile input of every kind, and record what became of it.

Usage: .venv/bin/python scripts/fuzz.py [--inputs 100000] [--seed 0] [--only KIND] [-o fuzz.json]

Every input has to be accepted, found not to fit, or refused with a located message, within a limit on processor time
and on memory. The exit code is 0 if all are. Inputs that are not are kept in a folder, as they were drawn.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import pickle
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "hostile")]

LIMIT_S = 5.0
COMPILE_S = 100.0
"""For an input that is the first to need some compiled function; it is then given to ipusim again, with the limit."""
ADDRESS_SPACE_BYTES = 6 * 2**30
BATCH = 500


def main() -> int:
    """Run everything, and return the exit code."""
    faulthandler.enable()
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    from hostile_kinds import kinds, prepare

    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
    os.dup2(sys.stdin.fileno(), 0)
    found = {name: kind for name, kind in kinds().items() if not options.only or name in options.only}
    total = sum(kind.share for kind in found.values())
    wanted = {name: round(options.inputs * kind.share / total) for name, kind in found.items()}
    begin, record = time.monotonic(), {}
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        os.chdir(name)
        prepare(Path(name))
        for word, kind in found.items():
            recorder = Recorder(word, kind, options.failures)
            recorder.run(wanted[word], options.seed)
            record[word] = recorder.document()
            print(
                f"{word:20} {json.dumps(record[word]['outcomes'])} {record[word]['cpu_s']} s",
                file=sys.stderr,
                flush=True,
            )
        os.chdir("/")
    document = {
        "seed": options.seed,
        "inputs": sum(each["inputs"] for each in record.values()),
        "defects": sum(each["outcomes"].get("defect", 0) for each in record.values()),
        "elapsed_s": round(time.monotonic() - begin, 1),
        "limit_cpu_s": LIMIT_S,
        "peak_bytes": max(each["peak_bytes"] for each in record.values()),
        "python": sys.version.split()[0],
        "kinds": record,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        print(text, end="")
    return int(document["defects"] > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a kind of input; may be repeated")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures").resolve(), help="folder for what fails")
    parser.add_argument("-o", "--output", type=Path, help="write the record here instead of to stdout")
    options = parser.parse_args()
    options.output = options.output and options.output.resolve()
    options.failures = options.failures.resolve()
    return options


class Recorder:
    """Runs the inputs of one kind, and counts."""

    def __init__(self, name: str, kind: Any, failures: Path) -> None:
        self.name, self.kind, self.failures = name, kind, failures
        self.outcomes: Counter[str] = Counter()
        self.defects: dict[str, dict[str, Any]] = {}
        self.slowest_s, self.peak, self.cpu_s, self.compiled = 0.0, 0, 0.0, 0

    def run(self, count: int, seed: int) -> None:
        """Draw so many inputs in batches and use each of them."""
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis import seed as seeded

        batch = 0
        while self.outcomes.total() < count:
            size = min(BATCH, count - self.outcomes.total())
            checked = settings(
                max_examples=size,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            seeded(seed * 1_000_003 + batch)(checked(given(self.kind.inputs)(self.use)))()
            batch += 1

    def use(self, drawn: Any) -> None:
        """Use one input, and note what became of it."""
        from hostile_guard import MAX_BYTES, TooSlowError, measured
        from hostile_kinds import outcome

        faulthandler.dump_traceback_later(120, exit=True)
        Path("last.pickle").write_bytes(pickle.dumps((self.name, drawn)))
        begin, seconds, peak = time.process_time(), 0.0, 0
        try:
            try:
                word, seconds, peak = measured(lambda: outcome(self.kind, drawn), LIMIT_S)
            except TooSlowError as error:
                if not _was_compiling(error):
                    raise
                self.compiled += 1
                measured(lambda: outcome(self.kind, drawn), COMPILE_S)
                word, seconds, peak = measured(lambda: outcome(self.kind, drawn), LIMIT_S)
            if peak > MAX_BYTES:
                raise MemoryError(f"{peak / 2**30:.1f} GiB")
        except (Exception, TooSlowError) as error:
            word = "defect"
            self._keep(error, drawn)
        self.cpu_s += time.process_time() - begin
        self.outcomes[word] += 1
        self.slowest_s, self.peak = max(self.slowest_s, seconds), max(self.peak, peak)

    def _keep(self, error: BaseException, drawn: Any) -> None:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if "ipusim" in each.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        key = f"{type(error).__name__} at {place}"
        entry = self.defects.setdefault(key, {"count": 0, "message": str(error)[:300]})
        entry["count"] += 1
        if entry["count"] <= 3:
            self.failures.mkdir(parents=True, exist_ok=True)
            stem = f"{self.name}-{key}-{entry['count']}".replace("/", "_").replace(" ", "_")
            (self.failures / f"{stem}.pickle").write_bytes(pickle.dumps((self.name, drawn)))
            text = "".join(traceback.format_exception(error)[-12:])
            (self.failures / f"{stem}.txt").write_text(f"{drawn!r}\n\n{text}", errors="backslashreplace")

    def document(self) -> dict[str, Any]:
        """Return the record."""
        return {
            "inputs": self.outcomes.total(),
            "outcomes": dict(sorted(self.outcomes.items())),
            "defects": self.defects,
            "cpu_s": round(self.cpu_s, 1),
            "slowest_cpu_s": round(self.slowest_s, 3),
            "peak_bytes": self.peak,
        }


def _was_compiling(error: BaseException) -> bool:
    """Tell whether an input was stopped while Numba compiled a function for it."""
    return any("numba" in each.filename for each in traceback.extract_tb(error.__traceback__))


if __name__ == "__main__":
    sys.exit(main())
