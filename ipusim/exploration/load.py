"""From a space file to a space, with everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ipusim.chip.fields import constant_fields
from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.errors import BadInputError, Problem
from ipusim.exploration.expressions import Expression, parse_expression
from ipusim.exploration.file import RangeEntry, SpaceFile, WorkloadEntry
from ipusim.exploration.metrics import METRICS, parse_objective
from ipusim.exploration.parameters import Choices, Parameter, Target, range_domain
from ipusim.exploration.samplers.registry import find_sampler
from ipusim.exploration.space import CHIP_FIGURES, Member, Space, aliases
from ipusim.exploration.targets import find_target, is_whole, read_constant, value_at
from ipusim.files.document import Document, load_document
from ipusim.files.overrides import Setting, apply_setting, override
from ipusim.files.packaged import find_file
from ipusim.files.validate import in_order, validate
from ipusim.files.wording import FieldError, describe, did_you_mean
from ipusim.files.wording import Path as Place
from ipusim.frontends.build import build_graph
from ipusim.frontends.model import Workload, read_workload
from ipusim.frontends.workload import load_workload

T = TypeVar("T")
P = ParamSpec("P")
SpaceLike = str | Path | Mapping[str, Any] | Space

MAX_GRID = 10_000_000
"""Most points of a grid."""

_TRIED = 64
"""Values of a workload's field that are tried before the search; of more, the first and the last half of these."""


def load_space(source: SpaceLike, settings: Sequence[str] = (), **changes: object) -> Space:
    """Return the space in a file or dict.

    Parameters
    ----------
    source : str, Path, Mapping or Space
        A packaged name such as ``tile-count``, the path of a YAML file, or its content.
    settings : sequence of str
        Changes of the file such as ``parameters.n_tiles=[64, 128]``.
    **changes
        Other values of ``sampler``, ``seed``, ``budget`` and ``chip``; None leaves that of the file.

    Raises
    ------
    BadInputError
        With every problem of the file and of what it refers to.
    """
    if isinstance(source, Space):
        return source
    if isinstance(source, Mapping):
        document, folder, stem = load_document(source, "<space>"), Path(), "space"
    else:
        path = find_file("spaces", source)
        document, folder, stem = load_document(path), path.parent, path.stem
    document = Document(document.name, {"name": stem, **document.data}, document.marks)
    document = override(document, settings)
    for key, value in changes.items():
        if value is not None:
            document = apply_setting(document, Setting(f"--{key} {value}", (key,), _plain(value)))
    return _Reader(document, folder).space()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


