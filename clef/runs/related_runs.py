"""Load a run with the runs that it refers to, and check that they fit together."""

from collections.abc import Mapping
from pathlib import Path

from clef.datasets import adapter_of, open_dataset
from clef.manifest.folds import FoldName
from clef.params.did_you_mean import suggestion
from clef.params.schema import Params, ParamsError
from clef.runs.load import load_params, params_file, run_names
from clef.runs.variants import Variant
from clef.runtime.paths import raw_folder


def load_run(run: str, folder: Path) -> dict[str, Params]:
    """A run and every run that it refers to, by name. Other params files are not read.

    A ParamsError says that a file is not as expected, or that a run does not fit one that it refers to.
    """
    runs: dict[str, Params] = {}
    pending = [params_file(run, folder)]
    while pending:
        path = pending.pop()
        runs[path.stem] = load_params(path)
        for key, name in _references(runs[path.stem]):
            if Variant.parse(name).base not in run_names(folder):
                raise ParamsError(f"{path}: {key}: no run {name}; {suggestion(name, run_names(folder))}")
            pending += [folder / f"{name}.yaml"] if name not in runs else []
    for name, params in runs.items():
        try:
            _check_stage1(params, runs)
            _check_replaced_stage1(params, runs)
            _check_test(params, runs)
            _check_tested(name, runs)
        except ParamsError as error:
            raise ParamsError(f"{folder / name}.yaml: {error}") from None
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


def same_subjects(params: Params, other: Params) -> bool:
    """Whether two runs are over the same recordings, as far as can be told, even if these have two names."""
    name = params.dataset.adapter
    published = name == other.dataset.adapter and adapter_of(name).published_counts is not None
    folders = [raw_folder(run.dataset.name).resolve() for run in (params, other)]
    rendered = [run.render and (run.render.kind, run.render.seed) for run in (params, other)]
    return published or folders[0] == folders[1] or (rendered[0] is not None and rendered[0] == rendered[1])


def _references(params: Params) -> list[tuple[str, str]]:
    """Keys that name other runs, each with the name."""
    found = []
    if params.pretrain is not None:
        found += [("pretrain.from", params.pretrain.from_)] if params.pretrain.from_ is not None else []
        found += [("pretrain.also", name) for name in params.pretrain.also]
    if params.finetune.replaces_stage1_of is not None:
        found.append(("finetune.replaces_stage1_of", params.finetune.replaces_stage1_of))
    return found + ([("test.run", params.test.run)] if params.test is not None else [])


def _check_stage1(params: Params, runs: Mapping[str, Params]) -> None:
    if params.pretrain is None:
        return
    if params.pretrain.from_ is not None:
        _check_stage1_source(params, params.pretrain.from_, runs)
    elif not open_dataset(params).activities:
        raise ParamsError(
            f"pretrain: {params.dataset.name} has no activities to contrast; expected stage 1 of another run, "
            "`pretrain: {from: RUN}`, or `pretrain: null`"
        )
    seen = {params.dataset.name}
    for name in params.pretrain.also:
        other = runs[name]
        if other.dataset.name in seen:
            raise ParamsError(f"pretrain.also: {name} is over {other.dataset.name}, which takes part already")
        seen.add(other.dataset.name)
        if not open_dataset(other).activities:
            raise ParamsError(f"pretrain.also: {name}: {other.dataset.name} has no activities to contrast")
        _require_other_subjects(params, other, f"pretrain.also: {name}")
        _require_equal(params, other, ["crop"], "pretrain.also", name)


def _check_stage1_source(params: Params, name: str, runs: Mapping[str, Params]) -> None:
    source = runs[name]
    if source.pretrain is None or source.pretrain.from_ is not None:
        raise ParamsError(f"pretrain.from: run {name} trains no stage 1 itself")
    if source.dataset.name == params.dataset.name:
        sections = ["dataset", "crop", "folds"]
    else:
        _require_other_subjects(params, source, f"pretrain.from: {name}")
        _require_other_activities(params, [name, *source.pretrain.also], runs)
        sections = _common_crops(params, source)
    _require_equal(params, source, sections, "pretrain.from", name)
    if source.model.takes != params.model.takes:
        raise ParamsError(f"pretrain.from: model differs from that of {name}; expected the same name and image_size")
    if missing := sorted(set(params.seeds) - set(source.seeds)):
        raise ParamsError(f"pretrain.from: run {name} has no seed {missing[0]}")


