"""Read the tensors of published weights files without running code from them.

The kinds are safetensors, checkpoints of `torch.save` (tensors by name, or below `state_dict` as in open_clip's
`epoch_1.pt` and FaRL's files), and TorchScript archives such as OpenAI's.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from clef.errors import ClefError

MASKED_IMAGE_PARTS = {"mask_token", "lm_transformer", "ln_lm", "lm_head"}
"""What FaRL's image tower needs to predict masked patches; farl/network/farl/model.py of FacePerceiver/FaRL."""

OPENAI_CONSTANTS = {"input_resolution", "context_length", "vocab_size"}
"""Numbers among the weights of OpenAI's archives."""

_SCALAR = np.float64().__reduce__()[0]
NUMPY_NUMBERS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # numpy 1 and 2
    np.dtype,
    *{type(np.dtype(code)) for code in "?" + np.typecodes["AllInteger"] + np.typecodes["Float"]},
]
"""The only Python objects accepted beside tensors: training scripts record losses and rates as numpy's numbers."""


@dataclass(frozen=True)
class PretrainedFile:
    """The weights of a file."""

    tensors: dict[str, Tensor]
    """Tensors by open_clip's names."""
    quick_gelu: bool | None
    """Whether they were trained with QuickGELU; None if the file does not show it."""


def read_pretrained(path: Path) -> PretrainedFile:
    """Read a weights file, without the parts that no CLIP model has.

    Raises:
        ClefError: The file is damaged or of another kind, or holds other Python objects than numbers and tensors.
    """
    try:
        content = _read(path)
    except Exception as error:  # torch, pickle, zipfile and safetensors raise errors of many classes
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise ClefError(
                f"model.pretrained: {path} holds the Python object {found[1]}, which could run code, so it is not "
                "read; if you trust the file, save its state_dict alone with torch.save"
            ) from None
        raise ClefError(
            f"model.pretrained: {path} cannot be read as weights ({_reason(error)}); expected safetensors, a PyTorch "
            "checkpoint or a TorchScript archive: get the file again"
        ) from None
    tensors = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ClefError(f"model.pretrained: {path} holds no tensors by name; expected a state_dict")
    if all(name.startswith("module.") for name in tensors):  # saved by DistributedDataParallel
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    masked = {name for name in tensors if name.removeprefix("visual.").split(".")[0] in MASKED_IMAGE_PARTS}
    openai = OPENAI_CONSTANTS & tensors.keys()
    kept = {name: tensor for name, tensor in tensors.items() if name not in masked | openai}
    return PretrainedFile(kept, True if masked or openai else None)


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return _read_torchscript(archive)
    with safe_globals(NUMPY_NUMBERS):
        return torch.load(path, map_location="cpu", weights_only=True)


class _Module:
    """Stands for a module of a TorchScript archive."""


def _read_torchscript(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """Read the parameters and buffers of a TorchScript archive.

    `torch.jit.load` would run the archive's `__setstate__` methods, which can write files. Without its code and
    constants, the archive is a checkpoint of modules.
    """
    checkpoint = io.BytesIO()
    with zipfile.ZipFile(checkpoint, "w") as copy:
        for name in archive.namelist():
            if not name.partition("/")[2].startswith(("code/", "constants")):
                copy.writestr(name, archive.read(name))
    checkpoint.seek(0)
    classes = [name for name in get_unsafe_globals_in_checkpoint(checkpoint) if name.startswith("__torch__.")]
    checkpoint.seek(0)
    with safe_globals([(type(name, (_Module,), {}), name) for name in classes]):
        return dict(_state(torch.load(checkpoint, map_location="cpu", weights_only=True), ""))


def _state(module: _Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Name the tensors of a module like its checkpoint, which leaves out the mask that a text tower computes."""
    for name, value in vars(module).items():
        if isinstance(value, _Module):
            yield from _state(value, f"{prefix}{name}.")
        elif isinstance(value, Tensor) and name != "attn_mask":
            yield f"{prefix}{name}", value


def _reason(error: Exception) -> str:
    # torch surrounds the cause with advice to run the code of the file.
    text = str(error).rpartition("WeightsUnpickler error: ")[2].strip()
    return f"{type(error).__name__}: {text.partition(chr(10))[0]}"[:120].removesuffix(": ")
