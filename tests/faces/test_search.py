from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest

from clef.faces import search as search_module
from clef.faces.alignment import crop_face
from clef.faces.detectors import Detector, Face, build_detector
from clef.faces.search import match_faces, search_frames
from clef.params.schema import CropParams
from clef.recordings.frames import Frame
from clef.recordings.video import read_video
from tests.faces.rectangles import SIZE, RectangleDetector, UprightDetector, draw

SETTINGS = CropParams(detector="none")


class MistakenDetector(UprightDetector):
    """Also finds rectangles that lie, with a higher score, but not in the square cuts around them."""

    def _detect(self, image):
        faces = super()._detect(image)
        if faces or image.shape[0] == image.shape[1]:
            return faces
        return [replace(face, score=0.95) for face in RectangleDetector._detect(self, image)]


class ListDetector(Detector):
    """Finds the same faces in every image."""

    fingerprint = {"name": "list", "library": None, "weights": None}  # noqa: RUF012

    def __init__(self, *boxes):
        self.faces = [Face(box, 0.9 - 0.1 * index) for index, box in enumerate(boxes)]

    def detect(self, images):
        return [self.faces for _ in images]


def search(images, detector, stills=False, step=1, **settings):
    frames = [Frame(step * index, image) for index, image in enumerate(images)]
    return [item.faces for item in search_frames(frames, detector, CropParams(detector="none", **settings), stills)]


def test_frames_are_not_skipped_where_the_face_is_the_whole_image():
    assert all(search([draw()] * 7, build_detector(SETTINGS), every=5))


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ((15, 35, 60, 60), 1),  # shares two thirds
        ((30, 30, 20, 20), 1),  # inside the first
        ((0, 0, 150, 150), 1),  # around the first
        ((46, 20, 60, 60), 2),  # shares more than half
        ((80, 20, 60, 60), 2),
    ],
)
def test_parts_of_one_face_count_as_one(second, kept):
    detector = ListDetector((20, 20, 60, 60), second)
    (faces,) = search([draw()], detector)
    assert faces == detector.faces[:kept]


def test_an_annotated_face_may_lie_within_another_detection():
    detector = ListDetector((20, 20, 60, 60), (30, 30, 20, 20))
    frame = Frame(0, draw(), box=(30, 30, 20, 20))
    (found,) = search_frames([frame], detector, SETTINGS, stills=True)
    assert found.faces == detector.faces


def test_faces_match_one_to_one_the_most_similar_first():
    faces = [Face((x, 0.0, 20.0, 20.0), 0.9) for x in (0.0, 18.0, 100.0)]
    assert match_faces(faces, [faces[2], faces[1]]) == {1: 1, 2: 0}
    assert match_faces(faces[:2], [Face((19.0, 0.0, 20.0, 20.0), 0.9), Face((36.0, 0.0, 20.0, 20.0), 0.9)]) == {1: 0}
    assert match_faces(faces[:1], [Face((0.0, 0.0, 50.0, 50.0), 0.9)]) == {}


def shaded(turn):
    """A rectangle that a detector takes for an upright face, turned by quarter turns."""
    image = draw((30, SIZE, 10))
    image[20:30] //= 2
    image[20:30] += 1
    image[image == 128] = 140
    return np.rot90(image, turn)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("detector", [UprightDetector(), MistakenDetector()])
@pytest.mark.parametrize("stills", [False, True])
def test_a_turned_face_is_found_in_its_own_coordinates(turn, detector, stills):
    image = shaded(turn)
    (expected,) = RectangleDetector().detect([image])[0]
    first = {0: (30, 10), 1: (10, 170), 2: (170, 50), 3: (50, 30)}[turn]  # the corner that is at the top left upright
    for (face,) in search([image] * 3, detector, stills):
        assert face.box == pytest.approx(expected.box)
        assert face.landmarks[0] == pytest.approx(first)
        assert face.landmarks[2] == pytest.approx(expected.centre)


def real_detector(name, mosaics, testdata):
    settings = CropParams(detector=name, weights=str(testdata / "yunet_n_640_640.onnx") if name == "yunet" else None)
    detector = build_detector(settings)
    detector.prefers_mosaics = mosaics
    return detector, settings


