"""Load a trained model by the name of its run, or from an exported folder."""

from pathlib import Path

import torch

from clef.errors import ClefError
from clef.runtime.gpus import NO_GPU
from clef.trained.config import CONFIG, TrainedConfig
from clef.trained.run_members import results_of, run_config
from clef.trained.trained_model import TrainedModel


def load_model(
    name: str | Path, seed: int | None = None, fold: int | str | None = None, device: str | None = None
) -> TrainedModel:
    """Load the model of a run, or of a folder that `clef export` wrote.

    Args:
        name: Name of a run, folder of its results, or exported folder.
        seed: Use the members with this seed only; None for all.
        fold: Use the members of this fold only; None for all, which must be trained.
        device: `cpu` or `cuda`; None for `cuda` if there is a GPU.

    Raises:
        ClefError: There is no such model, or it cannot be loaded.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ClefError(f"device: {NO_GPU}")
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    folder, config = find_model(name, seed, None if fold is None else str(fold))
    return TrainedModel(config, folder, chosen)


def find_model(name: str | Path, seed: int | None = None, fold: str | None = None) -> tuple[Path, TrainedConfig]:
    """Find the folder and the config of a model, see `load_model`."""
    folder = Path(name)
    if (folder / CONFIG).is_file():
        config = TrainedConfig.read(folder)
        members = [m for m in config.members if seed in (None, m.seed) and fold in (None, str(m.fold))]
        if not members:
            known = ", ".join(f"seed {m.seed} fold {m.fold}" for m in config.members)
            raise ClefError(f"{folder}: no member with seed {seed} and fold {fold}; it has {known}")
        return folder, config.model_copy(update={"members": members})
    results = results_of(str(name))
    if results is None:
        raise ClefError(
            f"{name}: no trained run and no exported model; expected the name of a run with results, "
            "or a folder from `clef export`"
        )
    return results, run_config(results, seed, fold)
