from concurrent.futures import ThreadPoolExecutor

import numpy as np

from clef.faces.detectors import Detector, Face, threaded
from clef.faces.detectors.threaded import ThreadedDetector
from clef.params.schema import CropParams


def test_a_detector_on_a_gpu_gets_whole_batches(monkeypatch):
    class OnGpu(Detector):
        uses_gpu = True
        fingerprint = {"name": "gpu"}  # noqa: RUF012

        def detect(self, images):
            return [[Face((0.0, 0.0, len(images), 1.0), 1.0)] for _ in images]

    monkeypatch.setattr(threaded, "build_detector", lambda settings: OnGpu())
    with ThreadPoolExecutor(4) as pool:
        found = ThreadedDetector(CropParams(), pool, 4).detect([np.zeros((2, 2, 3), np.uint8)] * 8)
    assert {face.box[2] for (face,) in found} == {8}


def test_what_a_detector_says_of_itself_is_true_of_several(monkeypatch):
    class Other(Detector):
        finds_landmarks, upright_score, prefers_mosaics, skips_frames = False, 0.5, True, False
        fingerprint = {"name": "other"}  # noqa: RUF012

        def detect(self, images):
            return [[] for _ in images]

    monkeypatch.setattr(threaded, "build_detector", lambda settings: Other())
    with ThreadPoolExecutor(2) as pool:
        several = ThreadedDetector(CropParams(detector="none"), pool, 2)
    said = {name for name, value in vars(Detector).items() if name[0] != "_" and not callable(value)}
    for name in said - {"is_thread_safe", "uses_gpu"}:  # these are about its parts
        assert getattr(Other, name) != getattr(Detector, name)
        assert getattr(several, name) == getattr(Other, name)
    assert several.fingerprint == Other.fingerprint
