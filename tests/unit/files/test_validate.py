"""Pydantic's errors as located sentences."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ipusim.errors import BadInputError
from ipusim.files.document import load_document, parse_document
from ipusim.files.units import Bytes, Count, Density
from ipusim.files.validate import validate
from ipusim.files.wording import FieldError, FieldsError


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sparsity(Strict):
    density: Density
    block_size: Count = Field(default=1, ge=1)
    mode: Literal["static", "dynamic"] = "static"


class Tensor(Strict):
    shape: tuple[Count, ...] = Field(min_length=1)
    sparsity: Sparsity | None = None
    size: Bytes = 0


class Matmul(Strict):
    op: Literal["matmul"]
    inputs: list[str]


class Relu(Strict):
    op: Literal["relu"]
    input: str = Field(pattern="^[a-z]+$")


class Workload(Strict):
    name: str = Field(max_length=10)
    tensors: dict[str, Tensor] = {}
    ops: list[Annotated[Matmul | Relu, Field(discriminator="op")]] = []
    outputs: int | list[int] | Sparsity = 0
    seed: Annotated[Count, Field(multiple_of=2, lt=10, gt=-10)] = 0

    @field_validator("name")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        if info.context and name in info.context.get("reserved", ()):
            raise FieldError("is reserved", "choose another")
        return name

    @model_validator(mode="after")
    def _used(self) -> Workload:
        unused = [FieldError("is used nowhere", path=("tensors", name)) for name in self.tensors if name == "unused"]
        if unused:
            raise FieldsError(unused)
        return self


def problems(text: str, **context: object) -> list[str]:
    with pytest.raises(BadInputError) as caught:
        validate(parse_document(text, "w.yaml"), Workload, context)
    return [str(problem) for problem in caught.value.problems]


def test_a_right_document_becomes_an_instance() -> None:
    text = "name: x\ntensors: {w: {shape: [4, 4], sparsity: {density: 1/4}}}\nops: [{op: relu, input: w}]\n"
    workload = validate(parse_document(text, "w.yaml"), Workload)
    assert workload.tensors["w"].shape == (4, 4)
    assert workload.tensors["w"].sparsity == Sparsity(density=0.25)
    assert workload.ops == [Relu(op="relu", input="w")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 2", "w.yaml:1:1: name: is missing"),
        ("name: 3", "w.yaml:1:7: name: expected a text, found the number 3"),
        ("name: null", "w.yaml:1:7: name: expected a text, found nothing (null)"),
        ("name: abcdefghijk", "w.yaml:1:7: name: must have at most 10 characters, found the text 'abcdefghijk'"),
        ("name: a\nsede: 2", "w.yaml:2:1: sede: unknown key (did you mean 'seed'?)"),
        ("name: a\nqqq: 2", "w.yaml:2:1: qqq: unknown key"),
        ("name: a\nseed: 1.5", "w.yaml:2:7: seed: expected a whole number, found the number 1.5"),
        ("name: a\nseed: '2'", "w.yaml:2:7: seed: expected a whole number, found the text '2'"),
        ("name: a\nseed: 3", "w.yaml:2:7: seed: must be a multiple of 2, found 3"),
        ("name: a\nseed: 10", "w.yaml:2:7: seed: must be below 10, found 10"),
        ("name: a\nseed: -10", "w.yaml:2:7: seed: must be above -10, found -10"),
        ("name: a\ntensors: [1]", "w.yaml:2:10: tensors: expected a mapping, found a list"),
        ("name: a\ntensors: {w: 3}", "w.yaml:2:14: tensors.w: expected a mapping, found the number 3"),
        ("name: a\ntensors: {w: {}}", "w.yaml:2:11: tensors.w.shape: is missing"),
        ("name: a\ntensors: {w: {shape: 3}}", "w.yaml:2:22: tensors.w.shape: expected a list, found the number 3"),
        ("name: a\ntensors: {w: {shape: []}}", "w.yaml:2:22: tensors.w.shape: must have at least 1 item, found 0"),
        (
            "name: a\ntensors: {w: {shape: [x]}}",
            "w.yaml:2:23: tensors.w.shape.0: expected a whole number, found the text 'x'",
        ),
        (
            "name: a\ntensors: {w: {shape: [1], sparsity: {density: 0}}}",
            "w.yaml:2:47: tensors.w.sparsity.density: a density is above 0 and at most 1, found 0 "
            "(a density is the fraction that is kept)",
        ),
        (
            "name: a\ntensors: {w: {shape: [1], sparsity: {density: 1, mode: statc}}}",
            "w.yaml:2:56: tensors.w.sparsity.mode: must be 'static' or 'dynamic', found the text 'statc' "
            "(did you mean 'static'?)",
        ),
        (
            "name: a\ntensors: {w: {shape: [1], sparsity: {density: 1, blocksize: 2}}}",
            "w.yaml:2:50: tensors.w.sparsity.blocksize: unknown key (did you mean 'block_size'?)",
        ),
        (
            "name: a\nops: [{op: matmull, inputs: []}]",
            "w.yaml:2:12: ops.0.op: must be one of 'matmul', 'relu', found the text 'matmull' (did you mean 'matmul'?)",
        ),
        ("name: a\nops: [{inputs: []}]", "w.yaml:2:7: ops.0.op: is missing"),
        ("name: a\nops: [3]", "w.yaml:2:7: ops.0: expected a mapping, found the number 3"),
        ("name: a\nops: [{op: matmul}]", "w.yaml:2:7: ops.0.inputs: is missing"),
        (
            "name: a\nops: [{op: relu, input: W}]",
            "w.yaml:2:25: ops.0.input: the text 'W' does not match the pattern ^[a-z]+$",
        ),
        (
            "name: a\noutputs: all",
            "w.yaml:2:10: outputs: expected a whole number, a list or a mapping, found the text 'all'",
        ),
        ("name: a\noutputs: [1, a]", "w.yaml:2:14: outputs.1: expected a whole number, found the text 'a'"),
        ("name: a\noutputs: {density: x}", None),
        ("name: a\ntensors: {unused: {shape: [1]}}", "w.yaml:2:19: tensors.unused: is used nowhere"),
    ],
)
def test_a_problem_is_told_once_in_plain_words(text: str, message: str | None) -> None:
    found = problems(text)
    if message is None:
        message = (
            "w.yaml:2:20: outputs.density: expected a number or a fraction, found the text 'x' (write 1/16 or 0.0625)"
        )
    assert found == [message]


def test_all_problems_come_in_the_order_of_the_file() -> None:
    text = "seed: 3\nfoo: 1\ntensors:\n  w: {shape: [a], size: 3 GHz}\n  v: {}\nname: 3\n"
    assert [problem.split(": ")[0] for problem in problems(text)] == [
        "w.yaml:1:7",
        "w.yaml:2:1",
        "w.yaml:4:15",
        "w.yaml:4:25",
        "w.yaml:5:3",
        "w.yaml:6:7",
    ]


def test_number_of_problems_is_bounded() -> None:
    found = problems("name: x\n" + "".join(f"nam{index}: 1\n" for index in range(1000)))
    assert len(found) == 201
    assert found[-1] == "w.yaml:1:1: only 200 of 1000 problems are shown"


def test_validators_see_the_context() -> None:
    assert problems("name: x", reserved=["x"]) == ["w.yaml:1:7: name: is reserved (choose another)"]


def test_a_dict_has_problems_without_a_place() -> None:
    with pytest.raises(BadInputError) as caught:
        validate(load_document({"name": 3}), Workload)
    assert str(caught.value) == "<dict>: name: expected a text, found the number 3"


def test_no_message_speaks_of_pydantic() -> None:
    text = "name: [1]\ntensors: {w: {shape: {}, sparsity: [], size: {}}, v: x}\nops: {}\noutputs: {}\nseed: []\nx: y\n"
    joined = "\n".join(problems(text)).lower()
    assert not [
        word for word in ("input should", "pydantic", "valid integer", "dictionary", "value error") if word in joined
    ]
