"""What all predictions need before the first frame."""

import torch

from clef.params.schema import CropParams
from clef.predict.table import Layout
from clef.runtime.progress import notice
from clef.trained.crop_settings import crop_settings
from clef.trained.trained_model import TrainedModel


def prepare(
    model: TrainedModel, layout: Layout, detector_weights: str | None
) -> tuple[torch.Tensor | None, CropParams]:
    """Return the encoded sentences, if there are any, and the crop settings of the training.

    Raises:
        ClefError: The model cannot be asked in words, or its face detector is missing or another one.
    """
    sentences = model.encode_sentences(layout.asked) if layout.asked else None
    settings, notices = crop_settings(model.config.crop, detector_weights, model.device.type)
    for line in notices:
        notice("%s", line)
    return sentences, settings
