"""Mean and standard deviation of the images that pretrained weights were trained with.

open_clip knows them for its tags. A file says them in the config beside it, or the params do.
"""

import json
from pathlib import Path
from typing import Any

from clef.errors import ClefError
from clef.params.schema import ModelParams, PublishedNormalisation, Statistics

PUBLISHED: dict[PublishedNormalisation, Statistics] = {
    "clip": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]},
    "imagenet": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "inception": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}
"""The values of `open_clip.constants`, which cannot be imported without torch."""

CONFIG = "open_clip_config.json"
"""The file that open_clip writes beside weights for the Hugging Face hub."""
SECTIONS = ("model_cfg", "preprocess_cfg")


def config_beside(weights: Path) -> dict[str, Any]:
    """Read open_clip's config beside a weights file; it is empty if there is none."""
    path = weights.with_name(CONFIG)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ClefError(f"{path}: no JSON ({error}); get it again, or remove it") from None
    if not isinstance(config, dict) or not all(isinstance(config.get(key, {}), dict) for key in SECTIONS):
        raise ClefError(f"{path}: expected the sections {' and '.join(SECTIONS)}; get it again, or remove it")
    return config


def file_normalisation(model: ModelParams) -> Statistics:
    """Return the statistics for `model.pretrained`, which is a file.

    Raises:
        ClefError: Neither the config beside the file nor the params give them, or the two differ.
    """
    weights = Path(model.pretrained or "")
    preprocessing = config_beside(weights).get("preprocess_cfg", {})
    if preprocessing.get("mean") and preprocessing.get("std"):
        return agreed(model, statistics_of(preprocessing), str(weights.with_name(CONFIG)))
    if model.normalisation is None:
        raise ClefError(
            f"model.normalisation: missing, and {weights} does not say how its images were normalised; give clip (also "
            f"for FaRL), imagenet, inception, or mean and std as lists, or put its {CONFIG} beside it"
        )
    return _given(model.normalisation)


def statistics_of(preprocessing: dict[str, Any]) -> Statistics:
    """Return the statistics in a preprocessing config of open_clip."""
    return {"mean": list(preprocessing["mean"]), "std": list(preprocessing["std"])}


def agreed(model: ModelParams, stated: Statistics, source: str) -> Statistics:
    """Return the statistics that belong to weights; raise a ClefError if the params give others."""
    if model.normalisation is not None and _given(model.normalisation) != stated:
        raise ClefError(
            f"model.normalisation: {model.normalisation}, but {source} says mean {stated['mean']} and std "
            f"{stated['std']}; leave it out"
        )
    return stated


def _given(value: PublishedNormalisation | Statistics) -> Statistics:
    return PUBLISHED[value] if isinstance(value, str) else value
