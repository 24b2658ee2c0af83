import cv2
import pytest

from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.params.schema import CropParams
from clef.recordings.video import read_video


@pytest.fixture(scope="module")
def settings(testdata):
    return CropParams(detector="yunet", weights=str(testdata / "yunet_n_640_640.onnx"))


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
