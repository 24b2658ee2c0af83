import cv2
import numpy as np
import pytest

from clef.faces.detectors import build_detector
from clef.params.schema import CropParams
from clef.recordings.video import read_video


@pytest.fixture(scope="module")
def detector():
    return build_detector(CropParams(detector="lbp"))


@pytest.fixture(scope="module")
def face_picture():
    """An astronaut's face, which scikit-image ships: it fills a fifth of the picture's side."""
    import skimage.data

    return skimage.data.astronaut()


def overlap(one, other):
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[0] + one[2], other[0] + other[2]), min(one[1] + one[3], other[1] + other[3])
    shared = max(0, right - left) * max(0, bottom - top)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def test_a_face_is_found_where_it_is_at_every_size_of_the_picture(detector, face_picture):
    # the eyes lie at about (207, 110) and (244, 107)
    part = np.ascontiguousarray(face_picture[20:220, 120:320])
    for factor in (0.8, 1, 2.5):
        image = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        ((face,),) = detector.detect([image])
        left, top, width, height = np.array(face.box) / factor
        assert left < 207 - 120 < left + width / 2 < 244 - 120 < left + width
        assert top < 108 - 20 < top + height / 2
        assert 60 < width < 130
        assert face.landmarks is None
        assert 0.7 <= face.score < 1


def test_noise_and_an_empty_picture_show_no_face(detector):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert detector.detect([noise, np.zeros((240, 320, 3), np.uint8), np.zeros((5, 400, 3), np.uint8)]) == [
        [],
        [],
        [],
    ]
    assert detector.detect([]) == []


def test_the_score_follows_how_many_windows_agree(face_picture):
    part = np.ascontiguousarray(face_picture[20:220, 120:320])
    ((lenient, *_),) = build_detector(CropParams(detector="lbp", score=0)).detect([part])
    strict = build_detector(CropParams(detector="lbp", score=1)).detect([part])
    assert strict == [[]]
    windows = 2 * lenient.score / (1 - lenient.score)
    assert windows == pytest.approx(round(windows))


def test_frames_of_real_film(detector, testdata):
    images = [image for number, image, _ in read_video(testdata / "face_noface.mov") if number % 8 == 0]
    found = [len(faces) for faces in detector.detect(images)]
    assert found == [1] * 9 + [0] * 13


def test_it_needs_no_weights(detector):
    assert detector.fingerprint["weights"] is None
    assert detector.fingerprint["library"].startswith("scikit-image ")
