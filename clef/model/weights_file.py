"""Read weights and load them into a model."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from clef.errors import ClefError
from clef.runtime.files import file_hash


def read_weights(path: Path, sha256: str | None, recorded_in: str) -> dict[str, Tensor]:
    """Read a safetensors file; raise a ClefError if it is missing or damaged, or has another hash than recorded."""
    try:
        weights = load_file(path)
    except FileNotFoundError:
        raise ClefError(f"{path}: no such file, but {recorded_in} lists it; restore it") from None
    except SafetensorError as error:
        raise ClefError(f"{path}: damaged ({error}); restore it, or train again") from None
    if sha256 is not None and (found := file_hash(path)) != sha256:
        raise ClefError(
            f"{path}: changed since it was trained: its SHA-256 is {found[:9]}..., but {recorded_in} says "
            f"{sha256[:9]}...; restore both, or train again"
        )
    return weights


def differences(module: nn.Module, weights: Mapping[str, Tensor]) -> str | None:
    """Describe the first difference in names or shapes between a model and weights; None if they fit."""
    own = module.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in weights]
    wrong += [f"{name} is unknown" for name in weights if name not in own]
    wrong += [
        f"{name} has shape {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more}" if wrong else None


def restore(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a model; raise a ClefError that names their file if names or shapes differ."""
    if problem := differences(module, weights):
        raise ClefError(f"{path}: weights of a different model: {problem}; restore the run's `model:`")
    module.load_state_dict(weights)
