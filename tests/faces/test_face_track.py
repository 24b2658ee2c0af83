"""The detector here finds white rectangles: pictures tell it what to see, and it counts its calls."""

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clef.faces.detectors import Detector, Face
from clef.faces.face_track import interpolate, same_face, track
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

SIZE = 20


class RectangleDetector(Detector):
    """Finds white rectangles that do not touch; draws none where the picture has none."""

    def __init__(self):
        self.calls = []

    @property
    def fingerprint(self):
        return {"name": "rectangles", "library": None, "weights": None}

    def detect(self, images):
        self.calls.append(len(images))
        return [self._detect(image) for image in images]

    def _detect(self, image):
        import cv2

        count, _, stats, _ = cv2.connectedComponentsWithStats(image[..., 0])
        faces = []
        for x, y, width, height, _ in stats[1:count]:
            corners = np.array(
                [
                    (x, y),
                    (x + width, y),
                    (x + width / 2, y + height / 2),
                    (x, y + height),
                    (x + width, y + height),
                ]
            )
            faces.append(Face((float(x), float(y), float(width), float(height)), 0.9, corners.astype(float)))
        return faces


def picture(*places):
    image = np.zeros((60, 200, 3), np.uint8)
    for x, side in places:
        image[20 : 20 + side, x : x + side] = 255
    return image


def film(text, start=0):
    """A frame a letter: `F` a face that moves a pixel a frame, `J` one far away, `.` none, `x` broken."""
    frames = []
    for index, letter in enumerate(text):
        image = {"F": picture((10 + index, SIZE)), "J": picture((150, SIZE)), ".": picture(), "x": None}[letter]
        frames.append(Frame(start + index, image, "broken" if image is None else None))
    return frames


def run(text, detector=None, start=0, **others):
    found = list(track(film(text, start), detector or RectangleDetector(), CropParams(detector="none", **others)))
    assert [item.frame.number for item in found] == list(range(start, start + len(text)))
    letters = {"detected": "d", "tracked": "t", "bridged": "b", "no_face": ".", "undecodable": "x"}
    for item in found:
        assert (item.face is None) == (item.status in ("no_face", "undecodable"))
    return "".join(letters[item.status] for item in found), found


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize(
    ("shown", "every", "bridge", "expected"),
    [
        ("FFFFFF", 1, 0, "dddddd"),
        ("FFFFFFFFFFF", 5, 0, "dttttdttttd"),
        ("FFFFFFFF", 5, 0, "dttttdtd"),  # the last frame is looked at too
        ("F..FF", 1, 2, "dbbdd"),
        ("F...FF", 1, 2, "d...dd"),  # one too long
        ("F..FF", 1, 0, "d..dd"),
        ("..F..", 1, 12, "..d.."),  # no end to bridge to
        ("F..J", 1, 12, "d..d"),  # another face
        ("FxF", 1, 0, "dxd"),
        ("Fx.F", 1, 2, "dxbd"),
        ("xxFFx", 1, 2, "xxddx"),
        ("FFFF...", 5, 0, "dddd..."),  # where the face goes, every frame is looked at
        ("FFFFFFF....", 5, 0, "dttttdd...."),
        ("....FFFFFFF", 5, 0, "....ddttttd"),
        ("...........", 5, 0, "..........."),
        ("FFFFFJJJJJJ", 5, 0, "dttttdttttd".replace("dttttd", "dddddd", 1)),
        ("FFxFFFFFFFF", 5, 0, "dtxttdttttd"),
        ("xFFFFFFFFFF", 5, 0, "xdttttdtttd"),  # a broken frame hands its turn on
        ("FFFFFxFFFFF", 5, 0, "dttttxdtttd"),
        ("xxxx", 5, 3, "xxxx"),
        ("F", 5, 3, "d"),
        ("", 5, 3, ""),
    ],
)
def test_what_becomes_of_each_frame(shown, every, bridge, expected, batch):
    found, _ = run(shown, every=every, bridge=bridge, batch=batch)
    assert found == expected


def test_boxes_between_lie_on_the_straight_way():
    _, found = run("F....F" + "F" * 5, every=5, bridge=12, start=1)
    assert [item.face.box[0] for item in found] == pytest.approx(range(10, 21))
    for item in found:
        assert item.face.landmarks[0] == pytest.approx([item.face.box[0], 20])
        assert item.face.landmarks[4] == pytest.approx([item.face.box[0] + SIZE, 20 + SIZE])
        assert item.face.box[2:] == pytest.approx((SIZE, SIZE))


def test_how_many_faces_were_seen_is_told_only_where_it_was_looked():
    _, found = run("FFFFF.", every=3, bridge=0)
    assert [item.faces for item in found] == [1, None, None, 1, 1, 0]


