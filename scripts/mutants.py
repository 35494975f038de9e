#!/usr/bin/env python3
"""Change one operator, constant or argument of a formula after the other, and tell which changes no test notices.

Usage: python scripts/mutants.py [--only ipusim.codelets.hmac] [--part 1/2] [-o mutants.json] [TESTS...]

The changes are those of mutmut 3.8.1, which has to be installed beside ipusim and pytest. All run in one process: a
function gets the changed code in place of its own, and the tests that call it run, the quickest first, until one fails.
Formulas are not compiled meanwhile. Left out are decorated functions, and what is in error messages. A record that is
there already is continued, so that only what has been taken out of it is run again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
ROOMS = ("cost", "codelets")
TESTS = ("tests/unit/cost", "tests/unit/codelets", "tests/conformance")

LIMIT_S = 1.5
"""Processor time of a test under a mutant; slower tests are not used, and a mutant that takes longer is killed."""
RECORDED_EVERY = 50


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed function: its name, what it replaces, its source, and the lines that differ."""

    name: str
    function: FunctionType
    source: str
    difference: str


class TooLongError(BaseException):
    """A test has taken longer than the limit."""


def mutants_of(path: Path, beginnings: tuple[str, ...]) -> Iterator[Mutant]:
    """Yield the mutants of a module's functions and methods, without decorated ones and without error messages."""
    import libcst as cst
    from mutmut.mutation.file_mutation import create_mutations

    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if not any(name.startswith(word) or word.startswith(name) for word in beginnings):
        return
    module = importlib.import_module(name)
    tree, mutations, *_ = create_mutations(str(path), path.read_text())
    told = {id(node) for statement in _nodes(tree) if isinstance(statement, cst.Raise) for node in _nodes(statement)}
    owners = {id(node): module for node in tree.body}
    for holder in (node for node in tree.body if isinstance(node, cst.ClassDef)):
        owners |= {id(node): getattr(module, holder.name.value) for node in holder.body.body}
    number: Counter[str] = Counter()
    for mutation in mutations:
        top = mutation.contained_by_top_level_function
        if not isinstance(top, cst.FunctionDef) or id(mutation.original_node) in told:
            continue
        function = vars(owners[id(top)]).get(top.name.value)
        if not isinstance(function, FunctionType):
            continue
        label = f"{name}.{function.__qualname__}"
        number[label] += 1
        if not f"{label}:{number[label]}".startswith(beginnings):
            continue
        before = tree.code_for_node(top)
        source = tree.code_for_node(top.deep_replace(mutation.original_node, mutation.mutated_node))
        lines = unified_diff(before.splitlines(), source.splitlines(), lineterm="", n=0)
        difference = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
        yield Mutant(f"{label}:{number[label]}", function, source, difference)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def changed(mutant: Mutant) -> FunctionType:
    """Return the changed function."""
    space = dict(mutant.function.__globals__)
    text = "from __future__ import annotations\n" + textwrap.dedent(mutant.source)
    exec(compile(text, mutant.name, "exec"), space)
    found: FunctionType = space[mutant.function.__name__]
    return found


