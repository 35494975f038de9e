#!/usr/bin/env python3
"""The pictures in docs/gallery: parts of HTML reports, as a headless Chromium draws them.

Usage: .venv/bin/python scripts/gallery.py [--pages FOLDER]

Simulates the layer of docs/tutorial.md, compares and explores it, trains and validates, and takes pictures of the
pages; with --pages, of the pages that lie in a folder already (run.html, ...). Needs chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from ipusim.cli.main import main as ipusim

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
COLOURS = 96
WIDTH = 1200
"""Of the pages, in pixels."""

sys.path.insert(0, str(ROOT / "tests"))
from browser import ABSENT, CHROMIUM, DRIVER, Browser  # noqa: E402
from snippets import blocks_of  # noqa: E402


class Picture(NamedTuple):
    """A part of a page: from the heading `top` to the heading `bottom`, empty for its ends."""

    name: str
    page: str
    top: str = ""
    bottom: str = ""
    scheme: str = "light"


PICTURES = (
    Picture("run-summary", "run", "", "timeline"),
    Picture("run-timeline", "run", "timeline", "tiles"),
    Picture("run-tiles", "run", "tiles", "memory", "dark"),
    Picture("run-memory", "run", "memory", "operators"),
    Picture("compare-maps", "compare", "maps", "curves"),
    Picture("compare-curves", "compare", "curves", "cell"),
    Picture("explore-front", "explore", "front", "parallel"),
    Picture("train", "train", "", "curves"),
    Picture("validate", "validate", "against", "points"),
)

COMMANDS = {
    "run": ("run", "layer.yaml"),
    "compare": ("compare", "layer.yaml", "--density", "1/4,1/8,1/16,1/32", "--block-size", "1,4,8,16"),
    "explore": ("explore", "wider.yaml"),
    "train": (
        "train",
        "training/digits-mlp",
        "--set",
        "n_tiles=16",
        "--compare",
        "dense,static,rigl",
        "--steps",
        "200",
    ),
    "validate": ("validate", "--only", "dense_matmul"),
}
"""What makes each page."""


def make_pages(folder: Path) -> None:
    """Write the pages that are not in a folder yet."""
    for block in blocks_of((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        if "file" in block.words:
            (folder / block.words["file"]).write_text(block.text, encoding="utf-8")
    for page, words in COMMANDS.items():
        file = folder / f"{page}.html"
        if not file.exists():
            print(f"gallery: {page}", file=sys.stderr)
            store = ("--store", str(folder / "wider.sqlite")) if page == "explore" else ()
            named = [str(folder / word) if word.endswith(".yaml") else word for word in words]
            ipusim([*named, *store, "--html", str(file), "-o", str(folder / f"{page}.txt")])


def take(browser: Browser, picture: Picture, pages: Path) -> bytes:
    """Return a picture as a PNG file with few colours."""
    browser.prefer(picture.scheme)
    browser.open(pages / f"{picture.page}.html")
    place = "const e = document.getElementById(arguments[0]); return e.getBoundingClientRect().top + scrollY - 12"
    top = browser.run(place, picture.top) if picture.top else 0
    bottom = browser.run(place, picture.bottom) if picture.bottom else browser.run("return document.body.scrollHeight")
    clip = {"x": 0, "y": top, "width": WIDTH, "height": min(bottom - top, 1100), "scale": 0.75}
    asked: dict[str, Any] = {"captureBeyondViewport": True, "clip": clip}
    shot = Image.open(io.BytesIO(base64.b64decode(browser.devtools("Page.captureScreenshot", asked)["data"])))
    file = io.BytesIO()
    shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> int:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=Path, help="folder of pages; those that are there are not made anew")
    arguments = parser.parse_args()
    if CHROMIUM is None or DRIVER is None:
        print(f"gallery: {ABSENT}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        pages = arguments.pages or Path(scratch)
        make_pages(pages)
        browser = Browser(Path(scratch) / "profile")
        browser.resize(WIDTH)
        GALLERY.mkdir(exist_ok=True)
        try:
            for picture in PICTURES:
                (GALLERY / f"{picture.name}.png").write_bytes(take(browser, picture, pages))
        finally:
            browser.close()
    total = sum(file.stat().st_size for file in GALLERY.glob("*.png"))
    print(f"{len(PICTURES)} pictures, {total / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
