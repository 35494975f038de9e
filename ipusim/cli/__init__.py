"""The command line: arguments and exit codes; what is computed and shown comes from the rooms below."""

from ipusim.cli.main import main

__all__ = ["main"]
