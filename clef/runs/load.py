"""Read params files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clef.datasets import adapter_of
from clef.params.did_you_mean import suggestion
from clef.params.schema import NAME, NAME_EXPECTED, Params, ParamsError, Section
from clef.params.strict_yaml import parse_yaml
from clef.params.validation_errors import KeyPath, explain_error, key_path
from clef.runs.variants import Variant, base_of, changes_of
from clef.runtime.paths import results_folder, summary_file

REQUESTED = "CLEF_RUNS"
"""Environment variable with the names of the runs that the workflow was asked for; its jobs inherit it."""


def load_params(path: Path) -> Params:
    """Read one params file and the files that it extends; `extends: NAME` names a file beside it.

    The path of a variant, such as `params/demo@linear.yaml`, reads the file of its run and changes it.

    Raises:
        ParamsError: A file, a key or a value is not as expected.
    """
    variant = Variant.parse(path.stem)
    path = path.with_name(f"{variant.base}.yaml")
    _require_valid_name(variant.base, path)
    files = _read_with_parents(path)
    values: dict[str, Any] = {}
    for own in reversed(files.values()):
        values = _merge(values, own)
    for changes in changes_of(variant, values):
        values = _merge(values, changes)
    section: type[Section] = Params
    above: KeyPath = ()
    try:
        params = Params.model_validate(values)
        section, above = adapter_of(params.dataset.adapter).Options, ("dataset", "options")
        options = section.model_validate(params.dataset.options)
    except ValidationError as error:
        key = key_path(error, above)
        origin = next((file for file, own in files.items() if _contains(own, key)), path)
        raise ParamsError(f"{origin}: {explain_error(error, section, above)}") from None
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    # Fill in the defaults: a run that spells out a default option equals one that omits it.
    dataset = params.dataset.model_copy(update={"options": options.model_dump(mode="json", by_alias=True)})
    return params.model_copy(update={"dataset": dataset})


def params_file(run: str, folder: Path) -> Path:
    """The params file of a run, for `load_params`. If there is none, the error suggests the nearest name."""
    base = Variant.parse(run).base
    _require_valid_name(base, folder)
    if (folder / f"{base}.yaml").exists():
        return folder / f"{run}.yaml"
    if summary_file(run).exists():
        raise ParamsError(f"{results_folder(run)}: its params file is missing; restore it, or use `clef show {run}`")
    raise ParamsError(f"{folder}: no run {base}; {suggestion(base, run_names(folder), 'a params file')}")


def run_names(folder: Path) -> list[str]:
    """Names of all runs of a params folder, sorted; the files are not read."""
    if not folder.is_dir():
        raise ParamsError(f"{folder}: no such folder; run this in the checkout, or give --params")
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_all(folder: Path) -> tuple[dict[str, Params], dict[str, ParamsError]]:
    """Every run of a params folder by name, and the errors of invalid files by name."""
    runs, errors = {}, {}
    for name in run_names(folder):
        try:
            runs[name] = load_params(folder / f"{name}.yaml")
        except ParamsError as error:
            errors[name] = error
    return runs, errors


def run_over(folder: Path, dataset: str, crop: str | None = None) -> str:
    """Name of a run over a data set, with these crop settings if given. Jobs of the data set use its settings.

    Runs that the workflow was asked for come first, then a run with the data set's own name. Broken files are skipped.
    `dataset` may also be the name of a run.
    """
    names = run_names(folder)
    loaded: dict[str, Params] = {}
    broken = None
    wanted = (*os.environ.get(REQUESTED, "").split(), dataset)
    requested = [name for name in wanted if base_of(name) in names]
    for name in dict.fromkeys([*requested, *names]):
        try:
            loaded[name] = load_params(folder / f"{name}.yaml")
        except ParamsError as error:
            broken = broken or error
        else:
            if loaded[name].dataset.name == dataset and crop in (None, loaded[name].crop_digest):
                return name
    if dataset in loaded and crop in (None, loaded[dataset].crop_digest):
        return dataset
    digests = sorted({params.crop_digest for params in loaded.values() if params.dataset.name == dataset})
    if digests:
        raise ParamsError(f"--crop: no run over {dataset} has crops {crop}; expected one of {', '.join(digests)}")
    known = sorted({params.dataset.name for params in loaded.values()})
    raise broken or ParamsError(f"{folder}: no run over a data set {dataset}; {suggestion(dataset, known)}")


def _require_valid_name(run: str, where: Path) -> None:
    """A name with a path in it must not lead out of the params folder."""
    if not NAME.fullmatch(run):
        raise ParamsError(f"{where}: invalid run name {run!r}; expected {NAME_EXPECTED}")


def _read_with_parents(path: Path) -> dict[Path, dict[str, Any]]:
    """Contents of each file, from this one up through all that it extends."""
    files: dict[Path, dict[str, Any]] = {}
    child: Path | None = None
    while True:
        if path in files:
            cycle = " -> ".join(step.stem for step in (*files, path))
            raise ParamsError(f"{child}: extends: cycle {cycle}")
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            if child is None:
                raise ParamsError(f"{path}: no such file") from None
            known = [name for name in run_names(path.parent) if name != child.stem]
            hint = suggestion(path.stem, known, "a file beside it")
            raise ParamsError(f"{child}: extends: no file {path}; {hint}") from None
        except OSError as error:
            raise ParamsError(f"{path}: cannot be read ({error.strerror}); expected a params file") from None
        values = parse_yaml(text, path)
        if not isinstance(values, dict):
            found = "an empty file" if values is None else f"a {type(values).__name__}"
            raise ParamsError(f"{path}: expected sections such as `dataset:`, found {found}")
        parent = values.pop("extends", None)
        files[path] = values
        if parent is None:
            return files
        if not (isinstance(parent, str) and NAME.fullmatch(parent)):
            raise ParamsError(
                f"{path}: extends: expected the name of a params file beside it, without .yaml, found {parent!r}"
            )
        child, path = path, path.with_name(f"{parent}.yaml")


def _contains(values: Any, key: KeyPath) -> bool:
    return not key or (isinstance(values, dict) and key[0] in values and _contains(values[key[0]], key[1:]))


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
