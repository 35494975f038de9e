"""Runs the fenced blocks of a Markdown page, in their order and in a folder of their own.

==============  =====================================================================================================
block           what happens
==============  =====================================================================================================
``python``      runs, in one namespace for the whole page
``sh``          every line that calls ipusim runs; no other command may stand there
``yaml``        is loaded: a workload, a chip or a space
``text``        is what the block before it prints
==============  =====================================================================================================

An HTML comment in front of a block says more about it, one word to a line:

- ``not run: REASON``: the block is no more than shown. Every other block runs, so that none is forgotten.
- ``file: NAME``: the block is the content of this file, which is written before any block runs.
- ``slow``: the block takes more than a few seconds, and is run with the slow tests.
- ``exit: CODE``: of a block ``sh`` that ends with another code than 0.
- ``shows: START; START``: of a block ``text``: its paragraphs that begin so (``head N``: the first N lines).

A comment ``setup`` with code below it runs like a block ``python`` that readers do not see.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("ipusim/**/README*.md"))]

_WORDS = ("not run", "file", "slow", "exit", "shows")
_COMMAND = re.compile(r"(\./scripts/)?ipusim ")


@dataclass
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    line : int
        Of the fence, from 1.
    language, text : str
    words : dict of str to str
        What the comment before it says.
    output : Block or None
        The ``text`` block that shows what it prints.
    """

    line: int
    language: str
    text: str
    words: dict[str, str] = field(default_factory=dict)
    output: Block | None = None

    @property
    def runs(self):
        return "not run" not in self.words


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a page; one that shows an output is part of the block that prints it."""
    found: list[Block] = []
    words: dict[str, str] = {}
    for token in MarkdownIt().parse(text):
        if token.type == "html_block":
            words = _words(token.content)
            if "setup" in words:
                found.append(Block(token.map[0] + 1, "python", words.pop("setup")))
        elif token.type == "fence":
            block = Block(token.map[0] + 1, token.info.strip(), token.content, words)
            words = {}
            shown = block.language == "text" and block.runs and "file" not in block.words
            if shown and found and found[-1].language in ("sh", "python") and found[-1].output is None:
                found[-1].output = block
            else:
                found.append(block)
        elif token.type.endswith("_open"):
            words = {}
    return found


def _words(comment: str) -> dict[str, str]:
    content = re.fullmatch(r"<!--\s*(.*?)\s*-->\s*", comment, re.DOTALL)
    if not content:
        return {}
    if content[1].startswith("setup\n"):
        return {"setup": content[1].removeprefix("setup\n")}
    pairs = [line.partition(":")[::2] for line in content[1].splitlines()]
    return {key.strip(): value.strip() for key, value in pairs if key.strip() in _WORDS}


def problems(page: Path, folder: Path, *, slow: bool = False, update: bool = False) -> list[str]:
    """Run the blocks of a page that are slow, or those that are not, and return what is wrong with them.

    With `update`, outputs that differ are written into the page instead.
    """
    text = page.read_text(encoding="utf-8")
    wrong: list[str] = []
    changes: list[tuple[Block, str]] = []
    namespace: dict[str, object] = {"__name__": "page", "DATA": ROOT / "tests" / "data"}
    blocks = blocks_of(text)
    with _inside(folder):
        for block in blocks:
            _write(block)
        for block in blocks:
            place = f"{_shown(page)}:{block.line}"
            try:
                printed = _run(block, namespace, slow)
            except Exception:
                wrong.append(f"{place}: {traceback.format_exc(limit=-4)}")
                continue
            if printed is None or block.output is None:
                continue
            wanted = selected(printed, block.output.words.get("shows", ""))
            if wanted != block.output.text:
                changes.append((block.output, wanted))
    if update and changes:
        page.write_text(_replaced(text, changes), encoding="utf-8")
        return wrong
    hint = "(run with --update-golden to write it into the page)"
    wrong += [f"{_shown(page)}:{shown.line}: prints now {hint}\n{wanted}" for shown, wanted in changes]
    return wrong


def _shown(page: Path) -> str:
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def _replaced(text: str, changes: list[tuple[Block, str]]) -> str:
    lines = text.splitlines(keepends=True)
    for block, wanted in sorted(changes, key=lambda change: -change[0].line):
        length = len(block.text.splitlines())
        lines[block.line : block.line + length] = wanted.splitlines(keepends=True)
    return "".join(lines)


def selected(printed: str, shows: str) -> str:
    """Return the part of an output that a page shows, with ``...`` where something is left out."""
    if not shows:
        return printed
    if shows.startswith("head "):
        return "".join(printed.splitlines(keepends=True)[: int(shows.removeprefix("head "))]) + "...\n"
    starts = [start.strip() for start in shows.split(";")]
    paragraphs = printed.rstrip("\n").split("\n\n")
    missing = [start for start in starts if not any(each.lstrip().startswith(start) for each in paragraphs)]
    if missing:
        raise ValueError(f"no paragraph of the output begins with {missing}:\n{printed}")
    kept: list[str] = []
    for paragraph in paragraphs:
        if paragraph.lstrip().startswith(tuple(starts)):
            kept.append(paragraph)
        elif not kept or kept[-1] != "...":
            kept.append("...")
    return "\n\n".join(kept) + "\n"


def _run(block: Block, namespace: dict[str, object], slow: bool) -> str | None:
    """Run a block and return what it prints; None where nothing is run."""
    if "file" in block.words or not block.runs or ("slow" in block.words) != slow:
        return None
    if block.language == "python":
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile("\n" * block.line + block.text, "page", "exec"), namespace)
        return printed.getvalue()
    if block.language == "sh":
        return "".join(_command(line, int(block.words.get("exit", 0))) for line in _lines(block.text))
    if block.language == "yaml":
        return _load(block.text)
    raise AssertionError(f"a block {block.language!r} is not run: say why in a comment before it")


def _write(block: Block) -> None:
    """Write the file whose content a block is; before anything runs, for registries look at their folders once."""
    if "file" in block.words:
        file = Path(block.words["file"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _command(line: str, wanted: int) -> str:
    """Run a call of ipusim in this process, at a terminal of 80 columns, and return what it prints."""
    from ipusim.cli.main import main

    assert _COMMAND.match(line), f"no call of ipusim: {line}"
    printed, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        code = main(shlex.split(line)[1:])
    assert code == wanted, f"{line}\nexit code {code}\n{told.getvalue()}"
    assert wanted or not told.getvalue(), told.getvalue()
    return printed.getvalue() + told.getvalue()


def _load(text: str) -> None:
    from ipusim.chip.load import load_chip
    from ipusim.exploration.load import load_space
    from ipusim.frontends.build import build_graph
    from ipusim.frontends.workload import load_workload

    content = yaml.safe_load(text)
    if "parameters" in content:
        load_space(content)
    elif "model" in content or "ops" in content:
        build_graph(load_workload(content))
    else:
        load_chip(content)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder that has the checkout's workloads and chips."""
    for name in ("workloads", "configs"):
        link = folder / name
        if not link.exists():
            link.symlink_to(ROOT / name)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def overlay(folder: Path) -> None:
    """Fill a folder with a package `ipusim` to which files can be added: its folders, and links to its files."""
    for path in (ROOT / "ipusim").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            link = folder / path.relative_to(ROOT)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


if __name__ == "__main__":
    _page, _folder, *_flags = sys.argv[1:]
    found = problems(Path(_page), Path(_folder), slow="--slow" in _flags, update="--update-golden" in _flags)
    print("\n".join(found))
    sys.exit(bool(found))
