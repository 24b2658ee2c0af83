"""Imports go one way, along the chain."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "clef"

# fmt: off
LAYERS = [
    "errors", "params", "runtime", "recordings", "weights", "demo", "datasets", "fixtures", "faces", "ingest",
    "manifest", "batches", "model", "tracking", "training", "runs", "evaluation", "comparison", "plots", "reports",
    "trained", "predict", "viewer", "cli", "__main__",
]
# fmt: on
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).as_posix() != "__init__.py")


def imported(path: Path) -> set[str]:
    """Top-level parts of the package that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "clef":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("clef.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_comes_before_it(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert not imported(path) - {*LAYERS[: LAYERS.index(own) + 1]}
