"""Entry point of the command line: finds the command, runs it, and turns errors into messages and exit codes.

Exit codes: 0 done; 1 the simulation says no; 2 bad input; 130 interrupted; 141 nobody reads the output any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from typing import TYPE_CHECKING

from ipusim.cli.exit_codes import INTERRUPTED
from ipusim.cli.progress import tell_of_compiling
from ipusim.cli.signals import termination_as_interrupt
from ipusim.files.atomic import advice

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

COMMANDS = {
    "run": "Compile, time, execute and check one workload.",
    "compile": "Show what the compiler decided: graph, plan, program or memory.",
    "compare": "Dense against sparse: speed-up by density, block size and mode.",
    "report": "Show a saved result, at the terminal or as a page.",
    "validate": "How far is the model from published measurements, and where?",
    "train": "Train a network, dense or sparse: accuracy against cost.",
    "explore": "A space of chips: Pareto front, what matters, resumable.",
    "chips": "The packaged chips, every constant with its source.",
    "schema": "JSON Schema of chip, workload and space files, for editors.",
}
"""The commands with their summaries; command ``x`` is defined in :mod:`ipusim.cli.x`."""

_OPTIONS = ("--help", "--version", "--debug")

_HELP = """\
Usage: ipusim COMMAND [ARGUMENTS]

Simulates IPU-like many-tile chips: cycles, memory and values of dense and
sparse workloads.

Commands:
{commands}

Options:
  -h, --help     Show this text; after a command: explain it, with an example.
  --version      Show the version.
  --debug        After any command: show the traceback of an error.

Example: ipusim run workloads/quickstart.yaml
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with `arguments` (those of the process by default) and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with termination_as_interrupt():
            if arguments is None:
                tell_of_compiling()
            code = _dispatch(words, debug)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("ipusim: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _leave_stdout()
        return 141
    except OSError as error:
        _leave_stdout()
        return _fail(f"ipusim: standard output cannot be written: {advice(error)}", 2, debug)
    return code


def _leave_stdout() -> None:
    """Let what is still to be written go nowhere: the interpreter would try it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(words: list[str], debug: bool) -> int:
    if not words or words[0] in ("-h", "--help"):
        commands = "\n".join(f"  {name:<14} {summary}" for name, summary in COMMANDS.items())
        sys.stdout.write(_HELP.format(commands=commands))
        return 0
    if words[0] == "--version":
        from ipusim import __version__

        print(f"ipusim {__version__}")
        return 0
    if words[0] not in COMMANDS:
        is_option = words[0].startswith("-")
        kind = "option before the command" if is_option else "command"
        nearest = _nearest(words[0], _OPTIONS if is_option else COMMANDS)
        print(f"ipusim: unknown {kind}: {words[0]} ({nearest})", file=sys.stderr)
        return 2
    return _run_command(words, debug)


def _run_command(words: list[str], debug: bool) -> int:
    from cyclopts import CycloptsError

    from ipusim.errors import IpusimError

    try:
        return int(_build_app()(words) or 0)
    except BrokenPipeError:
        raise
    except CycloptsError as error:
        return _fail(f"ipusim: {_usage_message(error)}", 2, debug)
    except IpusimError as error:
        return _fail(str(error), error.exit_code, debug)
    except OSError as error:
        if error.filename is None and error.errno in (ENOSPC, EIO, EDQUOT, EFBIG):
            raise
        return _fail(f"ipusim: {error.filename or 'system'}: {error.strerror or error}", 2, debug)
    except MemoryError:
        return _fail("ipusim: this machine has not enough memory for it", 2, debug)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(message, file=sys.stderr)
    return code


def _build_app() -> App:
    from cyclopts import App, Parameter

    app = App(
        name="ipusim",
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False),
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name in COMMANDS:
        app.command(f"ipusim.cli.{name}:command", name=name)
    return app


def _usage_message(error: CycloptsError) -> str:
    from cyclopts import MissingArgumentError

    if isinstance(error, MissingArgumentError) or not error.unused_tokens:
        return str(error)
    word = error.unused_tokens[0]
    commands = [name for name in error.app or () if not name.startswith("-")]
    return f"unexpected argument {word!r}" + (f" ({_nearest(word, commands)})" if commands else "")


def _nearest(word: str, names: Iterable[str]) -> str:
    from ipusim.files.wording import did_you_mean, join_words

    return did_you_mean(word, names) or f"there are {join_words(names, 'and')}"