def _check_replaced_stage1(params: Params, runs: Mapping[str, Params]) -> None:
    name = params.finetune.replaces_stage1_of
    if name is None:
        return
    stage1 = runs[name].pretrain
    if stage1 is None or stage1.from_ is not None:
        raise ParamsError(f"finetune.replaces_stage1_of: run {name} trains no stage 1 itself")
    if stage1.also:
        raise ParamsError(
            f"finetune.replaces_stage1_of: the stage 1 of {name} also trains on {stage1.also[0]}, whose images stage 2 "
            "does not have; expected a run without `pretrain.also`"
        )
    _require_equal(params, runs[name], ["dataset", "crop", "folds"], "finetune.replaces_stage1_of", name)


def _check_test(params: Params, runs: Mapping[str, Params]) -> None:
    if params.test is None:
        return
    name = params.test.run
    other = runs[name]
    if other.dataset.name == params.dataset.name:
        raise ParamsError(f"test.run: {name} is over the same data set {params.dataset.name}")
    _require_other_subjects(params, other, f"test.run: {name}")
    known = adapter_of(other.dataset.adapter).label_names
    if unknown := [label for label in params.labels.tested.names if label not in known]:
        common = [label for label in adapter_of(params.dataset.adapter).label_names if label in known]
        expected = ", ".join(common) or "a data set with labels in common"
        raise ParamsError(f"labels: {name} has no label {unknown[0]}; expected some of {expected}")
    if other.labels.kind != params.labels.tested.kind:
        raise ParamsError(f"labels.kind: {name} has {other.labels.kind}; expected the same")
    _require_equal(params, other, _common_crops(params, other), "test.run", name)


def _check_tested(name: str, runs: Mapping[str, Params]) -> None:
    """A run must not test on a data set that its stage 1 trains on."""
    test = runs[name].test
    tested = (runs[name] if test is None else runs[test.run]).dataset.name
    if tested in [runs[other].dataset.name for other in also_in_stage1(runs, name)]:
        raise ParamsError(
            f"its stage 1 trains on {tested}, through pretrain.also, and the run tests on it; "
            "expected a stage 1 without that data set"
        )


def _common_crops(params: Params, other: Params) -> list[str]:
    """The section of the crop settings, which must be equal unless a data set is distributed as crops."""
    return [] if "none" in (params.crop.detector, other.crop.detector) else ["crop"]


def _require_equal(params: Params, other: Params, sections: list[str], key: str, name: str) -> None:
    for section in sections:
        if other.tracked(section) != params.tracked(section):
            raise ParamsError(f"{key}: {section} differs from that of {name}; expected the same")


def _require_other_activities(params: Params, sources: list[str], runs: Mapping[str, Params]) -> None:
    """The stage 1 of another data set is the same for all folds, so it cannot leave out what one of them tests on."""
    if params.folds.activities == "seen":
        return
    own = set(open_dataset(params).activities.values())
    for name in sources:
        if shared := own & set(open_dataset(runs[name]).activities.values()):
            raise ParamsError(
                f"pretrain.from: {name} trains on the activity {min(shared)}, which `folds.activities: unseen` leaves "
                "out; expected a stage 1 over this data set, or over one without common activities"
            )


def _require_other_subjects(params: Params, other: Params, where: str) -> None:
    """Two names for one set of subjects would let test subjects into training."""
    if same_subjects(params, other):
        raise ParamsError(
            f"{where}: its data set {other.dataset.name} has the same subjects as {params.dataset.name}, under another "
            "name; expected other subjects, or the same dataset.name in both"
        )
