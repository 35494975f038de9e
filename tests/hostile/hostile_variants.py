"""Further inputs made of one, by exchanging, doubling and dropping words and numbers: cheaper than to draw them."""

from __future__ import annotations

import random
import re
from typing import Any
from zlib import crc32

from hostile_words import NUMBERS, RAW_NUMBERS, RAW_TEXTS

_TOKEN = re.compile(rb"[0-9]+(?:\.[0-9]+)?|[A-Za-z_]+|[^\sA-Za-z0-9_]")
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?")
_NUMBERS = [str(each).encode() for each in NUMBERS] + [each.encode() for each in RAW_NUMBERS if len(each) < 30]
_SMALL = [str(each).encode() for each in range(20)]
_PIECES = [each.encode("utf-8", "surrogatepass") for each in RAW_TEXTS]


def variants(drawn: Any, count: int) -> list[Any]:
    """Return inputs like `drawn`, the same ones every time: bytes, or a tuple with bytes in it."""
    if not isinstance(drawn, bytes):
        place = next(index for index, each in enumerate(drawn) if isinstance(each, bytes))
        return [(*drawn[:place], each, *drawn[place + 1 :]) for each in variants(drawn[place], count)]
    chance = random.Random(crc32(drawn))
    return [_changed(drawn, chance) for _ in range(count)]


def _changed(content: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(10)
    if kind < 5:
        found = list(_NUMBER.finditer(content))
        if found:
            each = chance.choice(found)
            number = chance.choice(_SMALL if kind < 3 else _NUMBERS)
            return content[: each.start()] + number + content[each.end() :]
    tokens = list(_TOKEN.finditer(content))
    if not tokens:
        return content + bytes([chance.randrange(256)])
    first, second = sorted((chance.choice(tokens) for _ in range(2)), key=lambda each: each.start())
    a, b = content[first.start() : first.end()], content[second.start() : second.end()]
    middle = content[first.end() : second.start()]
    if kind < 7:
        return content[: first.start()] + b + middle + a + content[second.end() :]
    if kind < 8:
        return content[: first.start()] + middle + content[second.start() :]
    if kind < 9:
        return content[: second.start()] + a + b" " + content[second.start() :]
    return content[: first.start()] + chance.choice(_PIECES) + content[first.end() :]