@pytest.mark.parametrize("mosaics", [False, True])
@pytest.mark.parametrize("name", ["mtcnn", "yunet"])
def test_a_real_face_is_found_in_all_four_turns(name, mosaics, testdata):
    detector, settings = real_detector(name, mosaics, testdata)
    images = [frame.image for frame in islice(read_video(testdata / "WolfgangLanger_Pexels.mp4"), 0, 40, 10)]
    crops = []
    for turn in range(4):
        frames = [Frame(number, np.ascontiguousarray(np.rot90(image, turn))) for number, image in enumerate(images)]
        for stills in (False, True):
            found = list(search_frames(frames, detector, settings, stills))
            assert [len(item.faces) for item in found] == [1] * 4
            crops.append([crop_face(item.frame.image, item.faces[0], CropParams(size=64)) for item in found])
    for turned in crops[1:]:
        assert np.abs(np.array(turned, int) - crops[0]).mean() < 3  # upright by the eyes


@pytest.mark.parametrize("mosaics", [False, True])
@pytest.mark.parametrize("name", ["mtcnn", "yunet"])
def test_the_real_faces_of_a_group_are_found_in_all_four_turns(name, mosaics, testdata):
    detector, settings = real_detector(name, mosaics, testdata)
    image = cv2.cvtColor(cv2.imread(str(testdata / "multi_face.jpg")), cv2.COLOR_BGR2RGB)
    for turn in range(4):
        frame = Frame(0, np.ascontiguousarray(np.rot90(image, turn)))
        (found,) = search_frames([frame], detector, settings, stills=True)
        assert len(found.faces) == 5
        for face in found.faces:
            across = face.landmarks[1] - face.landmarks[0]
            angle = np.degrees(np.arctan2(across[1], across[0])) + 90 * turn
            assert abs((angle + 180) % 360 - 180) < 40
        if turn == 0:
            assert [face.box for face in found.faces] == [face.box for face in detector.detect([image])[0]]


def test_the_image_is_turned_where_no_face_is_followed():
    """Counts calls of the detector: three for an image in other turns, one for all cuts around a face."""

    def turned(images, **settings):
        detector = UprightDetector()
        found = search(images, detector, batch=100, **settings)
        return [bool(faces) for faces in found], len(detector.calls) - 1

    upright, lying, empty = shaded(0), shaded(3), draw()
    assert turned([upright] * 4) == ([True] * 4, 1)
    assert turned([upright] * 4, step=100) == ([True] * 4, 1)
    assert turned([upright] * 4 + [lying], stills=True) == ([True] * 5, 4 + 4)
    assert turned([lying] * 4) == ([True] * 4, 4 + 3)
    assert turned([upright] + [empty] * 4, bridge=2) == ([True] + [False] * 4, 1 + 2 * 3)
    assert turned([empty] * 2 + [lying, upright, lying]) == ([False] * 2 + [True, True, False], 2 * 3 + 4 + 2)


def test_a_score_that_only_upright_faces_have_saves_the_search_in_cuts():
    detector = RectangleDetector()
    detector.upright_score = 0.9
    search([shaded(0)] * 3, detector, stills=True)
    assert detector.calls == [3]


@pytest.mark.parametrize(("box", "first"), [(None, (30, 10)), ((150, 30, 20, 20), (170, 50))])
def test_an_image_is_turned_for_its_annotated_face(box, first):
    frame = Frame(0, np.hstack([shaded(0)[:, :100], shaded(2)[:, 100:]]), box=box)
    (found,) = search_frames([frame], UprightDetector(), SETTINGS, stills=True)
    (face,) = found.faces
    assert face.landmarks[0] == pytest.approx(first)


class CountingDetector(ListDetector):
    """Finds nothing, and remembers how many images each call had."""

    finds_landmarks = False

    def __init__(self):
        self.calls = []

    def detect(self, images):
        self.calls.append(len(images))
        return [[] for _ in images]


@pytest.mark.parametrize(("largest", "calls"), [(2**28, [4, 4, 2]), (10 * 100, [2, 2, 2, 2, 2])])
def test_calls_of_the_detector_are_full_though_frames_are_skipped(monkeypatch, largest, calls):
    monkeypatch.setattr(search_module, "LARGEST_GROUP", largest)
    images = [np.zeros((10, 10, 1), np.uint8) for _ in range(50)]  # 100 bytes each
    frames = [Frame(number, image) for number, image in enumerate(images)]
    detector = CountingDetector()
    found = list(search_frames(frames, detector, CropParams(every=5, batch=4)))
    assert [item.frame.number for item in found] == list(range(50))
    assert [item.frame.number for item in found if item.faces is not None] == [*range(0, 50, 5), 49]
    assert detector.calls == [*calls, 1]  # the last frame, too
