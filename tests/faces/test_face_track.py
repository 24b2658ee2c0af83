"""The detector in these tests finds white rectangles, so each image decides what it sees."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.faces.detectors import Detector, Face
from clef.faces.face_track import track_face
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

SIZE = 20


class RectangleDetector(Detector):
    """Finds white rectangles that do not touch, and records the batch sizes of its calls."""

    fingerprint = {"name": "rectangles", "library": None, "weights": None}  # noqa: RUF012

    def __init__(self):
        self.calls = []

    def detect(self, images):
        self.calls.append(len(images))
        return [self._detect(image) for image in images]

    def _detect(self, image):
        count, _, stats, _ = cv2.connectedComponentsWithStats(image[..., 0])
        corners = np.array([(0, 0), (1, 0), (0.5, 0.5), (0, 1), (1, 1)])
        return [
            Face((float(x), float(y), float(width), float(height)), 0.9, corners * (width, height) + (x, y))
            for x, y, width, height, _ in stats[1:count]
        ]


def draw(*rectangles):
    """An image with rectangles of the given left edges and sides."""
    image = np.zeros((60, 200, 3), np.uint8)
    for x, side in rectangles:
        image[20 : 20 + side, x : x + side] = 255
    return image


def track(text, detector=None, start=0, **settings):
    """Track a face through one frame per letter.

    `F` is a face that moves a pixel per frame, `J` one far away, `.` none, `x` a broken frame. Returns one letter per
    status, and the tracked frames.
    """
    images = {"J": draw((150, SIZE)), ".": draw(), "x": None}
    frames = []
    for index, letter in enumerate(text):
        image = draw((10 + index, SIZE)) if letter == "F" else images[letter]
        frames.append(Frame(start + index, image, "broken" if image is None else None))
    found = list(track_face(frames, detector or RectangleDetector(), CropParams(detector="none", **settings)))
    assert [item.frame.number for item in found] == list(range(start, start + len(text)))
    letters = {"detected": "d", "tracked": "t", "bridged": "b", "no_face": ".", "undecodable": "x"}
    for item in found:
        assert (item.face is None) == (item.status in ("no_face", "undecodable"))
        assert item.status != "tracked" or item.faces is None
    return "".join(letters[item.status] for item in found), found


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize(
    ("shown", "every", "bridge", "expected"),
    [
        ("FFFFFFFFFFF", 5, 0, "dttttdttttd"),
        ("FFFFFFFF", 5, 0, "dttttdtd"),  # the last frame is detected too
        ("F..FF", 1, 2, "dbbdd"),
        ("F...FF", 1, 2, "d...dd"),  # too long to bridge
        ("..F..", 1, 12, "..d.."),  # bridges need two ends
        ("F..J", 1, 12, "d..d"),  # another face
        ("Fx.F", 1, 2, "dxbd"),
        ("xxFFx", 1, 2, "xxddx"),
        ("FFFF...", 5, 0, "dddd..."),  # every frame is searched where the face disappears
        ("....FFFFFFF", 5, 0, "....ddttttd"),
        ("...........", 5, 0, "..........."),
        ("FFFFFJJJJJJ", 5, 0, "dddddd" + "ttttd"),
        ("FFxFFFFFFFF", 5, 0, "dtxttdttttd"),
        ("xFFFFFFFFFF", 5, 0, "xdttttdtttd"),  # the next frame is detected instead of a broken one
        ("FFFFFxFFFFF", 5, 0, "dttttxdtttd"),
        ("xxxx", 5, 3, "xxxx"),
    ],
)
def test_the_status_of_each_frame(shown, every, bridge, expected, batch):
    found, _ = track(shown, every=every, bridge=bridge, batch=batch)
    assert found == expected


def test_no_face_is_interpolated_or_smoothed_across_a_change_of_size():
    frames = [Frame(n, draw((50, SIZE)) if n < 3 else draw((50, SIZE))[:, 40:160]) for n in range(7)]
    settings = CropParams(detector="none", every=5, smooth=2.0)
    found = list(track_face(frames, RectangleDetector(), settings))
    assert [item.status for item in found] == ["detected"] * 6 + ["detected"]
    assert [item.face.box[0] for item in found] == pytest.approx([50.0] * 3 + [10.0] * 4)


def test_boxes_and_landmarks_are_interpolated_linearly():
    _, found = track("F....F" + "F" * 5, every=5, bridge=12, start=1)
    assert [item.face.box[0] for item in found] == pytest.approx(range(10, 21))
    for item in found:
        assert item.face.landmarks[0] == pytest.approx([item.face.box[0], 20])
        assert item.face.landmarks[4] == pytest.approx([item.face.box[0] + SIZE, 20 + SIZE])
        assert item.face.box[2:] == pytest.approx((SIZE, SIZE))


@pytest.mark.parametrize(("frames", "every", "batch", "calls"), [(101, 5, 50, [10, 10, 1]), (40, 1, 16, [16, 16, 8])])
def test_only_every_nth_frame_is_detected_in_batches(frames, every, batch, calls):
    detector = RectangleDetector()
    track("F" * frames, detector, every=every, batch=batch)
    assert detector.calls == calls


@pytest.mark.parametrize(("rule", "left"), [("largest", 5), ("central", 90)])
def test_the_largest_or_the_most_central_face(rule, left):
    frames = [Frame(0, draw((5, 30), (90, 18)))]
    (item,) = track_face(frames, RectangleDetector(), CropParams(detector="none", face=rule))
    assert item.face.box[0] == left
    assert item.faces == 2


def test_smoothing_is_a_gaussian_over_time():
    lefts = 60 + np.random.default_rng(0).integers(-3, 4, 200)
    frames = [Frame(n, draw((int(x), SIZE))) for n, x in enumerate(lefts)]
    found = list(track_face(frames, RectangleDetector(), CropParams(detector="none", smooth=3)))
    smoothed = np.array([item.face.box[0] for item in found])
    assert [item.frame.number for item in found] == list(range(200))
    weights = np.exp(-0.5 * (np.arange(-9, 10) / 3) ** 2)
    assert smoothed[9:-9] == pytest.approx(np.convolve(lefts, weights / weights.sum(), "valid"))
    assert [item.face.landmarks[0, 0] for item in found] == pytest.approx(smoothed)
    for text in ("FFFF..JJJJ", "FFFFJJJJ"):  # smoothing stops at gaps and jumps
        _, jumping = track(text, bridge=0, smooth=2)
        assert [item.face.box[0] for item in jumping[-4:]] == pytest.approx([150] * 4)


@given(
    text=st.text("FFFF.Jx", max_size=40),
    every=st.integers(1, 7),
    bridge=st.integers(0, 6),
    batch=st.integers(1, 9),
    smooth=st.sampled_from([0, 1.5]),
)
def test_every_frame_comes_once_in_order_and_the_batch_size_changes_nothing(text, every, bridge, batch, smooth):
    statuses, found = track(text, every=every, bridge=bridge, batch=batch, smooth=smooth)
    again, other = track(text, every=every, bridge=bridge, batch=16, smooth=smooth)
    assert statuses == again
    assert [item.face and item.face.box for item in found] == [item.face and item.face.box for item in other]
    assert [letter == "x" for letter in statuses] == [letter == "x" for letter in text]
    if every == 1:
        assert [status == "d" for status in statuses] == [letter in "FJ" for letter in text]
