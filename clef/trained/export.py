"""Export a trained run as a folder that can be published: config, weights, model card and ONNX graph."""

import shutil
from pathlib import Path

import torch

from clef.errors import ClefError
from clef.runtime.files import atomic_folder
from clef.trained.config import CONFIG, TrainedConfig
from clef.trained.model_card import model_card
from clef.trained.onnx_model import require_onnx, write_onnx
from clef.trained.trained_model import TrainedModel

CARD = "README.md"
"""The file that the Hugging Face hub shows."""
GRAPH = "model.onnx"
FILES = (CONFIG, CARD, GRAPH, f"{GRAPH}.data")


def export_run(
    results: Path, config: TrainedConfig, target: Path, with_onnx: bool = True, overwrite: bool = False
) -> None:
    """Write the folder `target`, or leave it as it was.

    Args:
        results: Results of the run.
        config: The run's config, with the members to export.
        target: The folder to write.
        with_onnx: Whether to write the ONNX graph.
        overwrite: Whether an earlier export may be replaced.

    Raises:
        ClefError: The run tests other labels than it predicts, the target may not be replaced, weights are damaged, or
            a package is missing.
        OSError: The folder cannot be written.
    """
    if config.labels.zero_shot:
        raise ClefError(
            f"export: {config.run} tests labels that it was not trained on (labels.zero_shot), so there are no scores "
            "of those that it predicts; export a run that tests its own labels"
        )
    _require_free(target, overwrite)
    if with_onnx:
        require_onnx()
    exported = _exported(config)
    with atomic_folder(target) as folder:
        for own, member in zip(config.members, exported.members, strict=True):
            shutil.copyfile(results / own.file, folder / member.file)
        (folder / CONFIG).write_text(exported.to_json(), encoding="utf-8")
        (folder / CARD).write_text(model_card(results, exported, with_onnx), encoding="utf-8")
        model = TrainedModel(exported, folder, torch.device("cpu"))  # checks the copies
        if with_onnx:
            write_onnx(model, folder / GRAPH)


def is_exported(target: Path, config: TrainedConfig, with_onnx: bool) -> bool:
    """Whether the folder is what `export_run` writes for this config."""
    complete = (target / CONFIG).is_file() and (not with_onnx or (target / GRAPH).is_file())
    return complete and TrainedConfig.read(target) == _exported(config)


def _exported(config: TrainedConfig) -> TrainedConfig:
    members = [one.model_copy(update={"file": f"seed{one.seed}-fold{one.fold}.safetensors"}) for one in config.members]
    return config.model_copy(update={"members": members})


def _require_free(target: Path, overwrite: bool) -> None:
    """Refuse to replace anything but an empty folder, or an earlier export if that is wanted."""
    if file := next((path for path in (target, *target.parents) if path.is_file()), None):
        raise ClefError(f"--to {target}: {file} is a file; expected a folder")
    present = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    if not present:
        return
    other = [name for name in present if name not in FILES and not name.endswith(".safetensors")]
    if other or CONFIG not in present:
        raise ClefError(
            f"--to {target}: holds {(other or present)[0]}, which is no part of an export; name a new folder"
        )
    if not overwrite:
        raise ClefError(f"--to {target}: holds an earlier export; replace it with --overwrite, or name a new folder")
