"""Weights with a JSON sidecar, and the recovery checkpoint of an interrupted training."""

import hashlib
import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from clef.model.weights_file import read_weights
from clef.params.schema import ModelParams
from clef.runtime.files import atomic_write, file_hash, write_text
from clef.training.sidecar import Stage, read_sidecar

log = logging.getLogger(__name__)


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
    sidecar = read_sidecar(path, stage)
    weights = read_weights(path, sidecar.pop("sha256", None), path.with_suffix(".json").name)
    return weights, sidecar


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
