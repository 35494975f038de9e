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
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "hostile")]

LIMIT_S = 5.0
COMPILE_S = 100.0
"""For an input that is the first to need some compiled function; it is then given to ipusim again, with the limit."""
ADDRESS_SPACE_BYTES = 6 * 2**30
ROUND = 2500
"""Inputs between two records."""

VARIANTS = 4
"""Further inputs made of each that Hypothesis draws, by exchanging words and numbers in it."""

HANGS_S = 900
"""An input for which no limit on processor time helps is told by a traceback of the whole process."""


def main() -> int:
    """Run everything, and return the exit code."""
    faulthandler.enable()
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    from hostile_kinds import kinds, prepare

    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
    os.dup2(sys.stdin.fileno(), 0)
    found = {name: kind for name, kind in kinds().items() if not options.only or name in options.only}
    begin = time.monotonic()
    recorders = [Recorder(word, kind, options.failures) for word, kind in found.items()]
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        os.chdir(name)
        prepare(Path(name))
        n_rounds = -(-options.inputs // ROUND)
        for number in range(n_rounds):
            for recorder in recorders:
                share = options.inputs * recorder.kind.share / sum(each.share for each in found.values())
                wanted = round(share * (number + 1) / n_rounds) - recorder.outcomes.total()
                recorder.run(wanted, options.seed * 1_000_003 + number)
            document = _record(options.seed, recorders, time.monotonic() - begin)
            _write(document, options.output)
            print(f"{document['inputs']} {document['outcomes']}", file=sys.stderr, flush=True)
            if stopped:
                break
        os.chdir("/")
    if not options.output:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    return int(document["outcomes"].get("defect", 0) > 0)


def _record(seed: int, recorders: Sequence[Recorder], elapsed_s: float) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    for recorder in recorders:
        outcomes.update(recorder.outcomes)
    return {
        "seed": seed,
        "inputs": outcomes.total(),
        "outcomes": dict(sorted(outcomes.items())),
        "elapsed_s": round(elapsed_s),
        "cpu_s": round(time.process_time()),
        "limit_cpu_s": LIMIT_S,
        "slowest_cpu_s": max(recorder.slowest_s for recorder in recorders),
        "peak_bytes": max(recorder.peak for recorder in recorders),
        "python": sys.version.split()[0],
        "kinds": {recorder.name: recorder.document() for recorder in recorders},
    }


def _write(document: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


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
        """Draw so many inputs and use each of them."""
        from hostile_variants import variants
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis import seed as seeded

        if count < 1:
            return
        checked = settings(
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        n_drawn = -(-count // (1 + VARIANTS)) if self.kind.has_variants else count
        checked = settings(checked, max_examples=n_drawn)
        last = self.outcomes.total() + count

        def use_all(drawn: Any) -> None:
            found = [drawn, *(variants(drawn, VARIANTS) if self.kind.has_variants else ())]
            for each in found[: last - self.outcomes.total()]:
                self.use(each)

        seeded(seed)(checked(given(self.kind.inputs)(use_all)))()

    def use(self, drawn: Any) -> None:
        """Use one input, and note what became of it."""
        from hostile_guard import MAX_BYTES, TooSlowError, measured
        from hostile_kinds import outcome

        faulthandler.dump_traceback_later(HANGS_S, exit=True)
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
