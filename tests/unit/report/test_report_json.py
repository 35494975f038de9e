import json
import math

import numpy as np
import pytest

from ipusim.report.json import render_json


def test_contract_keys_come_first_in_contract_order():
    text = render_json({"zeta": 1, "cycles": 5, "alpha": 2, "workload": "w", "schema": "s"})
    assert list(json.loads(text)) == ["schema", "workload", "cycles", "alpha", "zeta"]


def test_nested_keys_keep_their_order():
    text = render_json({"schema": "s", "memory": {"b": 1, "a": 2}})
    assert list(json.loads(text)["memory"]) == ["b", "a"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
def test_numbers_that_json_lacks_are_null(value):
    assert json.loads(render_json({"a": [value]})) == {"a": [None]}


def test_numpy_scalars_are_numbers():
    text = render_json({"a": np.int64(3), "b": np.float64(0.5), "c": np.bool_(True), "d": (1, 2)})
    assert json.loads(text) == {"a": 3, "b": 0.5, "c": True, "d": [1, 2]}


def test_one_document_with_a_final_line_break():
    text = render_json({"a": "µ"})
    assert text == '{\n  "a": "µ"\n}\n'


def test_other_objects_are_refused():
    with pytest.raises(TypeError):
        render_json({"a": object()})
