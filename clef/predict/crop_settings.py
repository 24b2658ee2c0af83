"""The crop settings that a model was trained with, and whether this installation can follow them."""

from typing import Any

from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.faces.fingerprint import SETTINGS, crop_fingerprint
from clef.params.schema import CropParams

FRAMES_PER_CALL = 8  # of the detector: frames of 4K take 25 MB each, and every process holds some


def crop_settings(fingerprint: dict[str, Any], weights: str | None, device: str) -> tuple[CropParams, list[str]]:
    """Rebuild crop settings from the fingerprint of a model's crops, and list differences that may matter.

    `weights` is the file of the detector's weights; None for the default path.

    Raises:
        ClefError: The detector or its weights are missing, or differ from those of the training.
    """
    trained = fingerprint["detector"]
    values = {name: fingerprint[name] for name in SETTINGS if name in fingerprint}
    settings = CropParams(
        detector=trained["name"],
        weights=weights,
        device="cuda" if device == "cuda" and trained["name"] == "retinaface" else "cpu",
        batch=FRAMES_PER_CALL,
        **values,
    )
    try:
        own = build_detector(settings).fingerprint
    except ClefError as error:
        raise ClefError(f"{error}; for `clef predict`, --detector-weights can name another path") from None
    if own.get("weights") != trained.get("weights"):
        raise ClefError(
            f"detector: the weights of {trained['name']} have hash {_short(own)}, but the model was trained with "
            f"{_short(trained)}; give those with --detector-weights"
        )
    notices = []
    if own.get("library") != trained.get("library"):
        notices.append(
            f"faces are found with {own.get('library')}; the model was trained with {trained.get('library')}"
        )
    now = crop_fingerprint(settings, trained)
    if changed := sorted(name for name in {*now, *fingerprint} if now.get(name) != fingerprint.get(name)):
        notices.append(
            f"this version of clef crops otherwise than that of the training ({', '.join(changed)}); "
            "probabilities may differ a little"
        )
    return settings, notices


def _short(detector: dict[str, str | None]) -> str:
    return f"{(detector.get('weights') or 'none')[:9]}"
