"""Load a run with the runs that it refers to, and check that they fit together."""

from collections.abc import Mapping
from pathlib import Path

from clef.datasets import adapter_of, open_dataset
from clef.datasets.base import Dataset
from clef.manifest.folds import FoldName
from clef.params.schema import Params, ParamsError
from clef.params.suggestion import suggestion
from clef.runs.load import load_params, params_file, run_names
from clef.runtime.paths import raw_folder
from clef.runtime.wording import abbreviate


def load_run(run: str, folder: Path) -> dict[str, Params]:
    """A run and every run that it refers to, by name. Other params files are not read.

    Raises:
        ParamsError: A file is not as expected, or a run does not fit one that it refers to.
    """
    runs: dict[str, Params] = {}
    pending = [params_file(run, folder)]
    while pending:
        path = pending.pop()
        if path.stem in runs:
            continue
        runs[path.stem] = load_params(path)
        for key, name in _references(runs[path.stem]):
            if not (folder / f"{name}.yaml").exists():
                raise ParamsError(f"{path}: {key}: no run {name}; {suggestion(name, run_names(folder))}")
            pending.append(folder / f"{name}.yaml")
    for name in runs:
        path = folder / f"{name}.yaml"
        _check_stage1_source(name, runs, path)
        _check_test(name, runs, path)
        _check_also(name, runs, path)
    return runs


def stage1_source(runs: Mapping[str, Params], run: str, fold: FoldName) -> tuple[str, FoldName] | None:
    """Run and fold whose stage 1 a fold of a run starts from; None without a stage 1.

    From a run over another data set it is the fold `all`, since that data set has no subjects of this one.
    """
    params = runs[run]
    if params.pretrain is None:
        return None
    source = params.pretrain.from_ or run
    return source, fold if runs[source].dataset.name == params.dataset.name else "all"


def also_in_stage1(runs: Mapping[str, Params], run: str) -> list[str]:
    """Runs over other data sets that take part in the stage 1 that a run starts from."""
    stage1 = runs[run].pretrain
    if stage1 is not None and stage1.from_ is not None:
        stage1 = runs[stage1.from_].pretrain
    return [] if stage1 is None else stage1.also


def require_same_data(run: str, runs: Mapping[str, Params], folder: Path) -> None:
    """Require that a run agrees with others over its data set on how that is made, and on subjects and shards.

    Raises:
        ParamsError: It does not.
    """
    params, path = runs[run], folder / f"{run}.yaml"
    dataset = params.dataset.name
    for other, others in runs.items():
        if other == run or others.dataset.name != dataset:
            continue
        for section in ("dataset", "render", "ingest"):
            if others.tracked(section) != params.tracked(section):
                raise ParamsError(
                    f"{path}: {section} differs from {other}.yaml, which uses the same data set {dataset}; "
                    "give one of them another dataset.name, or run them one at a time"
                )
        if others.section("folds") == params.section("folds"):
            continue
        mine, theirs = _open(params, path), _open(others, folder / f"{other}.yaml")
        for what, here, there in (
            ("subjects", mine.subjects(), theirs.subjects()),
            ("shards", mine.shards(), theirs.shards()),
        ):
            if here != there:
                raise ParamsError(
                    f"{path}: folds: {what} of {dataset} are {abbreviate(here, 4) or 'unknown'} here but "
                    f"{abbreviate(there, 4) or 'unknown'} in {other}.yaml, which uses the same data set; "
                    "list all subjects in dataset.options, or give one of them another dataset.name "
                    f"(data/raw/NAME may be a link to data/raw/{dataset})"
                )


def _references(params: Params) -> list[tuple[str, str]]:
    """Keys that name other runs, each with the name."""
    found = []
    if params.pretrain is not None:
        found += [("pretrain.from", params.pretrain.from_)] if params.pretrain.from_ is not None else []
        found += [("pretrain.also", name) for name in params.pretrain.also]
    return found + ([("test.run", params.test.run)] if params.test is not None else [])


