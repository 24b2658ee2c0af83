import cv2
import numpy as np
import pytest
import skimage.data

from clef.faces.detectors import build_detector
from clef.params.schema import CropParams


@pytest.fixture(scope="module")
def detector():
    return build_detector(CropParams(detector="lbp"))


@pytest.fixture(scope="module")
def astronaut():
    """200 x 200 pixels around a face whose eyes are at about (87, 90) and (124, 87)."""
    return np.ascontiguousarray(skimage.data.astronaut()[20:220, 120:320])


@pytest.mark.parametrize("factor", [0.8, 1, 2.5])
def test_a_face_is_found_at_every_image_size(detector, astronaut, factor):
    image = cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    ((face,),) = detector.detect([image])
    left, top, width, height = np.array(face.box) / factor
    assert left < 87 < left + width / 2 < 124 < left + width
    assert top < 88 < top + height / 2
    assert 60 < width < 130
    assert face.landmarks is None
    assert 0.7 <= face.score < 1


def test_noise_black_and_narrow_images_have_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    images = [noise, np.zeros((240, 320, 3), np.uint8), np.zeros((5, 400, 3), np.uint8)]
    assert detector.detect(images) == [[], [], []]
    assert detector.detect([]) == []
