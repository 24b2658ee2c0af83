"""From params and a training's sidecar to what MLflow shows: names, parameters, tags, and the parent run.

Parameters keep the names of the params file, so that one can search for them. The parent, which is what one compares,
has fewer and the same in every run: settings of how images are drawn and changed are one value each, and those of a
stage 1 that the run does not have are left out.
"""

from collections.abc import Mapping
from typing import Any

from clef.model.texts import texts_in_use
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, AugmentParams, Params, digest
from clef.tracking.record import Data, Unit, as_plain

DIGEST_LENGTH = 36
"""Longest digest of a data set that MLflow takes."""

ANY_CODE = "any"
"""Code of a parent: it stays the same run when the package changes."""

UNTRACKED = frozenset({"texts.file", "folds.test_subjects", "pretrain.from"})
"""Names of files and lists of people say nothing in a table; `pretrain` itself says where stage 1 comes from."""


def training_unit(
    params: Params, run: str, stage: str, key: str, sidecar: Mapping[str, Any], surroundings: Mapping[str, str]
) -> Unit:
    """The run of one training.

    Args:
        params: Of the run it belongs to.
        run: Its name.
        stage: `pretrain`, `finetune` or `inner`, as the files are called.
        key: The training's own key: hash of all that its result depends on.
        sidecar: What is written beside the weights.
        surroundings: Tags of host, revision and versions.
    """
    seed, fold = sidecar["seed"], sidecar["fold"]
    sections = [name for name in (*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS) if name in sidecar]
    values = {"seed": seed, "fold": fold, "steps": sidecar["steps"]}
    values |= flatten({name: sidecar[name] for name in dict.fromkeys(sections)})
    tags = {
        **surroundings,
        "run": run,
        "dataset": params.dataset.name,
        "stage": stage,
        "seed": str(seed),
        "fold": str(fold),
        "package": sidecar["package"],
        "clef.parent": parent_key(params, run, sidecar["manifest"]),
        "mlflow.source.name": f"clef {sidecar['stage']}",
        "mlflow.source.type": "JOB",
    }
    if stage1 := sidecar.get("stage1"):
        tags["stage1"] = stage1
    return Unit(
        experiment=params.dataset.name,
        name=f"{run} seed {seed} fold {fold} {stage}",
        key=key,
        code=sidecar["package"],
        params={name: as_plain(value) for name, value in values.items() if name not in UNTRACKED},
        tags=tags,
    )


def parent_unit(params: Params, run: str, manifest: str, surroundings: Mapping[str, str]) -> Unit:
    """The run that the trainings of all seeds and folds are nested below."""
    tags = {
        **surroundings,
        "run": run,
        "dataset": params.dataset.name,
        "stage": "run",
        "mlflow.source.name": "clef",
        "mlflow.source.type": "PROJECT",
    }
    key = parent_key(params, run, manifest)
    return Unit(params.dataset.name, run, key, ANY_CODE, compared(params), tags | {"clef.parent": key})


def parent_key(params: Params, run: str, manifest: str) -> str:
    """Digest of the run's name, of what its trainings depend on, and of the manifest.

    Seeds are not in it: a further seed goes to the same run. Nor is how it is scored, which trains nothing anew.
    """
    sections = {name: params.tracked(name) for name in {*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS}}
    sections["texts"] = texts_in_use(params.texts, params.labels)
    return digest({"run": run, "manifest": manifest, **sections}, length=64)


def data_of(params: Params, manifest: str, path: str) -> Data:
    """The manifest as a data set: its name is the data set's, its digest tells versions apart."""
    return Data(params.dataset.name, manifest[:DIGEST_LENGTH], path)


def compared(params: Params) -> dict[str, str]:
    """Parameters of a parent run: short values, and the first that differ between two runs say why they do."""
    pretrain = params.pretrain
    values: dict[str, Any] = {
        **flatten({name: params.tracked(name) for name in ("folds", "model", "labels", "crop")}),
        "texts": digest(texts_in_use(params.texts, params.labels), length=8),
        "device": params.device,
        "gpus": params.gpus,
        "pretrain": "none" if pretrain is None else pretrain.from_ or "own",
        "pretrain.epochs": 0 if pretrain is None else pretrain.epochs,
    }
    for name in ("pretrain", "finetune"):
        section = params.tracked(name)
        if section is None:
            continue
        values[f"{name}.views"] = _views(section.pop("augment"))
        if name == "pretrain":
            sizes = [f"{section.pop(part)} {part}" for part in ("subjects", "activities", "frames")]
            values["pretrain.samples"] = " x ".join(sizes)
            if not section["also"]:
                del section["also"]  # it would differ from a run without stage 1, and say nothing
        values |= flatten({name: section})
    return {name: as_plain(value) for name, value in sorted(values.items()) if name not in UNTRACKED}


def _views(augment: Mapping[str, Any]) -> str:
    """The random changes in one value: those that are on."""
    neutral = AugmentParams(
        rotation=0, scale=(1, 1), shift=0, flip=0, brightness=0, contrast=0, saturation=0, grey=0, blur=0
    ).model_dump(mode="json")
    return ", ".join(f"{k} {as_plain(v)}" for k, v in augment.items() if v != neutral[k]) or "unchanged"


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested sections as `section.key`; an absent section is one value, None."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in flatten(value).items()}
        else:
            flat[name] = value
    return flat