def _check_stage1_source(name: str, runs: Mapping[str, Params], path: Path) -> None:
    params = runs[name]
    if params.pretrain is None:
        return
    if params.pretrain.from_ is None:
        if not _open(params, path).activities:
            raise ParamsError(
                f"{path}: pretrain: {params.dataset.name} has no activities to contrast; expected stage 1 of another "
                "run, `pretrain: {from: RUN}`, or `pretrain: null`"
            )
        return
    source, where = runs[params.pretrain.from_], f"{path}: pretrain.from"
    if source.pretrain is None or source.pretrain.from_ is not None:
        raise ParamsError(f"{where}: run {params.pretrain.from_} trains no stage 1 itself")
    if source.dataset.name == params.dataset.name:
        sections = ["dataset", "crop", "folds"]
    else:
        _require_other_subjects(params, source, f"{where}: {params.pretrain.from_}")
        sections = [] if "none" in (source.crop.detector, params.crop.detector) else ["crop"]
    _require_equal(params, source, sections, where, params.pretrain.from_)
    if source.model.takes != params.model.takes:
        raise ParamsError(
            f"{where}: model differs from that of {params.pretrain.from_}; expected the same name and image_size"
        )
    missing = sorted(set(params.seeds) - set(source.seeds))
    if missing:
        raise ParamsError(f"{where}: run {params.pretrain.from_} has no seed {missing[0]}")


def _check_also(name: str, runs: Mapping[str, Params], path: Path) -> None:
    """Other data sets of a stage 1 need the same crops, other subjects, and none that this run tests."""
    params = runs[name]
    seen = {params.dataset.name}
    for other_name in params.pretrain.also if params.pretrain is not None else []:
        other, where = runs[other_name], f"{path}: pretrain.also"
        if other.dataset.name in seen:
            raise ParamsError(f"{where}: {other_name} is over {other.dataset.name}, which takes part already")
        seen.add(other.dataset.name)
        if not _open(other, path).activities:
            raise ParamsError(f"{where}: {other_name}: {other.dataset.name} has no activities to contrast")
        _require_other_subjects(params, other, f"{where}: {other_name}")
        _require_equal(params, other, ["crop"], where, other_name)
    tested = params if params.test is None else runs[params.test.run]
    if tested.dataset.name in [runs[other].dataset.name for other in also_in_stage1(runs, name)]:
        raise ParamsError(
            f"{path}: its stage 1 trains on {tested.dataset.name}, through pretrain.also, and the run tests on it; "
            "expected a stage 1 without that data set"
        )


def _check_test(name: str, runs: Mapping[str, Params], path: Path) -> None:
    params = runs[name]
    if params.test is None:
        return
    other_name, where = params.test.run, f"{path}: test.run"
    other = runs[other_name]
    if other.dataset.name == params.dataset.name:
        raise ParamsError(f"{where}: {other_name} is over the same data set {params.dataset.name}")
    _require_other_subjects(params, other, f"{where}: {other_name}")
    known = adapter_of(other).label_names
    unknown = [label for label in params.labels.names if label not in known]
    if unknown:
        common = [label for label in adapter_of(params).label_names if label in known]
        raise ParamsError(
            f"{path}: labels: {other_name} has no label {unknown[0]}; "
            f"expected some of {', '.join(common) or 'a data set with labels in common'}"
        )
    if other.labels.kind != params.labels.kind:
        raise ParamsError(f"{path}: labels.kind: {other_name} has {other.labels.kind}; expected the same")
    _require_equal(params, other, ["crop"], where, other_name)


def _open(params: Params, path: Path) -> Dataset:
    try:
        return open_dataset(params)
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None


def _require_equal(params: Params, other: Params, sections: list[str], where: str, name: str) -> None:
    for section in sections:
        if other.tracked(section) != params.tracked(section):
            raise ParamsError(f"{where}: {section} differs from that of {name}; expected the same")


def _require_other_subjects(params: Params, other: Params, where: str) -> None:
    """Two names for one set of subjects would let test subjects into training."""
    published = params.dataset.adapter == other.dataset.adapter and adapter_of(params).published_counts is not None
    folders = [raw_folder(run.dataset.name).resolve() for run in (params, other)]
    rendered = [run.render and (run.render.kind, run.render.seed) for run in (params, other)]
    if published or folders[0] == folders[1] or (rendered[0] is not None and rendered[0] == rendered[1]):
        raise ParamsError(
            f"{where}: its data set {other.dataset.name} has the same subjects as {params.dataset.name}, under another "
            "name; expected other subjects, or the same dataset.name in both"
        )
