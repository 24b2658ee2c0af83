"""Weights with a JSON sidecar, and the recovery checkpoint of an interrupted training."""

import hashlib
import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from clef.errors import ClefError
from clef.faces.fingerprint import crop_fingerprint
from clef.manifest.folds import Fold
from clef.manifest.table import manifest_fingerprint
from clef.model.weights_file import read_weights
from clef.params.schema import CropParams, ModelParams
from clef.runtime.files import atomic_write, file_hash, write_text

log = logging.getLogger(__name__)

Stage = Literal["pretrain", "finetune"]


def save_weights(target: Path, weights: Mapping[str, Tensor], sidecar: Mapping[str, Any]) -> None:
    """Write weights to `target` (safetensors), after a JSON sidecar that describes them and has their hash."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    described = {**sidecar, "sha256": hashlib.sha256(content).hexdigest()}
    write_text(target.with_suffix(".json"), json.dumps(described, indent=2, sort_keys=True) + "\n")
    with atomic_write(target) as partial:
        partial.write_bytes(content)  # safetensors' own `save_file` makes files that only the owner can read


def load_weights(path: Path, stage: Stage) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights and their sidecar.

    Raises:
        ClefError: A file is missing or damaged, the two do not belong together, or they are of the other stage.
    """
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise ClefError(f"{file}: no such file; run `clef {stage}` first, which writes it")
    try:
        sidecar = json.loads(beside.read_text(encoding="utf-8"))
        found = sidecar["stage"]
        missing = [name for name in ("fingerprint", "trained_on", "model") if name not in sidecar]
    except (ValueError, TypeError, KeyError):
        raise ClefError(f"{beside}: not written by `clef {stage}`; train again") from None
    if found != stage:
        raise ClefError(f"{path}: weights of `clef {found}`; expected weights of `clef {stage}`")
    if missing:
        raise ClefError(f"{beside}: {missing[0]} is missing; train again")
    weights = read_weights(path, sidecar.pop("sha256", None), beside.name)
    return weights, sidecar


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


def pretrained_hash(model: ModelParams) -> str | None:
    """Hash the weights file that a model starts from. None if it starts from a tag, or from scratch."""
    return file_hash(Path(model.pretrained)) if model.pretrained and Path(model.pretrained).is_file() else None


def package_hash() -> str:
    """SHA-256 over the code, texts and tables of the package."""
    root = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".json", ".yaml", ".csv")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


class Recovery:
    """The recovery checkpoint of one training.

    Args:
        work: The work folder. If it belongs to a training with another key, it is removed.
        key: Hash of everything the result depends on.
        owner: Whether this process writes to the folder; of several ranks, only the first does.
    """

    def __init__(self, work: Path, key: str, *, owner: bool = True) -> None:
        self.path = work / "recovery.pt"
        self.key = key
        if not owner:
            return
        marker = work / "key"
        if work.exists() and not (marker.exists() and marker.read_text() == key):
            log.info("starting over: %s is of a training with other settings or inputs", work)
            shutil.rmtree(work)
        write_text(marker, key)

    def save(self, step: int, model: Mapping[str, Tensor], optimiser: Mapping[str, Any]) -> None:
        """Write the state after `step` steps."""
        state = {"key": self.key, "step": step, "model": dict(model), "optimiser": dict(optimiser)}
        with atomic_write(self.path) as partial, open(partial, "wb") as file:
            torch.save(state, file)
        # Written after the state: no resume ever repeats the steps before this one, so their metrics are final.
        write_text(self.path.with_name("step"), str(step))

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Read the state to resume from; None if there is no valid one with this key."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            log.warning("starting over: %s is damaged (%s)", self.path, " ".join(str(error).split())[:100])
            return None
        return state if state["key"] == self.key else None
