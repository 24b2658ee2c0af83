"""Source files that a rule depends on, found by following imports."""

import ast
from pathlib import Path

import clef

CHECKOUT = Path(clef.__file__).parents[1]


def source_files(module: str, within: tuple[str, ...] = ("clef",)) -> list[str]:
    """Files of a module and of every module of the packages `within` that it imports, directly or not.

    Paths are sorted, see `package_file`.
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
        for node in ast.walk(ast.parse((CHECKOUT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                pending += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [package_file(path) for path in sorted(found)]


def package_file(name: str) -> str:
    """Path of a file such as `clef/errors.py`: relative in the checkout, absolute elsewhere.

    Another workflow that uses this one as a module has its own working directory.
    """
    return name if Path.cwd() == CHECKOUT else str(CHECKOUT / name)
