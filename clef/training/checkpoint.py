"""Weights with a JSON sidecar, and the recovery checkpoint from which an interrupted training goes on."""

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
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from clef.errors import ClefError
from clef.faces.fingerprint import crop_fingerprint
from clef.manifest.table import manifest_fingerprint
from clef.params.schema import CropParams, ModelParams
from clef.runtime.files import atomic_write, file_hash, write_text

log = logging.getLogger(__name__)

Stage = Literal["pretrain", "finetune"]
SIDECAR = ("fingerprint", "trained_on", "model")
"""What a sidecar says, beside the stage, that is asked of it later."""
HASH = "sha256"
"""Of the file of weights, in its sidecar."""


def save_weights(target: Path, weights: Mapping[str, Tensor], sidecar: Mapping[str, Any]) -> None:
    """Write `target` (safetensors) and beside it, first, the JSON that says what the weights are, with their hash."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    said = {**sidecar, HASH: hashlib.sha256(content).hexdigest()}
    write_text(target.with_suffix(".json"), json.dumps(said, indent=2, sort_keys=True) + "\n")
    with atomic_write(target) as partial:
        partial.write_bytes(content)  # safetensors' own `save_file` would make a file that only its owner may read


def load_weights(path: Path, stage: Stage) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights and their sidecar.

    Raises:
        ClefError: One of the two files is not there or damaged, they do not belong together, or they are weights of the
            other stage.
    """
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise ClefError(f"{file}: no such file; train it first: `clef {stage}` writes it")
    try:
        sidecar = json.loads(beside.read_text(encoding="utf-8"))
        found = sidecar["stage"]
        lacking = [name for name in SIDECAR if name not in sidecar]
    except (ValueError, TypeError, KeyError):
        raise ClefError(f"{beside}: not what `clef {stage}` writes beside its weights; train again") from None
    if found != stage:
        raise ClefError(f"{path}: weights of `clef {found}`; expected those of `clef {stage}`")
    if lacking:
        raise ClefError(f"{beside}: {lacking[0]} is missing; expected what `clef {stage}` writes; train again")
    try:
        loaded = load_file(path)
    except SafetensorError as error:
        raise ClefError(f"{path}: not a whole file of weights ({error}); restore it, or train again") from None
    if (said := sidecar.pop(HASH, None)) is not None and (digest := file_hash(path)) != said:
        raise ClefError(
            f"{path}: changed since it was trained: its SHA-256 begins with {digest[:9]}, that in {beside.name} with "
            f"{said[:9]}; restore both, or train again"
        )
    return loaded, sidecar


def restore(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into the model that they were saved from.

    Args:
        module: Gets the weights.
        weights: All of its parameters and buffers by name.
        path: Where they are from, for messages.

    Raises:
        ClefError: They are of a model with other names or shapes.
    """
    own = module.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in weights]
    wrong += [f"{name} is unknown" for name in weights if name not in own]
    wrong += [
        f"{name} has shape {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ClefError(f"{path}: weights of another model than the run has: {wrong[0]}{more}; restore its `model:`")
    module.load_state_dict(weights)


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


def require_model(sidecar: Mapping[str, Any], model: ModelParams, weights: Path) -> None:
    """Refuse weights of another architecture or input size, which some architectures would take without a word.

    Raises:
        ClefError: With both sides.
    """
    ours = model.takes
    theirs = {name: sidecar["model"].get(name) for name in ours}
    if theirs != ours:
        said = "{name} at {image_size} pixels"
        raise ClefError(
            f"{weights}: trained as {said.format(**theirs)}, but the run has {said.format(**ours)}; "
            "expected the same `model:`"
        )


def require_same_crops(tested: Path, trained: Path) -> None:
    """Refuse a manifest to test whose crops have other settings than those of the manifest that is trained on.

    Raises:
        ClefError: With each setting that differs.
    """
    require_fingerprint({"fingerprint": manifest_fingerprint(trained)}, manifest_fingerprint(tested), trained, tested)


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
        raise ClefError(
            f"{manifest}: its crops are not those of the params: {'; '.join(differing)}; crop again: remove their "
            f"folder {manifest.parent.name} below data/interim, then the same command"
        )


def pretrained_hash(model: ModelParams) -> str | None:
    """Hash of the weights file that a model starts from; None where a tag or nothing names them."""
    return file_hash(Path(model.pretrained)) if model.pretrained and Path(model.pretrained).is_file() else None


def package_hash() -> str:
    """SHA-256 over the files of the package, code and texts alike: what made a result."""
    root = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".json", ".yaml", ".csv")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


class Recovery:
    """The recovery checkpoint of one training, in its work folder.

    Args:
        work: The work folder; what a training of another key has left in it is removed.
        key: Hash of all that the training depends on.
        owner: Whether the folder is this process's to write: of those that train together, the first one's alone.
    """

    def __init__(self, work: Path, key: str, *, owner: bool = True) -> None:
        self.path = work / "recovery.pt"
        self.key = key
        if owner:
            self._claim(work / "key")

    def _claim(self, mark: Path) -> None:
        """Have the folder under this key, with nothing in it of another."""
        work = mark.parent
        if work.exists() and not (mark.exists() and mark.read_text() == self.key):
            log.info("starting over: %s is of other settings or inputs", work)
            shutil.rmtree(work)
        write_text(mark, self.key)

    def save(self, step: int, model: Mapping[str, Tensor], optimiser: Mapping[str, Any]) -> None:
        """Write the state after `step` steps."""
        state = {"key": self.key, "step": step, "model": dict(model), "optimiser": dict(optimiser)}
        with atomic_write(self.path) as partial, open(partial, "wb") as file:
            torch.save(state, file)
        # Written second: what lies before this step is certain never to be trained again.
        write_text(self.path.with_name("step"), str(step))

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The state to go on from, or None where there is none of this key."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())[:100]
            log.warning("starting over: %s is damaged (%s)", self.path, reason)
            return None
        return state if state["key"] == self.key else None