class Driver:
    """A pytest plugin that runs the collected tests under every mutant, in place of running them once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.slow = False
        self.record: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}

    def pytest_configure(self) -> None:
        """Draw the same examples every time, and do not look for smaller ones."""
        from hypothesis import Phase, settings

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings.get_profile("suite"), phases=phases, database=None)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run the mutants."""
        signal.signal(signal.SIGVTALRM, self._too_long)
        paths = [path for room in ROOMS for path in sorted((ROOT / "ipusim" / room).glob("*.py"))]
        tests = self._tests_by_code(session.items)
        mutants = [mutant for path in paths for mutant in mutants_of(path, tuple(self.options.only))]
        part, parts = self.options.part
        wanted = mutants[part - 1 :: parts]
        caches = _caches()
        for number, mutant in enumerate(wanted):
            if mutant.name not in self.record:
                verdict = self._verdict(mutant, tests[mutant.function.__code__], caches)
                self.record[mutant.name] = {"verdict": verdict, "difference": mutant.difference}
            if number % RECORDED_EVERY == 0 or number == len(wanted) - 1:
                self._write(f"{number + 1} of {len(wanted)}")
        self._check_that_nothing_is_left(tests, caches)
        return True

    def _check_that_nothing_is_left(self, tests: dict[CodeType, list[Any]], caches: list[Any]) -> None:
        for clear in caches:
            clear()
        for item in {item for items in tests.values() for item in items}:
            if not self._passes(item, 2 * LIMIT_S):
                raise SystemExit(f"{item.nodeid} fails after the mutants: something of them is left")

    def _tests_by_code(self, items: list[Any]) -> dict[CodeType, list[Any]]:
        """Run all tests unchanged, and return which call what; the quickest first."""
        seconds: dict[Any, float] = {}
        called: defaultdict[CodeType, list[Any]] = defaultdict(list)
        for item in items:
            codes: set[CodeType] = set()
            sys.setprofile(partial(_called_code, codes))
            begin = time.process_time()
            passed = self._passes(item, LIMIT_S)
            sys.setprofile(None)
            seconds[item] = time.process_time() - begin
            if not passed and not self.slow:
                raise SystemExit(f"{item.nodeid} fails without a mutant")
            for code in codes if passed else ():
                called[code].append(item)
        return defaultdict(list, {code: sorted(tests, key=seconds.__getitem__) for code, tests in called.items()})

    def _verdict(self, mutant: Mutant, tests: list[Any], caches: list[Any]) -> str:
        if not tests:
            return "untested"
        function = mutant.function
        kept = function.__code__, function.__defaults__, function.__kwdefaults__
        try:
            other = changed(mutant)
            function.__code__, function.__defaults__ = other.__code__, other.__defaults__
            function.__kwdefaults__ = other.__kwdefaults__
            for test in tests:
                for clear in caches:
                    clear()
                if not self._passes(test, LIMIT_S):
                    tests.remove(test)
                    tests.insert(0, test)
                    return "too long" if self.slow else "killed"
        finally:
            function.__code__, function.__defaults__, function.__kwdefaults__ = kept
        return "survived"

    def _passes(self, item: Any, limit_s: float) -> bool:
        from _pytest.runner import runtestprotocol

        self.slow = False
        signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
        try:
            return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))
        except TooLongError:
            return False
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _too_long(self, *_: Any) -> None:
        self.slow = True
        raise TooLongError

    def _write(self, progress: str) -> None:
        self.options.output.write_text(json.dumps(self.record, indent=1))
        print(progress, dict(Counter(entry["verdict"] for entry in self.record.values())), file=sys.stderr, flush=True)


def _called_code(codes: set[CodeType], frame: FrameType, event: str, _: object) -> None:
    if event == "call":
        codes.add(frame.f_code)


def _caches() -> list[Any]:
    """Return what empties the caches of the modules that hold formulas or call them."""
    modules = [module for name, module in sys.modules.items() if name.startswith(("ipusim.c", "ipusim.plan"))]
    held = {id(value): value for module in modules for value in vars(module).values()}
    return [value.cache_clear for value in held.values() if hasattr(value, "cache_clear")]


def main() -> int:
    """Run the mutants, and return the exit code: 1 if some survive."""
    options = _options()
    os.chdir(ROOT)
    jit: Any = importlib.import_module("ipusim.kernels.jit")
    jit.compiled = lambda function: function
    import pytest

    driver = Driver(options)
    flags = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--tb=native", "-k", "not compiled"]
    status = pytest.main([*flags, *(options.tests or TESTS)], plugins=[driver])
    return int(status) or int(any(entry["verdict"] in ("survived", "untested") for entry in driver.record.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help=f"files and folders of tests (default: {' '.join(TESTS)})")
    parser.add_argument("--only", action="append", help="how names of mutants begin", default=[])
    parser.add_argument("--part", default="1/1", help="which of how many equal parts of the mutants, such as 2/3")
    parser.add_argument("-o", "--output", type=Path, default=Path("mutants.json"), help="the record")
    options = parser.parse_args()
    options.only = options.only or [""]
    options.output = options.output.resolve()
    options.part = tuple(int(number) for number in options.part.split("/"))
    return options


if __name__ == "__main__":
    sys.exit(main())
