import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.params.schema import CropParams
from clef.recordings.frames import read_frames


@pytest.fixture(scope="module")
def settings(testdata):
    return CropParams(detector="yunet", weights=str(testdata / "yunet_n_640_640.onnx"))


@pytest.fixture(scope="module")
def several(testdata):
    return cv2.cvtColor(cv2.imread(str(testdata / "multi_face.jpg")), cv2.COLOR_BGR2RGB)


def test_boxes_and_landmarks_come_in_source_pixels(settings, several):
    large, small = (
        build_detector(settings.model_copy(update={"detect_size": size})).detect([several])[0] for size in (1000, 480)
    )
    assert len(large) == len(small) == 5
    for face in large:
        other = min(small, key=lambda candidate: np.linalg.norm(candidate.centre - face.centre))
        assert other.box == pytest.approx(face.box, abs=0.2 * face.box[2])
        assert np.abs(other.landmarks - face.landmarks).max() < 0.1 * face.box[2]


def test_the_first_landmark_is_the_persons_right_eye(settings, several):
    for face in build_detector(settings).detect([several])[0]:
        right, left, nose, right_corner, left_corner = face.landmarks
        assert right[0] < left[0]
        assert right_corner[0] < left_corner[0]
        assert max(right[1], left[1]) < nose[1] < min(right_corner[1], left_corner[1])


def test_a_batch_of_unequal_pictures_is_judged_one_by_one(settings, several):
    images = [several, np.zeros((50, 90, 3), np.uint8), np.ascontiguousarray(several[:, 400:])]
    detector = build_detector(settings)
    together = detector.detect(images)
    assert [len(faces) for faces in together] == [5, 0, 3]
    alone = [build_detector(settings).detect([image])[0] for image in images]
    assert [[face.box for face in faces] for faces in together] == [[face.box for face in faces] for faces in alone]


def test_colours_are_taken_as_red_green_blue(settings, testdata, sequence):
    frame = next(read_frames(testdata, sequence("WolfgangLanger_Pexels.mp4")))
    detector = build_detector(settings)
    right, swapped = (faces[0].score for faces in detector.detect([frame.image, frame.image[..., ::-1]]))
    network = cv2.FaceDetectorYN.create(settings.weights, "", (640, 360), 0.7)
    _, expected = network.detect(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    assert right == pytest.approx(expected[0, 14], abs=1e-6)
    assert right != swapped


def test_the_score_is_a_threshold(settings, several):
    scores = [face.score for face in build_detector(settings).detect([several])[0]]
    assert scores == sorted(scores, reverse=True)
    strict = settings.model_copy(update={"score": (scores[1] + scores[2]) / 2})
    assert len(build_detector(strict).detect([several])[0]) == 2


def test_the_weights_are_in_the_fingerprint(settings):
    import hashlib
    from pathlib import Path

    expected = hashlib.sha256(Path(settings.weights).read_bytes()).hexdigest()
    assert build_detector(settings).fingerprint["weights"] == expected


def test_missing_and_broken_weights_are_named(tmp_path):
    with pytest.raises(
        ClefError, match=r"no file .*x\.onnx; run `clef fetch-weights yunet --to .*`, or get face_.*github"
    ):
        build_detector(CropParams(detector="yunet", weights=str(tmp_path / "x.onnx")))
    (tmp_path / "y.onnx").write_bytes(b"no network")
    with pytest.raises(ClefError, match=r"y\.onnx does not fit.*expected face_detection_yunet"):
        build_detector(CropParams(detector="yunet", weights=str(tmp_path / "y.onnx")))
