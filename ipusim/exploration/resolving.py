"""From values of the parameters to chip and workloads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ipusim.chip.checks import check_chip
from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.errors import BadInputError
from ipusim.exploration.keys import graph_key, result_key
from ipusim.exploration.load import changed_workload
from ipusim.exploration.space import Space, Values
from ipusim.files.document import Document
from ipusim.files.overrides import Setting, apply_setting
from ipusim.frontends.build import build_graph
from ipusim.frontends.model import Workload
from ipusim.ir.graph import Graph

_WORKLOADS_KEPT = 256


@dataclass(frozen=True, slots=True)
class Case:
    """One workload of a point.

    Attributes
    ----------
    label : str
    workload : Workload
    graph : Graph
    key : str
        Digest of its content.
    """

    label: str
    workload: Workload
    graph: Graph
    key: str


class Resolver:
    """Makes the chips and the workloads of the points of a space; what was made before is kept.

    Attributes
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._constants = {name: chip.model_dump() for name, chip in space.chips.items()}
        self._cases: OrderedDict[tuple[str, str], Case] = OrderedDict()
        self._changes = [each for each in (*space.parameters, *space.derived) if each.target.kind == "chip"]
        self._fields = [each for each in (*space.parameters, *space.derived) if each.target.kind == "workload"]

    def chip(self, values: Values) -> Chip:
        """Return the chip of a point.

        Raises
        ------
        BadInputError
            When no chip can have these constants.
        """
        if not self._changes:
            return self.space.base_chip(values)
        base = self.space.base_chip(values)
        constants = dict(self._constants[values.get("chip", base.name)])
        for parameter in self._changes:
            path, value = parameter.target.parts, values[parameter.name]
            if len(path) == 1:
                constants[path[0]] = value
            else:
                constants = _changed(constants, path, value)
        try:
            chip = Chip.model_validate(constants)
        except ValidationError:
            chip = None
        if chip is None or check_chip(chip):
            return load_chip(
                base, [], **{each.target.parts[0]: constants[each.target.parts[0]] for each in self._changes}
            )
        return chip

    def cases(self, values: Values) -> tuple[Case, ...]:
        """Return the workloads of a point.

        Raises
        ------
        BadInputError
            When one of them cannot be.
        """
        return tuple(self._case(member.label, member.workload, values) for member in self.space.members)

    def _case(self, label: str, workload: Workload, values: Values) -> Case:
        changes = [(each.target.parts, values[each.name]) for each in self._fields if each.target.label in ("", label)]
        place = (label, repr(changes))
        if place in self._cases:
            self._cases.move_to_end(place)
            return self._cases[place]
        for parts, value in changes:
            workload = changed_workload(workload, parts, value)
        graph = build_graph(workload)
        case = Case(label, workload, graph, graph_key(graph, workload.compile.available_memory_proportion))
        self._cases[place] = case
        if len(self._cases) > _WORKLOADS_KEPT:
            self._cases.popitem(last=False)
        return case


def result_keys(chip: Chip, cases: tuple[Case, ...]) -> tuple[str, ...]:
    """Return the keys of the simulations of a point."""
    return tuple(result_key(chip.content_key(), case.key) for case in cases)


def reason_of(error: BadInputError) -> str:
    """Return in one line why a point cannot be."""
    shown = []
    for problem in error.problems:
        shown.append(f"{problem.path}: {problem.message}" if problem.path else problem.message)
    return "; ".join(dict.fromkeys(shown))


def _changed(constants: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    plain = {path[0]: _plain(constants[path[0]])}
    document = apply_setting(Document("chip", plain, {}), Setting("change", path, value))
    return {**constants, **document.data}


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
