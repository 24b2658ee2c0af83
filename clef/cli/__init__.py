"""The command `clef`: one subcommand a step of the chain.

Each subcommand imports what it computes with when it runs, so that `--help` and the many short starts of a workflow
cost nothing. `--help` lists them in the order of the imports here.
"""

from clef.cli import data, train, evaluate, status, compare  # isort: skip
from clef.cli import explain, folds, versions, clean, track, check, weights, fixture  # isort: skip
from clef.cli.app import main

__all__ = [
    "check",
    "clean",
    "compare",
    "data",
    "evaluate",
    "explain",
    "fixture",
    "folds",
    "main",
    "status",
    "track",
    "train",
    "versions",
    "weights",
]
