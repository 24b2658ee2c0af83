import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.params.schema import CropParams
from clef.recordings.video import read_video


@pytest.fixture(scope="module")
def settings(testdata):
    return CropParams(detector="yunet", weights=str(testdata / "yunet_n_640_640.onnx"))


@pytest.fixture(scope="module")
def group(testdata):
    """An image with five faces."""
    return cv2.cvtColor(cv2.imread(str(testdata / "multi_face.jpg")), cv2.COLOR_BGR2RGB)


def test_boxes_and_landmarks_are_in_source_pixels_with_the_persons_right_eye_first(settings, group):
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


def test_images_are_taken_as_rgb(settings, testdata):
    _, image, *_ = next(read_video(testdata / "WolfgangLanger_Pexels.mp4"))
    right, swapped = (faces[0].score for faces in build_detector(settings).detect([image, image[..., ::-1]]))
    network = cv2.FaceDetectorYN.create(settings.weights, "", (640, 360), 0.7)
    _, expected = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert right == pytest.approx(expected[0, 14], abs=1e-6)
    assert right != swapped


def test_missing_and_broken_weights_are_named(tmp_path):
    missing = r"no file .*x\.onnx; run `clef fetch-weights yunet --to .*`, or get face_.*github"
    with pytest.raises(ClefError, match=missing):
        build_detector(CropParams(detector="yunet", weights=str(tmp_path / "x.onnx")))
    (tmp_path / "y.onnx").write_bytes(b"no network")
    with pytest.raises(ClefError, match=r"y\.onnx does not fit.*expected face_detection_yunet"):
        build_detector(CropParams(detector="yunet", weights=str(tmp_path / "y.onnx")))