class _Reader:
    """Reads one space file, and collects what is wrong with it."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.document = document
        self.folder = folder
        self.problems: list[Problem] = []

    def space(self) -> Space:
        """Return the space, or raise BadInputError with all problems."""
        file = self._file()
        chips = self._chips(file)
        members = self._members(file)
        parameters = self._parameters(file, chips, members)
        constraints = self._constraints(file, parameters)
        self._check_graphs(parameters, members)
        objectives = self._all("objectives", file.objectives, parse_objective)
        self._check_objectives(file)
        self._attempt(("sampler",), find_sampler, file.sampler)
        if self.problems:
            raise BadInputError(in_order(self.problems, self.document))
        own = tuple(each for each in parameters if each.expression is None)
        derived = self._sorted([each for each in parameters if each.expression is not None], aliases(tuple(parameters)))
        if self.problems:
            raise BadInputError(in_order(self.problems, self.document))
        space = Space(
            file.name,
            file.description,
            chips,
            tuple(members),
            own,
            tuple(derived),
            tuple(constraints),
            tuple(objectives),
            file.sampler,
            file.seed,
            file.budget,
        )
        self._check_sampler(space)
        if self.problems:
            raise BadInputError(in_order(self.problems, self.document))
        return space

    def _file(self) -> SpaceFile:
        """Return what the file says; of a file with mistakes, its sound parts, for the rest to be judged, too."""
        try:
            return validate(self.document, SpaceFile)
        except BadInputError as error:
            self.problems.extend(error.problems)
        broken = {problem.path for problem in self.problems}
        sound = Document(self.document.name, _without(self.document.data, broken), self.document.marks)
        try:
            return validate(sound, SpaceFile)
        except BadInputError:
            raise BadInputError(in_order(self.problems, self.document)) from None

    def _attempt(self, place: Place, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return what `action` gives; what is wrong with it is a problem at `place`."""
        try:
            return action(*args, **kwargs)
        except FieldError as error:
            self.problems.append(self.document.problem((*place, *error.path), error.message, error.hint))
        except BadInputError as error:
            self.problems.extend(self._placed(place, problem) for problem in error.problems)
        return None

    def _placed(self, place: Place, problem: Problem) -> Problem:
        """Return a problem of what the file refers to; one without a line of its own stands where it is referred to."""
        if problem.line:
            return problem
        message = f"{problem.path}: {problem.message}" if problem.path else problem.message
        return self.document.problem(place, message, problem.hint)

    def _all(self, key: str, texts: Iterable[str], read: Callable[[str], T]) -> list[T]:
        found = [self._attempt((key, index), read, text) for index, text in enumerate(texts)]
        return [each for each in found if each is not None]

    def _chips(self, file: SpaceFile) -> dict[str, Chip]:
        """Return the base chips by what the file calls them, that of the file first."""
        base = self._attempt(("chip",), self._chip, file.chip)
        chips = {base.name: base} if base else {}
        listed = file.parameters.get("chip")
        for index, each in enumerate(listed if isinstance(listed, list) else ()):
            place = ("parameters", "chip", index)
            if not isinstance(each, str):
                self._report(place, f"expected the name or the path of a chip, found {describe(each)}")
                continue
            chip = self._attempt(place, self._chip, each)
            if chip and chips.setdefault(each, chip) != chip:
                self._report(place, f"the chip of the file is called {each!r}, too", "give it another name")
        return chips

    def _chip(self, source: Any) -> Chip:
        return load_chip(find_file("configs", source, self.folder) if _is_path(source, self.folder) else source)

    def _members(self, file: SpaceFile) -> list[Member]:
        members: dict[str, Member] = {}
        is_list = isinstance(self.document.data.get("workloads"), list)
        for index, each in enumerate(file.workloads):
            entry = each if isinstance(each, WorkloadEntry) else None
            place: Place = ("workloads", index) if is_list else ("workloads",)
            place = (*place, "workload") if entry else place
            source = entry.workload if entry else each
            workload = self._attempt(place, self._workload, source, entry)
            if workload is None:
                continue
            label = (entry.name if entry else None) or workload.name
            if label in members:
                self._report(place, f"a second workload is called {label!r}", "give it a name of its own")
                continue
            members[label] = Member(label, entry.weight if entry else 1.0, workload)
        return list(members.values())

    def _workload(self, source: Any, entry: WorkloadEntry | None) -> Workload:
        where = find_file("workloads", source, self.folder) if _is_path(source, self.folder) else source
        workload = load_workload(where)
        for key, value in (entry.set if entry else {}).items():
            workload = changed_workload(workload, tuple(key.split(".")), value)
        return workload

    def _parameters(self, file: SpaceFile, chips: Mapping[str, Chip], members: Sequence[Member]) -> list[Parameter]:
        found = []
        targets: dict[Target, str] = {}
        for name, entry in file.parameters.items():
            place: Place = ("parameters", name)
            target = self._attempt(place, find_target, name, [each.label for each in members])
            if target is None:
                continue
            if target in targets:
                self._report(place, f"changes the same as {targets[target]!r}")
            targets[target] = name
            parameter = self._attempt(place, self._parameter, name, target, entry, chips, members)
            if parameter is not None:
                found.append(parameter)
        for each in found:
            if each.expression is not None:
                self._check_names(("parameters", each.name), each.expression, found, ())
        return found

    def _parameter(
        self, name: str, target: Target, entry: Any, chips: Mapping[str, Chip], members: Sequence[Member]
    ) -> Parameter | None:
        place: Place = ("parameters", name)
        present = self._present(target, chips, members)
        whole = is_whole(target, present)
        if target.kind == "base" and not isinstance(entry, list):
            raise FieldError("expected a list of chips")
        if isinstance(entry, str):
            return Parameter(name, target, None, _expression(entry), int(whole))
        domain = range_domain(entry, whole) if isinstance(entry, RangeEntry) else Choices(tuple(entry))
        values = domain.values if isinstance(domain, Choices) else (domain.low, domain.high)
        if target.kind == "chip":
            given = isinstance(entry, list)
            read = [
                self._attempt((*place, index) if given else place, read_constant, target, value)
                for index, value in enumerate(values)
            ]
            if isinstance(domain, Choices):
                domain = Choices(tuple(read))
        elif target.kind == "workload":
            self._try_workloads(place, target, values, members, isinstance(entry, list))
        if isinstance(domain, Choices) and len(set(map(repr, domain.values))) < len(domain.values):
            self._report(place, "has a value twice")
        return Parameter(name, target, domain, None, int(whole))

    def _present(self, target: Target, chips: Mapping[str, Chip], members: Sequence[Member]) -> Any:
        """Return the value that a field has without the parameter; None where it is not known."""
        if target.kind == "chip" and chips:
            return value_at(next(iter(chips.values())).model_dump(), target.parts)
        if target.kind == "workload":
            concerned = [each for each in members if target.label in ("", each.label)]
            found = [value_at(each.workload.model_dump(mode="json"), target.parts) for each in concerned]
            return next((each for each in found if each is not None), None)
        return None

    def _try_workloads(
        self, place: Place, target: Target, values: Sequence[Any], members: Sequence[Member], listed: bool
    ) -> None:
        """Note the values that a field of the workloads cannot have, each tried with the others as they are."""
        half = _TRIED // 2
        count = len(values)
        for index in range(count) if count <= _TRIED else (*range(half), *range(count - half, count)):
            for member in members:
                if target.label not in ("", member.label):
                    continue
                known = len(self.problems)
                where = (*place, index) if listed else place
                self._attempt(where, changed_workload, member.workload, target.parts, values[index])
                if len(self.problems) > known and "unknown key" in self.problems[-1].message:
                    return

    def _check_graphs(self, parameters: Sequence[Parameter], members: Sequence[Member]) -> None:
        """Note what does not fit together in workloads that no parameter changes; of others, each point will tell."""
        changed = {each.target.label for each in parameters if each.target.kind == "workload"}
        for index, member in enumerate(members):
            if not changed & {"", member.label}:
                self._attempt(("workloads", index), build_graph, member.workload)

    def _constraints(self, file: SpaceFile, parameters: Sequence[Parameter]) -> list[Expression]:
        found = self._all("constraints", file.constraints, parse_expression)
        for index, text in enumerate(file.constraints):
            expression = next((each for each in found if each.text == text), None)
            if expression is None:
                continue
            if not expression.is_condition:
                self._report(("constraints", index), f"{text!r} is no condition", "such as total_sram_bytes <= 1 GiB")
            self._check_names(("constraints", index), expression, parameters, (*METRICS, *CHIP_FIGURES))
        return found

    def _check_objectives(self, file: SpaceFile) -> None:
        metrics = [text.partition(":")[0].strip() for text in file.objectives]
        for index, metric in enumerate(metrics):
            if metric in metrics[:index]:
                self._report(("objectives", index), f"{metric!r} is an objective already")

    def _check_names(
        self, place: Place, expression: Expression, parameters: Sequence[Parameter], others: Sequence[str]
    ) -> None:
        constants = constant_fields()
        known = {*aliases(tuple(parameters)), *constants, *(f"chip.{each}" for each in constants), *others}
        for name in expression.names:
            if name not in known:
                hint = did_you_mean(name, known) or ("" if others else "a list of values needs brackets: [a, b]")
                self._report(place, f"unknown name {name!r}", hint)

    def _sorted(self, derived: list[Parameter], names: Mapping[str, Parameter]) -> list[Parameter]:
        """Return expressions so that each follows what it refers to; circles are problems."""
        done: dict[str, Parameter] = {}
        waiting = list(derived)
        while waiting:
            ready = [each for each in waiting if not (_references(each, names) - done.keys())]
            if not ready:
                circle = ", ".join(each.name for each in waiting)
                self._report(("parameters", waiting[0].name), f"these refer to each other in a circle: {circle}")
                return []
            for each in ready:
                done[each.name] = each
            waiting = [each for each in waiting if each.name not in done]
        return list(done.values())

    def _check_sampler(self, space: Space) -> None:
        sampler = find_sampler(space.sampler)
        continuous = [each.name for each in space.parameters if not isinstance(each.domain, Choices)]
        if sampler.needs_choices and continuous:
            for name in continuous:
                hint = f"add points or a step, or choose a sampler other than {space.sampler}"
                self._report(("parameters", name), f"a {space.sampler} has no use for a continuous range", hint)
        size = space.grid_size
        if sampler.needs_choices and space.budget is None and size is not None and size > MAX_GRID:
            self._report(("parameters",), f"a grid of {size:,} points is more than {MAX_GRID:,}", "give a budget")

    def _report(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(self.document.problem(place, message, hint))


def _without(data: dict[str, Any], broken: set[str]) -> dict[str, Any]:
    """Return a document without the keys, and the parameters, that problems at the dotted paths `broken` concern.

    Of a workload with a wrong name or weight the workload itself is kept.
    """
    kept = {key: value for key, value in data.items() if key == "parameters" or not _is_in(key, broken)}
    kept.setdefault("name", "space")
    listed = data.get("workloads")
    if isinstance(listed, list) and "workloads" not in broken:
        kept["workloads"] = [
            {"workload": each["workload"]}
            if isinstance(each, dict) and "workload" in each and _is_in(f"workloads.{index}", broken)
            else each
            for index, each in enumerate(listed)
        ]
    parameters = kept.get("parameters")
    if isinstance(parameters, dict):
        kept["parameters"] = {key: each for key, each in parameters.items() if not _is_in(f"parameters.{key}", broken)}
    return kept


def _is_in(path: str, broken: set[str]) -> bool:
    return any(each == path or each.startswith(f"{path}.") for each in broken)


def _references(parameter: Parameter, names: Mapping[str, Parameter]) -> set[str]:
    assert parameter.expression is not None
    found = (names.get(name) for name in parameter.expression.names)
    return {each.name for each in found if each is not None and each.expression is not None}


def _expression(text: str) -> Expression:
    expression = parse_expression(text)
    if expression.is_condition:
        raise FieldError("expected a number or an expression for one, found a condition")
    return expression


def _is_path(source: Any, folder: Path) -> bool:
    return isinstance(source, str) and bool(Path(source).suffix) and (folder / source).exists()


def changed_workload(workload: Workload, parts: tuple[str, ...], value: Any) -> Workload:
    """Return a workload with another value of one field.

    Raises
    ------
    BadInputError
        When there is no such field, or it cannot have the value.
    """
    setting = Setting("change", parts, value)
    return read_workload(apply_setting(workload.source, setting), workload.folder)
