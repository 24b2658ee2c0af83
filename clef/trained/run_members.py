"""Find the trained weights of a run, and collect the config that they share."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from clef import __version__
from clef.errors import ClefError, abbreviate
from clef.params.schema import EvaluateParams, FinetuneParams, LabelParams
from clef.runtime.paths import RESULTS, seed_and_fold
from clef.trained.config import Member, TrainedConfig

NOTICE = "trained on rendered people: its predictions say nothing about real faces"
SHARED = ("dataset", "labels", "label_texts", "templates", "finetune", "model", "architecture", "normalisation")


def run_config(folder: Path, seed: int | None = None, fold: str | None = None) -> TrainedConfig:
    """Collect the config of a run from the results in `folder`, with all its seeds and folds or only the given ones.

    Raises:
        ClefError: There are no such weights, they differ in more than seed and fold, or the run is not finished and no
            fold is given.
    """
    weights = _weights(folder, "*" if seed is None else seed, "*" if fold is None else fold)
    if not weights:
        chosen = "".join(f", {name} {value}" for name, value in (("seed", seed), ("fold", fold)) if value is not None)
        known = abbreviate([str(path.parent.relative_to(folder)) for path in _weights(folder)])
        todo = f"run `snakemake --cores 2 {folder}/summary.csv` first"
        raise ClefError(
            f"{folder}: no trained stage 2{chosen}; {f'it has {known}; name one of them' if known else todo}"
        )
    sidecars = [_sidecar(path) for path in weights]
    for path, sidecar in zip(weights, sidecars, strict=True):
        if other := [name for name in (*SHARED, "fingerprint") if sidecar.get(name) != sidecars[0].get(name)]:
            raise ClefError(f"{path}: trained with other {', '.join(other)} than {weights[0]}; finish the run again")
    from clef.datasets import adapter_of  # slow, and not for exported models

    first = sidecars[0]
    labels = LabelParams.model_validate(first["labels"])
    thresholds, tuned = _thresholds(weights, labels) if labels.kind == "action_units" else ({}, False)
    return TrainedConfig(
        clef=__version__,
        run=folder.name,
        dataset=first["dataset"]["name"],
        labels=labels,
        label_texts=first["label_texts"],
        templates=first["templates"],
        finetune=FinetuneParams.model_validate(first["finetune"]),
        model=first["model"]["name"],
        image_size=first["model"]["image_size"],
        architecture=first["architecture"],
        normalisation=first["normalisation"],
        crop=first["fingerprint"],
        thresholds=thresholds,
        tuned=tuned,
        members=[
            Member(file=str(path.relative_to(folder)), sha256=own["sha256"], seed=own["seed"], fold=own["fold"])
            for path, own in zip(weights, sidecars, strict=True)
        ],
        scores={} if labels.zero_shot else _scores(folder, required=fold is None),
        notice=NOTICE if adapter_of(first["dataset"]["adapter"]).rendered else None,
    )


def results_of(name: str) -> Path | None:
    """Folder with the results of a run, given by its name or by that folder; None if there is none."""
    candidates = [Path(name), RESULTS / name]
    return next((path for path in candidates if _weights(path)), None)


def _weights(folder: Path, seed: int | str = "*", fold: str = "*") -> list[Path]:
    return sorted(folder.glob(str(seed_and_fold(seed, fold) / "finetune.safetensors")))


def _sidecar(weights: Path) -> dict[str, Any]:
    path = weights.with_suffix(".json")
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in (*SHARED, "fingerprint", "seed", "fold", "sha256") if name not in sidecar]
    except FileNotFoundError:
        raise ClefError(f"{path}: no such file; restore it, or run `clef finetune` again, which writes it") from None
    except (ValueError, TypeError):
        raise ClefError(f"{path}: not written by `clef finetune`; train again") from None
    if missing:
        raise ClefError(f"{path}: {missing[0]} is missing; train again")
    return sidecar


def _scores(folder: Path, required: bool) -> dict[str, Any]:
    path = folder / "summary.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["rows"]
    except FileNotFoundError:
        if not required:
            return {}
        raise ClefError(
            f"{path}: no such file; finish the run with `snakemake --cores 2 {folder}/summary.csv`, or name a fold"
        ) from None


def _thresholds(weights: list[Path], labels: LabelParams) -> tuple[dict[str, float], bool]:
    """Return each label's threshold, and whether it was tuned.

    Tuned ones are the mean over the members, if all have some. Otherwise it is the one that the run is scored at,
    or the default if no member was scored yet.
    """
    paths = [path.with_name("metrics.json") for path in weights]
    metrics = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    tunings = [found["tuned"] for found in metrics if found.get("tuned")]
    if len(tunings) < len(weights):
        fixed = metrics[0]["threshold"] if metrics else None
        if fixed is None:  # not evaluated, or zero-shot on expressions
            fixed = EvaluateParams().threshold
        return dict.fromkeys(labels.names, fixed), False
    from clef.evaluation.fold.threshold_tuning import temper  # slow, and not for exported models

    # They are for tempered probabilities; those of a prediction are not tempered.
    untempered = [
        temper(np.array([tuning["thresholds"][name] for name in labels.names]), 1 / tuning["temperature"])
        for tuning in tunings
    ]
    return dict(zip(labels.names, np.mean(untempered, axis=0).round(4).tolist(), strict=True)), True
