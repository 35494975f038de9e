"""Wrong names in the training of a workload file: each at its place, all at once."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ipusim.errors import BadInputError
from ipusim.files.packaged import find_file
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.workload import load_workload


def problems(**changes: Any) -> list[str]:
    """Return what is wrong with the packaged training after changes of some of its keys."""
    document = yaml.safe_load(find_file("workloads", "training/digits-mlp").read_text())
    document["training"] |= changes
    with pytest.raises(BadInputError) as found:
        assemble_graph(load_workload(document))
    return [f"{each.path}: {each.message} ({each.hint})" for each in found.value.problems]


def test_all_wrong_names_at_once() -> None:
    found = problems(loss="los", predictions="logit", inputs={"images": "X", "targets": "targts"})
    assert [each.partition(":")[0] for each in found] == [
        "training.inputs.images", "training.inputs.targets", "training.loss", "training.predictions"
    ]  # fmt: skip
    assert found[2] == "training.loss: 'los' is not a result of the graph (did you mean 'loss'?)"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"loss": "logits"}, "training.loss: logits [64, 10] has 640 elements"),
        ({"predictions": "h2"}, "training.predictions: h2 [64, 128] has not the shape of targets [64, 10]"),
        ({"inputs": {"images": "x", "targets": "x"}}, "training.inputs.targets: 'x' holds the images already"),
        ({"inputs": {"images": "w1", "targets": "w2"}}, "training.inputs.images: w1 [64, 320] has not as many rows"),
        ({"sparsity": {"dense": ["head"]}}, "training.sparsity.dense.0: no weight is called 'head'"),
        ({"optimiser": {"sgd": {"momentun": 0.9}}}, "did you mean 'momentum'"),
        ({"optimiser": "adm"}, "did you mean 'adam'"),
        ({"data": "digit"}, "did you mean 'digits'"),
        ({"sparsity": {"method": "rigel"}}, "training.sparsity.method"),
        ({"learning_rate": {"value": 0}}, "training.learning_rate.value"),
        ({"predictions": ""}, "training.predictions: is missing, and there are 2 results"),
        ({"loss": ""}, "training.inputs.targets: a loss that is added brings this input with it"),
    ],
)
def test_one_problem(changes: dict[str, Any], wrong: str) -> None:
    assert any(wrong in each for each in problems(**changes)), problems(**changes)
