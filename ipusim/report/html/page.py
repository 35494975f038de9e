"""What every page shares: templates, the inlined style, scripts and data, and how numbers look in tables."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ipusim.report.compare_words import density_text, speedup_text
from ipusim.report.json import plain_value
from ipusim.report.numbers import (
    format_bytes,
    format_count,
    format_error,
    format_joules,
    format_percent,
    format_scaled,
    format_seconds,
)
from ipusim.report.trust import cell_band

MOST_BYTES = 8_000_000
"""No page is larger."""

_FILTERS: Mapping[str, Callable[..., str]] = {
    "count": format_count,
    "size": format_bytes,
    "scaled": format_scaled,
    "duration": format_seconds,
    "percent": format_percent,
    "error": format_error,
    "joules": format_joules,
    "density": density_text,
    "speedup": speedup_text,
    "band": cell_band,
}


def render_page(template: str, scripts: Sequence[str] = (), data: object = None, **values: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template : str
        File in ``templates``, which extends ``base.html.j2``. Every value in it is escaped.
    scripts : sequence of str
        Files in ``assets``, run in this order after ``common.js``. Without any, plotly is left out, too.
    data : plain values
        What the scripts read.
    **values
        What the template reads.
    """
    inlined = [_plotly(), *(_asset(name) for name in ("common.js", "tables.js", *scripts))] if scripts else []
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_asset("style.css")),
            scripts=[Markup(text) for text in inlined],
            data=Markup(embedded_json(data)),
            **values,
        )
    )


def render_part(template: str, **values: Any) -> str:
    """Return a piece of a page, without scripts."""
    return _environment().get_template(template).render(style=Markup(_asset("style.css")), **values)


def embedded_json(data: object) -> str:
    """Return JSON that can stand inside of a ``script`` element: no name in it can end the element."""
    text = json.dumps(plain_value(data), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ipusim.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment


@cache
def _asset(name: str) -> str:
    return (files("ipusim.report.html") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    script = pkgutil.get_data("plotly", "package_data/plotly.min.js")
    assert script is not None
    return script.decode("utf-8")
