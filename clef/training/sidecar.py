"""The JSON file beside weights: what they depend on, and whether they fit a use. It needs no torch."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from clef.errors import ClefError
from clef.faces.fingerprint import crop_fingerprint
from clef.manifest.folds import Fold
from clef.manifest.table import manifest_fingerprint
from clef.params.schema import CropParams, ModelParams

log = logging.getLogger(__name__)

Stage = Literal["pretrain", "finetune"]


def read_sidecar(weights: Path, stage: Stage) -> dict[str, Any]:
    """Read the sidecar of weights.

    Raises:
        ClefError: A file is missing or damaged, or they are weights of the other stage.
    """
    beside = weights.with_suffix(".json")
    for file in (weights, beside):
        if not file.is_file():
            raise ClefError(f"{file}: no such file; run `clef {stage}` first, which writes it")
    try:
        sidecar: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        found = sidecar["stage"]
        missing = [name for name in ("fingerprint", "trained_on", "model") if name not in sidecar]
    except (ValueError, TypeError, KeyError):
        raise ClefError(f"{beside}: not written by `clef {stage}`; train again") from None
    if found != stage:
        raise ClefError(f"{weights}: weights of `clef {found}`; expected weights of `clef {stage}`")
    if missing:
        raise ClefError(f"{beside}: {missing[0]} is missing; train again")
    return sidecar


def require_fingerprint(sidecar: Mapping[str, Any], fingerprint: Mapping[str, Any], weights: Path, crops: Path) -> None:
    """Raise a ClefError that lists the differences if weights were trained with other crop settings."""
    theirs = sidecar["fingerprint"]
    if differing := _differences(theirs, {**dict.fromkeys(theirs), **fingerprint}):
        raise ClefError(
            f"{weights}: trained with different crop settings than {crops}: {'; '.join(differing)}; use the same ones"
        )


def require_unseen_activities(sidecar: Mapping[str, Any], fold: Fold, weights: Path) -> None:
    """Raise a ClefError if weights were trained on an activity that their fold leaves out to test on it.

    Activities are compared by the keys of their descriptions, since data sets give one activity different ids.
    """
    unseen = set(fold.unseen_descriptions)
    # Stage 1, perhaps on data sets without these activities, says what it saw; stage 2 what it left out of its own.
    seen = unseen - set(sidecar.get("unseen_activities", []))
    if sidecar["stage"] == "pretrain":
        seen = unseen & set(sidecar["activity_texts"])
    if seen:
        raise ClefError(
            f"{weights}: was trained on the activity {min(seen)}, which fold {fold.number} leaves out to test on it; "
            "train it with the same `folds:`"
        )


def require_model(sidecar: Mapping[str, Any], model: ModelParams, weights: Path) -> None:
    """Raise a ClefError if weights are of another model or input size. Some models would load them without an error."""
    ours = model.takes
    theirs = {name: sidecar["model"].get(name) for name in ours}
    if theirs != ours:
        trained, wanted = ("{name} at {image_size} pixels".format(**takes) for takes in (theirs, ours))
        raise ClefError(f"{weights}: trained as {trained}, but the run has {wanted}; expected the same `model:`")


def distributed_as_crops(*fingerprints: Mapping[str, Any]) -> bool:
    """Whether one of several data sets comes as crops (detector "none"), such as RAF-DB, so settings must differ."""
    detectors = {fingerprint["detector"]["name"] for fingerprint in fingerprints}
    return "none" in detectors and len(detectors) > 1


def require_same_crops(tested: Path, trained: Path) -> None:
    """Raise a ClefError if the crops of the test manifest have other settings than those of the training manifest."""
    if distributed_as_crops(manifest_fingerprint(tested), manifest_fingerprint(trained)):
        log.info("%s and %s have other crop settings, because one data set is distributed as crops", tested, trained)
        return
    require_fingerprint({"fingerprint": manifest_fingerprint(trained)}, manifest_fingerprint(tested), trained, tested)


def require_crop_settings(fingerprint: Mapping[str, Any], settings: CropParams, manifest: Path) -> None:
    """Raise a ClefError if the crops of a manifest do not have the settings of the params."""
    wanted = crop_fingerprint(settings, {})
    del wanted["detector"]  # also has the hash of the detector's weights, which params do not say
    differing = _differences(fingerprint, wanted)
    if (detector := fingerprint["detector"]["name"]) != settings.detector:
        differing.append(f"detector {detector} against {settings.detector}")
    if differing:
        raise ClefError(
            f"{manifest}: its crops do not have the settings of the params: {'; '.join(differing)}; remove their "
            f"folder {manifest.parent.name} below data/interim, and run the same command again"
        )


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {found.get(name)!r} against {value!r}"
        for name, value in sorted(wanted.items())
        if found.get(name) != value
    ]
