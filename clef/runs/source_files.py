"""Source files that a rule depends on, found by following imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import clef

CHECKOUT = Path(clef.__file__).parents[1]


def source_files(module: str, within: tuple[str, ...] = ("clef",)) -> list[str]:
    """Files of a module and of every module of the package that it imports, directly or not.

    Args:
        module: Such as `clef.evaluation.fold.metrics`.
        within: Packages to follow imports into.

    Returns:
        Paths relative to the checkout, sorted.
    """
    found: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        path = _path(name)
        if path is None or path in found or not f"{name}.".startswith(tuple(f"{package}." for package in within)):
            continue
        found.add(path)
        pending += _imports((CHECKOUT / path).read_text(encoding="utf-8"))
    return sorted(found)


def _imports(source: str) -> Iterator[str]:
    """Every name that may be a module, wherever in the file it is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _path(module: str) -> str | None:
    base = module.replace(".", "/")
    return next((path for path in (f"{base}.py", f"{base}/__init__.py") if (CHECKOUT / path).is_file()), None)
