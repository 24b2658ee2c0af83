"""Source files that a rule depends on, found by following imports."""

import ast
from functools import cache
from pathlib import Path

import clef

CHECKOUT = Path(clef.__file__).parents[1]


def source_files(module: str, within: tuple[str, ...] = ("clef",)) -> list[str]:
    """Files of a module and of every module of the packages `within` that it imports, directly or not.

    Paths are sorted. They are relative in the checkout, and absolute elsewhere, as in a workflow that uses this one as
    a module.
    """
    found: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        base = name.replace(".", "/")
        path = next((path for path in (f"{base}.py", f"{base}/__init__.py") if (CHECKOUT / path).is_file()), None)
        if path is None or path in found or not f"{name}.".startswith(tuple(f"{package}." for package in within)):
            continue
        found.add(path)
        pending += _imports((CHECKOUT / path).read_text(encoding="utf-8"))
    return [_path(file) for file in sorted(found)]


@cache
def _imports(source: str) -> list[str]:
    """Names that a source file imports. Every job reads the rules, and the rules have many files in common."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def package_files(pattern: str) -> list[str]:
    """Paths of the files that match a pattern such as `clef/model/configs/*.json`, sorted; see `source_files`."""
    return [_path(path.relative_to(CHECKOUT).as_posix()) for path in sorted(CHECKOUT.glob(pattern))]


def _path(file: str) -> str:
    return file if Path.cwd() == CHECKOUT else str(CHECKOUT / file)
