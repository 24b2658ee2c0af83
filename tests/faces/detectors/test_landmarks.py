import cv2
import numpy as np
import pytest

from clef.faces.detectors import build_detector
from clef.params.schema import CropParams


@pytest.fixture
def settings(testdata):
    return CropParams(weights=str(testdata / "yunet_n_640_640.onnx"))


@pytest.fixture
def group(testdata):
    """An image with five faces."""
    return cv2.cvtColor(cv2.imread(str(testdata / "multi_face.jpg")), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
def test_boxes_and_landmarks_are_in_source_pixels_with_the_persons_right_eye_first(detector, settings, group):
    settings = settings.model_copy(update={"detector": detector})
    large, small = (
        build_detector(settings.model_copy(update={"detect_size": size})).detect([group])[0] for size in (1000, 480)
    )
    assert len(large) == len(small) == 5
    assert [len(faces) for faces in build_detector(settings).detect([group, np.zeros_like(group)])] == [5, 0]
    for face in large:
        other = min(small, key=lambda candidate: np.linalg.norm(candidate.centre - face.centre))
        assert other.box == pytest.approx(face.box, abs=0.2 * face.box[2])
        assert np.abs(other.landmarks - face.landmarks).max() < 0.1 * face.box[2]
        right, left, nose, right_corner, left_corner = face.landmarks
        assert right[0] < left[0]
        assert right_corner[0] < left_corner[0]
        assert max(right[1], left[1]) < nose[1] < min(right_corner[1], left_corner[1])
