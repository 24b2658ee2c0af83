"""The command `clef`: one subcommand a step of the chain.

Each subcommand imports what it computes with when it runs, so that `--help` and the many short starts of a workflow
cost nothing. `--help` lists them in the order of the imports here.
"""

from clef.cli import data, train, results  # isort: skip
from clef.cli.app import main

__all__ = ["data", "main", "results", "train"]
