"""Reading params files: `extends`, the runs of a folder, and mistakes told in one line."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from clef.params import Params, ParamsError, Section


def load_params(path: Path | str) -> Params:
    """Read one params file and what it extends.

    Args:
        path: A YAML file; `extends: NAME` in it names a file beside it, without the suffix.

    Raises:
        ParamsError: The file, a file it extends, a key or a value is not as expected.
    """
    files = _with_parents(Path(path))
    values: dict[str, Any] = {}
    for own in reversed(files.values()):
        values = _override(values, own)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        origin = next((file for file, own in files.items() if _sets(own, place)), path)
        raise ParamsError(f"{origin}: {_explain(error)}") from None


def load_runs(folder: Path | str) -> dict[str, Params]:
    """Every run of a params folder by name, checked one by one and against each other.

    Raises:
        ParamsError: As `load_params`; or two runs share a data set and disagree on how it is made or listed.
    """
    runs = {path.stem: load_params(path) for path in sorted(Path(folder).glob("*.yaml"))}
    for name, params in runs.items():
        _check_stage_1_source(name, runs, Path(folder))
        for other in runs:
            if other == name:
                break
            if runs[other].dataset.name != params.dataset.name:
                continue
            for section in ("dataset", "render", "ingest"):
                if runs[other].section(section) != params.section(section):
                    raise ParamsError(
                        f"{Path(folder) / name}.yaml: {section} differs from {other}.yaml, which uses the same data "
                        f"set {params.dataset.name}: give one of them another dataset.name"
                    )
    return runs


def _check_stage_1_source(name: str, runs: dict[str, Params], folder: Path) -> None:
    params = runs[name]
    if params.pretrain is None or params.pretrain.from_ is None:
        return
    where = f"{folder / name}.yaml: pretrain.from"
    source = runs.get(params.pretrain.from_)
    if source is None:
        raise ParamsError(f"{where}: no run {params.pretrain.from_}; expected one of {', '.join(runs)}")
    if source.pretrain is None or source.pretrain.from_ is not None:
        raise ParamsError(f"{where}: run {params.pretrain.from_} trains no stage 1 of its own")
    for section in ("dataset", "crop", "folds", "model"):
        if source.section(section) != params.section(section):
            raise ParamsError(f"{where}: {section} differs from that of {params.pretrain.from_}; expected the same")
    missing = sorted(set(params.seeds) - set(source.seeds))
    if missing:
        raise ParamsError(f"{where}: run {params.pretrain.from_} has no seed {missing[0]}")


def _with_parents(path: Path) -> dict[Path, dict[str, Any]]:
    """What each file says by itself, from this one up through all it extends."""
    files: dict[Path, dict[str, Any]] = {}
    parent: str | None = path.stem
    while parent is not None:
        child, path = path, path.with_name(f"{parent}.yaml") if files else path
        if path in files:
            circle = " -> ".join(step.stem for step in (*files, path))
            raise ParamsError(f"{child}: extends runs in a circle: {circle}")
        try:
            files[path] = _read(path)
        except FileNotFoundError:
            raise ParamsError(f"{f'{child}: extends: ' if files else ''}{path}: no such file") from None
        parent = files[path].pop("extends", None)
        if not isinstance(parent, str | None):
            raise ParamsError(f"{path}: extends: expected the name of a params file, found {parent!r}")
    return files


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        found = "an empty file" if values is None else f"a {type(values).__name__}"
        raise ParamsError(f"{path}: expected sections such as `dataset:`, found {found}")
    return values


def _sets(values: Any, place: tuple[int | str, ...]) -> bool:
    """Whether a file itself says something at this place, or about the section that it is missing from."""
    for key in place:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _override(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _override(merged[key], value) if both else value
    return merged


def _explain(error: ValidationError) -> str:
    """The first problem, as one line: key, what was found, what was expected."""
    problem = error.errors()[0]
    parts = [str(part) for part in problem["loc"]]
    key = ".".join(parts)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(parts[:-1])
        near = difflib.get_close_matches(parts[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] == "missing":
        return f"{key}: missing"
    if isinstance(problem["input"], dict | Section):
        return f"{key}: {message}" if key else message
    return f"{key}: {message}, found {problem['input']!r}"


def _fields_at(parts: list[str]) -> list[str]:
    model: Any = Params
    for part in parts:
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        options = [] if field is None else [field.annotation, *get_args(field.annotation)]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, Section)), None)
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]
