"""Reading params files: `extends`, the runs of a folder, and mistakes told in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from clef.datasets import adapter_of, open_dataset
from clef.datasets.base import Dataset
from clef.manifest.folds import FoldName
from clef.params.errors import Place, explain_mistake, place_of
from clef.params.schema import NAME, NAME_EXPECTED, Params, ParamsError, Section
from clef.params.strict_yaml import parse_yaml
from clef.params.suggestion import suggestion
from clef.runtime.paths import raw_folder
from clef.runtime.wording import some


def load_params(path: Path | str) -> Params:
    """Read one params file and what it extends.

    Args:
        path: A YAML file; `extends: NAME` in it names a file beside it, without the suffix.

    Raises:
        ParamsError: The file, a file it extends, a key or a value is not as expected.
    """
    path = Path(path)
    if not NAME.fullmatch(path.stem):
        raise ParamsError(f"{path}: a run cannot be named {path.stem!r}; expected {NAME_EXPECTED}")
    files = _with_parents(path)
    values: dict[str, Any] = {}
    for own in reversed(files.values()):
        values = _override(values, own)
    below: Place = ()
    section: type[Section] = Params
    try:
        params = Params.model_validate(values)
        section, below = adapter_of(params).Options, ("dataset", "options")
        options = section.model_validate(params.dataset.options)
    except ValidationError as error:
        place = place_of(error, below)
        origin = next((file for file, own in files.items() if _sets(own, place)), path)
        raise ParamsError(f"{origin}: {explain_mistake(error, section, below)}") from None
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    # Every option with its default: runs that say the same in other words are the same.
    dataset = params.dataset.model_copy(update={"options": options.model_dump(mode="json", by_alias=True)})
    return params.model_copy(update={"dataset": dataset})


def load_runs(folder: Path | str) -> dict[str, Params]:
    """Every run of a params folder by name, checked one by one and against each other.

    Raises:
        ParamsError: As `load_params`; or two runs share a data set and disagree on how it is made or listed, or on
            who is in it.
    """
    runs = {path.stem: load_params(path) for path in sorted(Path(folder).glob("*.yaml"))}
    for name, params in runs.items():
        where = Path(folder) / f"{name}.yaml"
        _check_stage_1_source(name, runs, where)
        _check_tested_elsewhere(name, runs, where)
        _check_who_joins(name, runs, where)
        for other in runs:
            if other == name:
                break
            if runs[other].dataset.name != params.dataset.name:
                continue
            for section in ("dataset", "render", "ingest"):
                if runs[other].tracked(section) != params.tracked(section):
                    raise ParamsError(
                        f"{where}: {section} differs from {other}.yaml, which uses the same data "
                        f"set {params.dataset.name}: give one of them another dataset.name"
                    )
        _check_who_is_in_it(name, runs, where)
    return runs


def stage1_source(runs: Mapping[str, Params], run: str, fold: FoldName) -> tuple[str, FoldName] | None:
    """Run and fold whose stage 1 a fold of a run starts from; None without a stage 1.

    From a run over another data set it is the fold `all`: whoever is in that one is not in this one.
    """
    params = runs[run]
    if params.pretrain is None:
        return None
    source = params.pretrain.from_ or run
    return source, fold if runs[source].dataset.name == params.dataset.name else "all"


def _check_stage_1_source(name: str, runs: dict[str, Params], where: Path) -> None:
    params = runs[name]
    if params.pretrain is None:
        return
    if params.pretrain.from_ is None:
        if not _activities(params, where):
            raise ParamsError(
                f"{where}: pretrain: {params.dataset.name} has no activities to contrast; expected stage 1 of another "
                "run, `pretrain: {from: RUN}`, or `pretrain: null`"
            )
        return
    where_from = f"{where}: pretrain.from"
    source = _other_run(params.pretrain.from_, runs, where_from)
    if source.pretrain is None or source.pretrain.from_ is not None:
        raise ParamsError(f"{where_from}: run {params.pretrain.from_} trains no stage 1 of its own")
    same = source.dataset.name == params.dataset.name
    if not same:
        _require_other_people(params, source, f"{where_from}: {params.pretrain.from_}")
    sections = ["dataset", "crop", "folds"] if same else []
    if not same and "none" not in (source.crop.detector, params.crop.detector):
        sections.append("crop")
    _require_same(params, source, sections, f"{where_from}: {{}} differs from that of {params.pretrain.from_}")
    if source.model.takes != params.model.takes:
        raise ParamsError(
            f"{where_from}: model differs from that of {params.pretrain.from_}; expected the same name and image_size"
        )
    missing = sorted(set(params.seeds) - set(source.seeds))
    if missing:
        raise ParamsError(f"{where_from}: run {params.pretrain.from_} has no seed {missing[0]}")


def refuse_run(runs: Mapping[str, Params], results: Path) -> NoReturn:
    """Say which run may have been meant by a folder of results that is no run's.

    Raises:
        ParamsError: Always.
    """
    name = results.name
    if (results / "summary.csv").exists():
        raise ParamsError(f"{results}: its params file is gone; restore it, or look at it by `clef show {name}`")
    raise ParamsError(f"{results}: no run {name} in params/; {suggestion(name, runs, 'a params file')}")


def named_runs(params: Params) -> list[str]:
    """Other runs that a params file names."""
    stage1, test = params.pretrain, params.test
    named = [] if stage1 is None else [*stage1.also, *([stage1.from_] if stage1.from_ is not None else [])]
    return [*named, *([test.run] if test is not None else [])]


def joining_runs(runs: Mapping[str, Params], run: str) -> list[str]:
    """Runs over the other data sets that take part in the stage 1 of a run, be it its own or taken from elsewhere."""
    stage1 = runs[run].pretrain
    if stage1 is not None and stage1.from_ is not None:
        stage1 = runs[stage1.from_].pretrain
    return [] if stage1 is None else stage1.also


def _check_who_joins(name: str, runs: dict[str, Params], where: Path) -> None:
    """Other data sets of a stage 1: other people in like crops, and nobody whom this run tests."""
    params = runs[name]
    there = [params.dataset.name]
    for other_name in params.pretrain.also if params.pretrain is not None else []:
        where_also = f"{where}: pretrain.also"
        other = _other_run(other_name, runs, where_also)
        if other.dataset.name in there:
            raise ParamsError(f"{where_also}: {other_name} is over {other.dataset.name}, which takes part already")
        there.append(other.dataset.name)
        if not _activities(other, where):
            raise ParamsError(f"{where_also}: {other_name}: {other.dataset.name} has no activities to contrast")
        _require_other_people(params, other, f"{where_also}: {other_name}")
        _require_same(params, other, ["crop"], f"{where_also}: {{}} differs from that of {other_name}")
    tested = params if params.test is None else runs[params.test.run]
    seen = [runs[other].dataset.name for other in joining_runs(runs, name) if other in runs]
    if tested.dataset.name in seen:
        raise ParamsError(
            f"{where}: its stage 1 sees everybody of {tested.dataset.name}, by pretrain.also, whom it tests; "
            "expected a stage 1 without them"
        )


def _check_who_is_in_it(name: str, runs: dict[str, Params], where: Path) -> None:
    """Runs over one data set agree on its people and its shards, also where their folds say who is in it."""
    params = runs[name]
    other = next(other for other in runs if runs[other].dataset.name == params.dataset.name)
    if runs[other].section("folds") == params.section("folds"):
        return
    mine, theirs = (_opened(runs[run], where.with_name(f"{run}.yaml")) for run in (name, other))
    for what, own, others in (
        ("people", mine.subjects(), theirs.subjects()),
        ("shards", mine.shards(), theirs.shards()),
    ):
        if own != others:
            dataset = params.dataset.name
            raise ParamsError(
                f"{where}: folds: by them the {what} of {dataset} are {_people(own)}, by those of {other}.yaml, which "
                f"uses the same data set, {_people(others)}; expected the same in both: name everybody in "
                f"dataset.options, or give one of them another dataset.name (data/raw/NAME may be a link to "
                f"data/raw/{dataset})"
            )


def _people(names: list[str]) -> str:
    return some(names, 4) or "nobody known"


def _activities(params: Params, where: Path) -> Mapping[str, str]:
    return _opened(params, where).activities


def _opened(params: Params, where: Path) -> Dataset:
    try:
        return open_dataset(params)
    except ParamsError as error:
        raise ParamsError(f"{where}: {error}") from None


def _check_tested_elsewhere(name: str, runs: dict[str, Params], where: Path) -> None:
    params = runs[name]
    if params.test is None:
        return
    other = _other_run(params.test.run, runs, f"{where}: test.run")
    if other.dataset.name == params.dataset.name:
        raise ParamsError(f"{where}: test.run: {params.test.run} is over the same data set {params.dataset.name}")
    _require_other_people(params, other, f"{where}: test.run: {params.test.run}")
    known = adapter_of(other).label_names
    unknown = [label for label in params.labels.names if label not in known]
    if unknown:
        common = [label for label in adapter_of(params).label_names if label in known]
        raise ParamsError(
            f"{where}: labels: {params.test.run} has no label {unknown[0]}; "
            f"expected some of {', '.join(common) or 'a data set with labels in common'}"
        )
    if other.labels.kind != params.labels.kind:
        raise ParamsError(f"{where}: labels.kind: {params.test.run} has {other.labels.kind}; expected the same")
    _require_same(params, other, ["crop"], f"{where}: {{}} differs from that of {params.test.run}, which test names")


def _other_run(name: str, runs: dict[str, Params], where: str) -> Params:
    if name not in runs:
        raise ParamsError(f"{where}: no run {name}; {suggestion(name, runs)}")
    return runs[name]


def _require_same(params: Params, other: Params, sections: list[str], what: str) -> None:
    for section in sections:
        if other.tracked(section) != params.tracked(section):
            raise ParamsError(f"{what.format(section)}; expected the same")


def _require_other_people(params: Params, other: Params, where: str) -> None:
    """Two names for one set of people would let test subjects into training."""
    published = params.dataset.adapter == other.dataset.adapter and adapter_of(params).published_counts is not None
    drawn = [(run.render.kind, run.render.seed) if run.render is not None else None for run in (params, other)]
    folders = [raw_folder(run.dataset.name).resolve() for run in (params, other)]
    if published or folders[0] == folders[1] or (drawn[0] is not None and drawn[0] == drawn[1]):
        raise ParamsError(
            f"{where}: its data set {other.dataset.name} has the same people as {params.dataset.name}, by another "
            "name; expected other people, or the same dataset.name in both"
        )


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
            raise ParamsError(_no_parent(child, path) if files else f"{path}: no such file") from None
        parent = files[path].pop("extends", None)
        if parent is not None and not (isinstance(parent, str) and NAME.fullmatch(parent)):
            raise ParamsError(
                f"{path}: extends: expected the name of a params file beside it, without .yaml, found {parent!r}"
            )
    return files


def _no_parent(child: Path, parent: Path) -> str:
    known = sorted(other.stem for other in child.parent.glob("*.yaml") if other != child)
    return f"{child}: extends: no file {parent}; {suggestion(parent.stem, known, 'a file beside it')}"


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror}); expected a params file") from None
    values = parse_yaml(text, path)
    if not isinstance(values, dict):
        found = "an empty file" if values is None else f"a {type(values).__name__}"
        raise ParamsError(f"{path}: expected sections such as `dataset:`, found {found}")
    return values


def _sets(values: Any, place: Place) -> bool:
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
