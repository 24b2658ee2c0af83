"""Describe trainings and whole runs for MLflow: names, parameters and tags.

Parameters have the names of the params file, so that they can be searched for. Parent runs, which are the ones to
compare, have fewer: sampling and augmentation are one value each, and a run without stage 1 has none of its settings.
"""

from collections.abc import Mapping
from typing import Any

from clef.model.texts import texts_in_use
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, Params, digest
from clef.tracking.record import RunDescription

HIDDEN = frozenset({"texts.file", "folds.test_subjects", "pretrain.from"})
"""File names and lists of subjects, which are of no use in a table; `pretrain` names the source of stage 1."""


def training_run(
    params: Params, run: str, stage: str, key: str, sidecar: Mapping[str, Any], environment: Mapping[str, str]
) -> RunDescription:
    """Describe the run of one training; `stage` is `pretrain`, `finetune` or `inner`, as in the file names."""
    seed, fold = sidecar["seed"], sidecar["fold"]
    sections = {name: sidecar[name] for name in (*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS) if name in sidecar}
    values = {"seed": seed, "fold": fold, "steps": sidecar["steps"], **flatten(sections)}
    tags = _tags(params, run, stage, sidecar["manifest"], f"clef {sidecar['stage']}", "JOB")
    tags |= {**environment, "seed": str(seed), "fold": str(fold), "package": sidecar["package"]}
    if stage1 := sidecar.get("stage1"):
        tags["stage1"] = stage1
    return RunDescription(
        experiment=params.dataset.name,
        name=f"{run} seed {seed} fold {fold} {stage}",
        key=key,
        code=sidecar["package"],
        params={name: as_text(value) for name, value in values.items() if name not in HIDDEN},
        tags=tags,
    )


def parent_run(params: Params, run: str, manifest: str, environment: Mapping[str, str]) -> RunDescription:
    """Describe the run below which the trainings of all seeds and folds are nested."""
    tags = {**environment, **_tags(params, run, "run", manifest, "clef", "PROJECT")}
    key, code = parent_key(params, run, manifest), "any"  # it stays the same run when the package changes
    return RunDescription(params.dataset.name, run, key, code, comparison_params(params), tags)


def _tags(params: Params, run: str, stage: str, manifest: str, source: str, source_type: str) -> dict[str, str]:
    return {
        "run": run,
        "dataset": params.dataset.name,
        "stage": stage,
        "clef.parent": parent_key(params, run, manifest),
        "mlflow.source.name": source,
        "mlflow.source.type": source_type,
    }


def parent_key(params: Params, run: str, manifest: str) -> str:
    """Hash of a run's name, the settings of its trainings and its manifest.

    It leaves out the seeds, so that another seed joins the same run, and the settings of the evaluation.
    """
    sections = {name: params.tracked(name) for name in {*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS}}
    sections["texts"] = texts_in_use(params.texts, params.labels)
    return digest({"run": run, "manifest": manifest, **sections}, length=64)


def comparison_params(params: Params) -> dict[str, str]:
    """Parameters of a parent run: short values, so ordered that the first difference of two runs explains them best."""
    pretrain = params.pretrain
    values: dict[str, Any] = {
        **flatten({name: params.tracked(name) for name in ("folds", "model", "labels", "crop")}),
        "texts": digest(texts_in_use(params.texts, params.labels), length=8),
        "device": params.device,
        "gpus": params.gpus,
        "pretrain": "none" if pretrain is None else pretrain.from_ or "own",
        "pretrain.epochs": 0 if pretrain is None else pretrain.epochs,
    }
    sections = {name: params.tracked(name) for name in ("pretrain", "finetune")}
    if stage1 := sections["pretrain"]:
        sizes = [f"{stage1.pop(part)} {part}" for part in ("subjects", "activities", "frames")]
        values["pretrain.samples"] = " x ".join(sizes)
        if not stage1["also"]:
            del stage1["also"]  # an empty value would show up as a difference to a run without stage 1
    for name, section in sections.items():
        if section is not None:
            augment = section.pop("augment")
            active = [f"{key} {as_text(value)}" for key, value in augment.items() if value not in (0, [1, 1])]
            values[f"{name}.views"] = ", ".join(active) or "unchanged"
            values |= flatten({name: section})
    return {name: as_text(value) for name, value in sorted(values.items()) if name not in HIDDEN}


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested sections as `section.key`; a missing section is the single value None."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def as_text(value: Any) -> str:
    """The value of a parameter as short text."""
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    return "none" if value is None else str(value)
