"""What a training depends on: recorded in its sidecar, and hashed into the key for resuming and tracking it."""

from typing import Any

import pandas as pd

from clef.manifest.folds import Fold
from clef.model.encoders import architecture
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
    """Collect the entries that the sidecars of both stages have in common. `frames` are the training frames."""
    trained_on = sorted(set(zip(frames["dataset"], frames["subject"].fillna(""), strict=True)))
    return {
        "seed": seed,
        "fold": fold.number,
        "trained_on": [list(subject) for subject in trained_on],
        "test_subjects": list(fold.test_subjects),
        **({"unseen_activities": list(fold.unseen_descriptions)} if fold.unseen_descriptions else {}),
        "fingerprint": fingerprint,
        "manifest": file_hash(inputs.manifest),
        "pretrained": pretrained_hash(params.model),
        "architecture": architecture(params.model.name),
        "package": package_hash(),
        **{name: params.tracked(name) for name in sections},
    }


def training_key(sidecar: dict[str, Any]) -> str:
    """Hash a sidecar, except for the package's hash, to 64 hexadecimal digits."""
    return digest({name: value for name, value in sidecar.items() if name != "package"}, length=64)
