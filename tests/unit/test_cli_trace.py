import gzip
import json

import pytest

from ipusim.cli.main import main

_WORKLOAD = """\
name: small
chip: tiny
tensors:
  w: {shape: [16, 16]}
  x: {shape: [16, 8]}
ops:
  - {op: matmul, inputs: [w, x], output: y}
"""


@pytest.fixture
def workload(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(_WORKLOAD)
    return str(path)


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_trace_is_written(workload, tmp_path, name, capsys):
    path = tmp_path / name
    assert main(["run", workload, "--no-execute", "--json", "--trace", str(path), "--trace-tiles", "0,2-3"]) == 0
    content = path.read_bytes()
    trace = json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
    result = json.loads(capsys.readouterr().out)
    assert trace["otherData"]["cycles"] == result["cycles"]
    tracks = {event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    assert tracks == {"program", "tile 0", "tile 2", "tile 3"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trace", "t.txt"], "ends neither in .json nor in .json.gz"),
        (["--trace", "nowhere/t.json"], "there is no folder 'nowhere'"),
        (["--trace-tiles", "0"], "needs --trace FILE"),
        (["--trace", "t.json", "--trace-tiles", "0,x"], "'x' is no tile"),
        (["--trace", "t.json", "--trace-tiles", "5-3"], "ends before it begins"),
        (["--trace", "t.json", "--trace-tiles", "0-999999999"], "more than 256 tiles"),
        (["--trace", "t.json", "--trace-tiles", "3-4"], "there is no tile 4: tiny has the tiles 0 to 3"),
    ],
)
def test_wrong_options_are_bad_input(workload, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    assert main(["run", workload, "--no-execute", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()
