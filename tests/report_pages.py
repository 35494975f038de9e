"""What tests read out of a page: its tags and addresses, its data, its own scripts."""

import json
import re
from html.parser import HTMLParser

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{ 7*7 }}%{x}\u2028'\""
"""A name that would be markup, script or a template if it were taken for one."""


class Tags(HTMLParser):
    """The tags of a page in their order, and every address that it names."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def parsed(page):
    """Return the tags of a page."""
    parser = Tags()
    parser.feed(page)
    return parser


def data_of(page):
    """Return the document that the scripts of a page read."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def own_scripts(page):
    """Return the scripts of a page, but for the plotting library."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return "\n".join(sorted(scripts, key=len)[:-1])