def test_only_every_nth_frame_costs_a_detection():
    detector = RectangleDetector()
    run("F" * 101, detector, every=5, batch=50)
    assert sum(detector.calls) == 21
    assert len(detector.calls) == 3


def test_frames_are_looked_at_in_batches():
    detector = RectangleDetector()
    run("F" * 40, detector, every=1, batch=16)
    assert detector.calls == [16, 16, 8]


def test_the_largest_or_the_most_central_face():
    frames = [Frame(0, picture((5, 30), (90, 18)))]
    for rule, left in [("largest", 5), ("central", 90)]:
        (item,) = track(frames, RectangleDetector(), CropParams(detector="none", face=rule))
        assert item.face.box[0] == left
        assert item.faces == 2


def test_smoothing_steadies_a_trembling_box_and_leaves_its_way():
    rng = np.random.default_rng(0)
    places = 60 + rng.integers(-3, 4, 200)
    frames = [Frame(n, picture((int(x), SIZE))) for n, x in enumerate(places)]
    found = list(track(frames, RectangleDetector(), CropParams(detector="none", smooth=3)))
    steadied = np.array([item.face.box[0] for item in found])
    assert [item.frame.number for item in found] == list(range(200))
    assert np.diff(steadied).std() < np.diff(places).std() / 5
    weights = np.exp(-0.5 * (np.arange(-9, 10) / 3) ** 2)
    expected = np.convolve(places, weights / weights.sum(), "valid")
    assert steadied[9:-9] == pytest.approx(expected)
    assert [item.face.landmarks[0, 0] for item in found] == pytest.approx(steadied)


def test_smoothing_stops_at_gaps_and_jumps():
    _, plain = run("FFFF..JJJJ", bridge=0)
    _, found = run("FFFF..JJJJ", bridge=0, smooth=2)
    assert [item.face.box[0] for item in found[6:]] == pytest.approx([150] * 4)
    assert max(item.face.box[0] for item in found[:4]) <= plain[3].face.box[0] + 1e-9
    _, jumping = run("FFFFJJJJ", bridge=0, smooth=2)
    assert [item.face.box[0] for item in jumping[4:]] == pytest.approx([150] * 4)


@settings(deadline=None)
@given(
    text=st.text("FFFF.Jx", max_size=40),
    every=st.integers(1, 7),
    bridge=st.integers(0, 6),
    batch=st.integers(1, 9),
    smooth=st.sampled_from([0, 1.5]),
)
def test_every_frame_comes_once_in_order_and_batches_change_nothing(text, every, bridge, batch, smooth):
    statuses, found = run(text, every=every, bridge=bridge, batch=batch, smooth=smooth)
    again, other = run(text, every=every, bridge=bridge, batch=16, smooth=smooth)
    assert statuses == again
    assert [item.face and item.face.box for item in found] == [item.face and item.face.box for item in other]
    assert [letter == "x" for letter in statuses] == [letter == "x" for letter in text]
    if every == 1:
        shown = [letter in "FJ" for letter in text]
        assert [status == "d" for status in statuses] == shown


def test_frames_go_through_without_piling_up():
    pictures = []

    def frames():
        for index in range(500):
            image = picture((60, SIZE)) if index % 50 < 45 else picture()
            pictures.append(weakref.ref(image))
            yield Frame(index, image)

    settings = CropParams(detector="none", every=5, smooth=2)
    alive = [sum(image() is not None for image in pictures) for _ in track(frames(), RectangleDetector(), settings)]
    assert len(alive) == 500
    assert max(alive) <= 2 * 16 + 12 + 5 + 2 * 6 + 5  # read ahead, bridge, every, smoothing


def test_same_face_needs_nearness_and_a_like_size():
    face = Face((0, 0, 20, 20), 1.0)
    assert same_face(face, Face((15, 5, 25, 25), 1.0))
    assert not same_face(face, Face((25, 0, 20, 20), 1.0))
    assert not same_face(face, Face((0, 0, 45, 45), 1.0))
    assert not same_face(face, Face((0, 0, 0, 0), 1.0))


def test_interpolation_keeps_landmarks_only_where_both_have_them():
    one = Face((0, 0, 10, 10), 0.9, np.zeros((5, 2)))
    other = Face((10, 20, 20, 30), 0.8, np.ones((5, 2)))
    assert interpolate(one, other, 0.25).box == (2.5, 5.0, 12.5, 15.0)
    assert interpolate(one, other, 0.25).landmarks == pytest.approx(np.full((5, 2), 0.25))
    assert interpolate(one, Face(other.box, 1.0), 0.5).landmarks is None
