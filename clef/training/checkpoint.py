"""Weights with a JSON sidecar, and the recovery checkpoint from which an interrupted training goes on."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from clef.errors import ClefError
from clef.faces.shard import crop_fingerprint
from clef.files import appearing, write_text
from clef.params import CropParams, ModelParams
from clef.weights import file_hash

log = logging.getLogger(__name__)


def save_weights(target: Path, weights: Mapping[str, Tensor], sidecar: Mapping[str, Any]) -> None:
    """Write `target` (safetensors) and beside it, first, the JSON that says what the weights are."""
    write_text(target.with_suffix(".json"), json.dumps(sidecar, indent=2, sort_keys=True) + "\n")
    with appearing(target) as partial:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, partial)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights and their sidecar.

    Raises:
        ClefError: One of the two files is not there.
    """
    for file in (path, path.with_suffix(".json")):
        if not file.exists():
            raise ClefError(f"{file}: no such file; train it first")
    return load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def require_fingerprint(sidecar: Mapping[str, Any], fingerprint: Mapping[str, Any], weights: Path, crops: Path) -> None:
    """Refuse weights that were trained on crops of other settings.

    Raises:
        ClefError: With each setting that differs.
    """
    theirs = sidecar["fingerprint"]
    if theirs != fingerprint:
        names = sorted(set(theirs) | set(fingerprint))
        differing = [
            f"{name} {theirs.get(name)!r} against {fingerprint.get(name)!r}"
            for name in names
            if theirs.get(name) != fingerprint.get(name)
        ]
        raise ClefError(f"{weights}: trained on crops unlike those of {crops}: {'; '.join(differing)}; crop alike")


def require_crop_settings(fingerprint: Mapping[str, Any], settings: CropParams, manifest: Path) -> None:
    """Refuse a manifest of other crops than the run asks for.

    Raises:
        ClefError: With each setting that differs.
    """
    wanted = crop_fingerprint(settings, {})
    differing = [
        f"{name} {fingerprint.get(name)!r} against {value!r}"
        for name, value in wanted.items()
        if name != "detector" and fingerprint.get(name) != value
    ]
    if fingerprint["detector"]["name"] != settings.detector:
        differing.append(f"detector {fingerprint['detector']['name']} against {settings.detector}")
    if differing:
        raise ClefError(f"{manifest}: its crops are not those of the params: {'; '.join(differing)}; crop again")


def pretrained_hash(model: ModelParams) -> str | None:
    """Hash of the weights file that a model starts from; None where a tag or nothing names them."""
    return file_hash(Path(model.pretrained)) if model.pretrained and Path(model.pretrained).is_file() else None


def package_hash() -> str:
    """SHA-256 over the source files of the package: which code made a result."""
    root = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


class Recovery:
    """The recovery checkpoint of one training, in its work folder.

    Args:
        work: The work folder; what a training of another key has left in it is removed.
        key: Hash of all that the training depends on.
    """

    def __init__(self, work: Path, key: str) -> None:
        self.path = work / "recovery.pt"
        self.key = key
        owner = work / "key"
        if work.exists() and not (owner.exists() and owner.read_text() == key):
            log.info("starting over: %s is of other settings or inputs", work)
            shutil.rmtree(work)
        write_text(owner, key)

    def save(self, step: int, model: Mapping[str, Tensor], optimiser: Mapping[str, Any]) -> None:
        """Write the state after `step` steps."""
        state = {"key": self.key, "step": step, "model": dict(model), "optimiser": dict(optimiser)}
        with appearing(self.path) as partial:
            torch.save(state, partial)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The state to go on from, or None where there is none of this key."""
        if not self.path.exists():
            return None
        state = torch.load(self.path, map_location=device, weights_only=True)
        return state if state["key"] == self.key else None
