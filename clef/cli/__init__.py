"""The command `clef`, with one subcommand per step of the workflow.

Subcommands import heavy libraries only when they run, so `--help` and the many short calls of a workflow start fast.
"""

# `clef --help` lists the subcommands in the order of these imports.
from clef.cli import data, train, evaluate, probe, status, compare, variants  # isort: skip  # noqa: F401
from clef.cli import predict, view, export, params, raw_data, clean, track, weights  # isort: skip  # noqa: F401
from clef.cli.app import main

__all__ = ["main"]
