import json

from clef.faces import fingerprint
from clef.faces.detectors import build_detector
from clef.faces.fingerprint import crop_fingerprint
from clef.params.schema import CropParams


def test_the_fingerprint_tells_settings_apart_and_ignores_what_only_saves_time():
    detector = {"weights": None, "name": "none", "library": None}
    plain = CropParams(detector="none")
    made = crop_fingerprint(plain, detector)
    assert list(made) == sorted(made)
    assert (made["colour"], made["filter"], made["size"]) == ("rgb", "area", 256)
    assert json.loads(json.dumps(made)) == made
    changes = {
        "every": 2,
        "bridge": 3,
        "face": "central",
        "align": "box",
        "margin": 0.5,
        "size": 64,
        "smooth": 1.0,
    }
    changes |= {"quality": 90, "score": 0.5, "detect_size": 320}
    for key, value in changes.items():
        assert crop_fingerprint(plain.model_copy(update={key: value}), detector) != made, key
    assert crop_fingerprint(plain, detector | {"weights": "00"}) != made
    for key, value in {"batch": 4, "device": "cuda", "weights": "elsewhere"}.items():
        assert crop_fingerprint(plain.model_copy(update={key: value}), detector) == made, key
    assert build_detector(plain).fingerprint == detector


def test_the_fingerprint_tells_apart_where_eyes_come_to_lie_and_what_is_cropped_anew(monkeypatch):
    made = crop_fingerprint(CropParams(), {})
    for name, value in {
        "RIGHT_EYE": (0.3, 0.36),
        "LEFT_EYE": (0.7, 0.36),
        "CROPPING": fingerprint.CROPPING + 1,
    }.items():
        with monkeypatch.context() as changed:
            changed.setattr(fingerprint, name, value)
            assert crop_fingerprint(CropParams(), {}) != made, name
