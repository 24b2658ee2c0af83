"""Write a trained model as an ONNX graph: face crops in, probabilities out."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clef.batches.augmentation import normalise
from clef.errors import ClefError
from clef.trained.trained_model import TrainedModel

PACKAGES = ("onnx", "onnxscript")
IMAGES, PROBABILITIES = "images", "probabilities"


def require_onnx() -> None:
    """Raise a ClefError if a package that the export needs is not installed."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise ClefError(
            f"--onnx: the package {missing[0]} is not installed; run `pip install -e '.[export]'` in the checkout, "
            "or leave the graph out with --no-onnx"
        )


class _Graph(nn.Module):
    """All members in one module. The features of the texts are constants, so the graph has no text tower."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.tasks = model.tasks
        self.registered = nn.ModuleList(model.tasks)  # so that the exporter finds their weights
        self.texts = [task.texts_for_prediction() for task in model.tasks]
        self.mean, self.std = model.tasks[0].encoders.mean, model.tasks[0].encoders.std

    def forward(self, images: Tensor) -> Tensor:
        images = normalise(images, self.mean, self.std)
        members = zip(self.tasks, self.texts, strict=True)
        return torch.stack([task.probabilities(task.features(images), texts) for task, texts in members]).mean(dim=0)


@torch.no_grad()
def write_onnx(model: TrainedModel, target: Path) -> None:
    """Write the graph of a model on the CPU. Graphs above 2 GB have their weights in a second file beside it.

    - input `images`: float32 (batch, 3, size, size), RGB from 0 to 1, resized but not normalised;
    - output `probabilities`: float32 (batch, label), the mean over the members;
    - metadata: JSON of `labels`, `kind`, `thresholds`, `image_size` and `notice`.

    Raises:
        ClefError: A package is missing.
    """
    require_onnx()
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    size = model.config.image_size
    program = torch.onnx.export(
        _Graph(model).eval(),
        (torch.zeros(2, 3, size, size),),  # a batch of one would be taken for a fixed size
        dynamo=True,
        dynamic_shapes={IMAGES: {0: torch.export.Dim("batch")}},
        input_names=[IMAGES],
        output_names=[PROBABILITIES],
        verbose=False,
    )
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)  # it names source files of this machine
    config = model.config
    about: dict[str, Any] = {"labels": config.labels.names, "kind": config.labels.kind, "image_size": size}
    about |= {"thresholds": config.thresholds, "notice": config.notice}
    program.model.metadata_props.update({name: json.dumps(value) for name, value in about.items()})
    program.save(target)
