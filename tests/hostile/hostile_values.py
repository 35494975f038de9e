"""Values that nobody should write into a file, and documents with such values in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hostile_words import NUMBERS, PATHS, RAW_NUMBERS, RAW_TEXTS, WORDS
from hypothesis import strategies as st


class Raw(NamedTuple):
    """A piece of YAML that is written as it is."""

    text: str


numbers = st.sampled_from(NUMBERS) | st.integers(0, 70) | st.integers(-(2**70), 2**70) | st.floats()
words = st.sampled_from(WORDS) | st.sampled_from(PATHS) | st.text(max_size=12)
raws = st.sampled_from([Raw(each) for each in (*RAW_NUMBERS, *RAW_TEXTS)])
scalars = st.one_of(numbers, numbers, words, words, raws, st.none(), st.booleans())
values = st.one_of(
    *(scalars,) * 4,
    st.lists(scalars, max_size=4),
    st.dictionaries(words, scalars, max_size=3),
    st.lists(st.lists(scalars, max_size=2), max_size=2),
    st.builds(lambda depth, core: _nested(depth, core), st.integers(2, 90), scalars),
    st.builds(lambda count, each: [each] * count, st.sampled_from((9, 300, 5000)), numbers),
)


def _nested(depth: int, core: Any) -> Any:
    for level in range(depth):
        core = [core] if level % 2 else {"a": core}
    return core


Place = tuple[Any, ...]


def places(value: Any, place: Place = ()) -> list[Place]:
    """Return the paths of all values inside a value, itself left out."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    found: list[Place] = []
    for key, item in items:
        found.append((*place, key))
        found += places(item, (*place, key))
    return found


def value_at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def changed(value: Any, place: Place, new: Any) -> Any:
    """Return a copy of `value` with another value at `place`; only what is on the way is copied."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    copy[place[0]] = changed(copy[place[0]], place[1:], new)
    return copy


def without(value: Any, place: Place) -> Any:
    parent = value_at(value, place[:-1])
    copy = dict(parent) if isinstance(parent, Mapping) else list(parent)
    del copy[place[-1]]
    return changed(value, place[:-1], copy)


class Pool:
    """Documents to begin with, and which values stand in them under which key."""

    def __init__(self, documents: Sequence[Any]) -> None:
        self.documents = list(documents)
        self.by_key: dict[str, list[Any]] = {}
        for document in self.documents:
            for place in places(document):
                key = str(place[-1])
                self.by_key.setdefault(key, []).append(value_at(document, place))
        self.keys = sorted(self.by_key)

    def like(self, key: object) -> st.SearchStrategy[Any]:
        """Return values that stand under this key somewhere."""
        found = self.by_key.get(str(key))
        return st.sampled_from(found) if found else values


@st.composite
def mutated(draw: st.DrawFn, pool: Pool, most: int = 4) -> Any:
    """Return a document of the pool with some of its values changed, taken away, doubled or moved."""
    document = draw(st.sampled_from(pool.documents))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 2, most)))):
        found = places(document)
        if not found:
            break
        place = draw(st.sampled_from(found))
        document = _mutate(draw, pool, document, place)
    return document


def _mutate(draw: st.DrawFn, pool: Pool, document: Any, place: Place) -> Any:
    old = value_at(document, place)
    match draw(st.sampled_from("vvvlllllnnndkasxw")):
        case "v":
            return changed(document, place, draw(values))
        case "l":
            return changed(document, place, draw(pool.like(place[-1])))
        case "n" if isinstance(old, (int, float)) and not isinstance(old, bool):
            factor = draw(st.sampled_from((-1, 0.5, 2, 3, 1 / 3, 1000, 2**20, 1e300)))
            return changed(document, place, old * factor if abs(old) < 1e9 else old)
        case "n":
            return changed(document, place, draw(numbers))
        case "d":
            return without(document, place)
        case "k":
            parent = value_at(document, place[:-1])
            key = draw(st.sampled_from(pool.keys) | words)
            if isinstance(parent, Mapping):
                return changed(document, place[:-1], {**parent, key: draw(pool.like(key))})
            return changed(document, place[:-1], [*parent, old])
        case "a":
            return changed(document, place, [old] * draw(st.sampled_from((0, 1, 2, 3, 50))))
        case "s":
            other = draw(st.sampled_from(places(document)))
            return changed(document, place, value_at(document, other))
        case "x":
            return changed(document, place, str(old))
        case _:
            return changed(document, place, {draw(words): old})


def emitted(value: Any) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {emitted(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(emitted, value)) + "]"
    if isinstance(value, float) and value * 0 != 0:
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def lines(value: Any) -> str:
    """Return a document in YAML, a line for each key."""
    if not isinstance(value, Mapping):
        return emitted(value) + "\n"
    return "".join(f"{json.dumps(str(key))}: {emitted(item)}\n" for key, item in value.items())


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)
)


@st.composite
def spoilt(draw: st.DrawFn, text: str) -> bytes:
    """Return a text as bytes, mostly in UTF-8 and as it is, else with something cut, put in or encoded badly."""
    match draw(st.sampled_from("..........citbudrez")):
        case "c":
            text = text[: draw(st.integers(0, len(text)))]
        case "i":
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(st.sampled_from((*RAW_TEXTS, *RAW_NUMBERS)) | st.text(max_size=8)) + text[place:]
        case "t":
            text = text.replace(" ", "\t", draw(st.integers(1, 9)))
        case "b":
            text = BOMB + text
        case "u":
            return text.encode(draw(st.sampled_from(("utf-16", "utf-32", "utf-7", "cp500"))), "replace")
        case "d":
            start = draw(st.integers(0, len(text)))
            text = text[:start] + text[start : start + draw(st.integers(1, 400))] + text[start:]
        case "r":
            text = text.replace("\n", draw(st.sampled_from(("\r", "\r\n", "\x85", "\u2028", "", "\n\n", "\n "))))
        case "e":
            content = text.encode("utf-8", "surrogatepass")
            place = draw(st.integers(0, len(content)))
            return content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place:]
        case "z":
            text += draw(st.sampled_from(("\n---\na: 1\n", "\n...\n", "\nx: " + "y" * 100_000, "\n" + "- [\n" * 5000)))
    return text.encode("utf-8", "surrogatepass")


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"#%@` \n\t0.,?<=~1e+x_\r\\é", max_size=80)


@st.composite
def yaml_files(draw: st.DrawFn, pool: Pool) -> bytes:
    """Return the content of a YAML file: a mutated document, or rubbish."""
    if draw(st.integers(0, 19)) == 0:
        return draw(
            st.binary(max_size=200) | yaml_like.map(str.encode) | st.text().map(lambda t: t.encode("utf-8", "ignore"))
        )
    return draw(spoilt(lines(draw(mutated(pool)))))
