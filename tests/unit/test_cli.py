import json
import os
import signal
import subprocess
import sys

import pytest

import ipusim
from ipusim.cli.main import COMMANDS, main
from ipusim.errors import BadInputError, Problem


def _run(*arguments, **options):
    command = [sys.executable, "-P", "-m", "ipusim", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments, capsys):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert f"  {name:<14} {summary}\n" in out


def test_help_fits_80_columns(capsys):
    main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ipusim {ipusim.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_command_help_begins_with_the_summary_and_has_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert COMMANDS[command] in out
    assert f"Example: ipusim {command} " in out


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_no_heavy_library(arguments):
    code = (
        "import sys; from ipusim.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'numpy', 'numba', 'pydantic', 'networkx', 'scipy', 'yaml'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "unknown command: rum (did you mean 'run'?)"),
        (["xyz"], "unknown command: xyz (there are run, compile,"),
        (["--jsn"], "unknown option before the command: --jsn"),
        (["run", "x.yaml", "--jsn"], "--json"),
        (["run"], "WORKLOAD"),
        (["run", "x.yaml", "y.yaml"], "unexpected argument 'y.yaml'"),
        (["run", "x.yaml", "--html"], "parameter --html requires an argument"),
        (["run", "x.yaml", "--threads", "many"], "--threads"),
        (["compile", "x.yaml", "--print", "grph"], 'Did you mean "graph"?'),
        (["chips", "shw"], "unexpected argument 'shw' (did you mean 'show'?)"),
        (["schema", "chp"], 'Did you mean "chip"?'),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_suggestion(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ipusim: ")
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_options_that_contradict_each_other_are_all_reported(capsys):
    assert main(["run", "quickstart", "--no-execute", "--verify", "--threads", "0"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "--verify: needs the execution that --no-execute leaves out",
        "--threads: must be at least 1, not 0",
    ]


@pytest.fixture
def failing(monkeypatch):
    """Make ``ipusim schema chip`` raise what the test chooses."""

    def fail_with(error):
        def schema(_kind):
            raise error

        monkeypatch.setattr("ipusim.cli.schema._schema", schema)

    return fail_with


def test_every_problem_is_listed_without_traceback(failing, capsys):
    failing(BadInputError([Problem("a.yaml", 1, 2, "ops", "is missing"), Problem("a.yaml", 3, 4, "x", "is wrong")]))
    assert main(["schema", "chip"]) == 2
    assert capsys.readouterr().err == "a.yaml:1:2: ops: is missing\na.yaml:3:4: x: is wrong\n"


def test_debug_shows_the_traceback(failing, capsys):
    failing(BadInputError([Problem("a.yaml", 1, 2, "ops", "is missing")]))
    assert main(["schema", "chip", "--debug"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("a.yaml:1:2: ops: is missing\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "ipusim: interrupted\n"),
        (OSError(28, "No space left on device", "out.json"), 2, "ipusim: out.json: No space left on device\n"),
        (MemoryError(), 2, "ipusim: this machine has not enough memory for it\n"),
    ],
)
def test_what_the_system_says_no_to(failing, capsys, error, code, message):
    failing(error)
    assert main(["schema", "chip"]) == code
    assert capsys.readouterr().err == message


def test_a_defect_is_not_hidden(failing):
    failing(ZeroDivisionError("defect"))
    with pytest.raises(ZeroDivisionError):
        main(["schema", "chip"])


def test_nobody_reads_the_output():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-P", "-m", "ipusim", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_interrupt_is_one_clear_line():
    code = (
        "import os, signal, sys, ipusim.cli.schema as schema; from ipusim.cli import main;"
        "schema._schema = lambda kind: os.kill(os.getpid(), signal.SIGINT);"
        "sys.exit(main(['schema', 'chip']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "ipusim: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is not None


@pytest.mark.parametrize("kind", ["chip", "workload"])
def test_schema_is_one_json_document(kind, capsys):
    assert main(["schema", kind]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["type"] == "object"
    assert schema["properties"]


def test_output_goes_to_the_file_and_nothing_to_stdout(tmp_path, capsys):
    path = tmp_path / "chip.schema.json"
    assert main(["schema", "chip", "-o", str(path)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(path.read_text())["properties"]


def test_an_output_that_cannot_be_written_is_bad_input(tmp_path, capsys):
    assert main(["schema", "chip", "-o", str(tmp_path / "missing" / "x.json")]) == 2
    assert "create it first" in capsys.readouterr().err


def test_module_entry_point():
    done = _run("chips", "--jsn")
    assert (done.returncode, done.stdout) == (2, "")


def test_bars_survive_a_terminal_without_unicode():
    code = "from ipusim.cli.output import emit; emit('██░ µ\\n', None)"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("##. ?\n", "")
