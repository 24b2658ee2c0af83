"""What a training follows from: kept beside its weights, and the key under which it is resumed and tracked."""

from typing import Any

import pandas as pd

from clef.manifest.folds import Fold
from clef.model.tasks import architecture
from clef.params.schema import Params, digest
from clef.runtime.files import file_hash
from clef.training.checkpoint import package_hash, pretrained_hash
from clef.training.inputs import Inputs


def provenance(
    params: Params,
    sections: tuple[str, ...],
    seed: int,
    fold: Fold,
    inputs: Inputs,
    frames: pd.DataFrame,
    fingerprint: dict[str, Any],
) -> dict[str, Any]:
    """What either stage says of itself.

    Args:
        params: The run.
        sections: Those of its sections that the stage depends on.
        seed: Of weights, sampling and augmentation.
        fold: Who is trained on.
        inputs: Manifest and crops.
        frames: The frames that are trained on.
        fingerprint: Of the crops.
    """
    trained_on = sorted(set(zip(frames["dataset"], frames["subject"].fillna(""), strict=True)))
    return {
        "seed": seed,
        "fold": fold.number,
        "trained_on": [list(subject) for subject in trained_on],
        "test_subjects": list(fold.test_subjects),
        "fingerprint": fingerprint,
        "manifest": file_hash(inputs.manifest),
        "pretrained": pretrained_hash(params.model),
        "architecture": architecture(params.model.name),
        "package": package_hash(),
        **{name: params.tracked(name) for name in sections},
    }


def training_key(sidecar: dict[str, Any]) -> str:
    """64 hexadecimal digits, the same for trainings that differ in nothing but the package's text."""
    return digest({name: value for name, value in sidecar.items() if name != "package"}, length=64)
