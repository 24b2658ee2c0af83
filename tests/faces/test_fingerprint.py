import json

from clef.faces import fingerprint
from clef.faces.detectors import build_detector
from clef.faces.fingerprint import crop_fingerprint
from clef.params.schema import CropParams

DETECTOR = {"weights": None, "name": "none", "library": None}
PLAIN = CropParams(detector="none")
CHANGES = {"every": 2, "bridge": 3, "face": "central", "align": "box", "margin": 0.5, "size": 64, "smooth": 1.0}
CHANGES |= {"quality": 90, "score": 0.5, "detect_size": 320}


def test_the_fingerprint_changes_with_everything_that_changes_crops_and_with_nothing_else(monkeypatch):
    plain = crop_fingerprint(PLAIN, DETECTOR)
    assert list(plain) == sorted(plain)
    assert (plain["colour"], plain["filter"], plain["size"]) == ("rgb", "area", 256)
    assert json.loads(json.dumps(plain)) == plain
    for key, value in CHANGES.items():
        assert crop_fingerprint(PLAIN.model_copy(update={key: value}), DETECTOR) != plain, key
    assert crop_fingerprint(PLAIN, DETECTOR | {"weights": "00"}) != plain
    for key, value in {"batch": 4, "device": "cuda", "weights": "elsewhere"}.items():
        assert crop_fingerprint(PLAIN.model_copy(update={key: value}), DETECTOR) == plain, key
    assert build_detector(PLAIN).fingerprint == DETECTOR
    for name, value in {"RIGHT_EYE": (0.3, 0.36), "LEFT_EYE": (0.7, 0.36), "CROPPING": 1000}.items():
        with monkeypatch.context() as changed:
            changed.setattr(fingerprint, name, value)
            assert crop_fingerprint(PLAIN, DETECTOR) != plain, name
