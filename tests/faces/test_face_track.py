"""The detector in these tests finds white rectangles, so each image decides what it sees."""

from itertools import islice

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.faces.detectors import build_detector
from clef.faces.face_track import (
    SeveralFacesError,
    find_all_faces,
    find_single_faces,
    track_face,
    track_people,
    track_person,
)
from clef.params.schema import CropParams
from clef.recordings.frames import Frame
from clef.recordings.video import read_video
from tests.faces.rectangles import SIZE, RectangleDetector, draw

LETTERS = {"detected": "d", "tracked": "t", "bridged": "b", "no_face": ".", "undecodable": "x"}


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
    for item in found:
        assert (item.face is None) == (item.status in ("no_face", "undecodable"))
        assert item.status != "tracked" or item.faces is None
    return "".join(LETTERS[item.status] for item in found), found


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


@pytest.mark.parametrize(
    ("frames", "every", "batch", "calls"),
    [
        (101, 5, 50, [21, 12]),
        (101, 5, 8, [8, 12, 8, 5]),
        (40, 1, 16, [16, 12, 16, 8]),
    ],  # the first face is turned in cuts
)
def test_only_every_nth_frame_is_detected_in_batches(frames, every, batch, calls):
    detector = RectangleDetector()
    track("F" * frames, detector, every=every, batch=batch)
    assert detector.calls == calls


@pytest.mark.parametrize(("rule", "left"), [("largest", 5), ("central", 90)])
def test_the_largest_or_the_most_central_face_of_a_single_image(rule, left):
    frames = [Frame(0, image) for image in (draw((5, 30), (90, 18)), draw((150, SIZE)), None, draw())]
    settings = CropParams(detector="none", face=rule)
    several, one, broken, none = find_single_faces(frames, RectangleDetector(), settings)
    assert (several.face.box[0], several.faces) == (left, 2)
    assert (one.face.box[0], one.faces) == (150, 1)
    assert (broken.status, none.status, none.faces) == ("undecodable", "no_face", 0)


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


def follow(images, detector=None, **settings):
    """Follow the chosen person through images that show several faces at once."""
    frames = [Frame(number, image) for number, image in enumerate(images)]
    settings = CropParams(detector="none", **settings)
    with pytest.raises(SeveralFacesError) as several:
        list(track_face(iter(frames), detector or RectangleDetector(), settings))
    found = list(track_person(iter(frames), several.value.tracks, settings))
    assert [item.frame.number for item in found] == list(range(len(frames)))
    return "".join(LETTERS[item.status] for item in found), found


def lefts(found):
    return [item.face.box[0] for item in found if item.face]


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize(("rule", "left"), [("largest", 20), ("central", 110)])
def test_the_same_person_is_followed_while_sizes_cross(rule, left, every, batch):
    images = [draw((20, 32 - n), (110, 10 + n)) for n in range(21)]
    assert images[0].shape[1] / 2 == 100
    statuses, found = follow(images, face=rule, every=every, batch=batch)
    assert lefts(found) == [left] * 21
    assert statuses == ("d" * 21 if every == 1 else "dttttdttttdttttdttttd")
    assert {item.faces for item in found if item.status == "detected"} == {2}


@pytest.mark.parametrize("every", [1, 5])
def test_the_other_person_does_not_step_in_for_one_who_leaves(every):
    images = [draw((20, 30), (120, SIZE)) if n < 12 else draw((120, SIZE)) for n in range(21)]
    statuses, found = follow(images, every=every)
    assert statuses == ("d" * 12 if every == 1 else "dttttdttttdd") + "." * 9
    assert lefts(found) == [20] * 12


@pytest.mark.parametrize("every", [1, 5])
def test_a_person_is_followed_across_a_gap_of_any_length(every):
    images = [draw((20, 30), (120, 12)) if n < 4 or n > 40 else draw((120, 12)) for n in range(50)]
    statuses, found = follow(images, every=every, bridge=12)
    assert statuses[4:41] == "." * 37
    assert lefts(found) == [20] * 13


def test_a_fragment_elsewhere_is_the_person_unless_it_continues_someone_else():
    both, other, neither = draw((5, 30), (150, SIZE)), draw((150, SIZE)), draw()
    moved, moved_other = draw((70, 30), (150, SIZE)), draw((120, SIZE))
    images = [both] * 10 + [other] * 3 + [moved] * 4 + [neither] * 2 + [moved_other] * 5
    statuses, found = follow(images, bridge=2)
    assert lefts(found) == [5] * 10 + [70] * 4
    assert statuses == "d" * 10 + "..." + "dddd" + "." * 7


def test_two_people_whose_paths_cross_are_told_apart():
    images = [draw((10 + 4 * n, 24, 2), (170 - 4 * n, SIZE, 34)) for n in range(40)]
    _, found = follow(images, every=2)
    assert [item.face.box[:2] for item in found] == [(10 + 4 * n, 2) for n in range(40)]


PERSON, OTHER = (20, 30), (120, SIZE)
SHOWN = {"P": draw(PERSON), "O": draw(OTHER), "B": draw(PERSON, OTHER), ".": draw(), "x": None}


@given(
    text=st.text("PPPOOBBB.x", min_size=1, max_size=40),
    every=st.integers(1, 6),
    bridge=st.integers(0, 6),
    smooth=st.sampled_from([0, 1.5]),
)
def test_one_person_is_followed_whatever_the_batch_size(text, every, bridge, smooth):
    images = [draw(PERSON, OTHER), *(SHOWN[letter] for letter in text)]
    results = [follow(images, every=every, bridge=bridge, smooth=smooth, batch=batch) for batch in (1, 5, 16)]
    assert len({statuses for statuses, _ in results}) == 1
    statuses, found = results[0]
    assert len({round(left) for left in lefts(found)}) == 1
    assert [status == "x" for status in statuses] == [image is None for image in images]
    if every == 1:
        letter = "P" if lefts(found)[0] < 100 else "O"
        assert [status == "d" for status in statuses[1:]] == [shown in (letter, "B") for shown in text]


def test_one_of_two_real_people_is_followed(testdata):
    """The person on the left is large at first and then small; the one on the right grows."""
    images = []
    for number, frame in enumerate(islice(read_video(testdata / "WolfgangLanger_Pexels.mp4"), 40)):
        image = np.zeros((360, 1280, 3), np.uint8)
        for left, scale in ((0, 1 - number / 80), (640, 0.4 + number / 80)):
            small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            image[: small.shape[0], left : left + small.shape[1]] = small
        images.append(image)
    detector = build_detector(CropParams())
    first, last = (max(faces, key=lambda face: face.area) for faces in detector.detect([images[0], images[-1]]))
    assert first.centre[0] < 640 < last.centre[0]
    statuses, found = follow(images, detector, every=3)
    assert statuses.count("d") == 14
    assert statuses.count("t") == 26
    assert all(item.face.centre[0] < 640 for item in found)


@pytest.mark.parametrize("rule", ["largest", "central"])
def test_all_people_are_tracked_as_each_alone(rule):
    images = [draw((10 + n, 30), (90, SIZE), (150 - n, 25)) if n % 7 < 5 else draw((90, SIZE)) for n in range(20)]
    frames = [Frame(n, image) for n, image in enumerate(images)]
    settings = CropParams(detector="none", face=rule, every=3, smooth=2.0, bridge=4)
    with pytest.raises(SeveralFacesError) as several:
        list(track_face(frames, RectangleDetector(), settings))
    tracks = several.value.tracks
    found = list(track_people(iter(frames), tracks, settings))
    assert [items[0].frame.number for items in found] == list(range(20))
    assert {len(items) for items in found} == {3}
    main = list(track_person(frames, tracks, settings))
    assert [(items[0].status, items[0].face and items[0].face.box) for items in found] == [
        (item.status, item.face and item.face.box) for item in main
    ]


@pytest.mark.parametrize(("rule", "order"), [("largest", [5, 90, 150]), ("central", [90, 150, 5])])
def test_all_faces_of_single_images_in_order_of_the_rule(rule, order):
    frames = [Frame(0, image) for image in (draw((5, 30), (90, 24), (150, SIZE)), None, draw())]
    three, broken, none = find_all_faces(frames, RectangleDetector(), CropParams(detector="none", face=rule))
    assert [item.face.box[0] for item in three] == order
    assert {item.faces for item in three} == {3}
    assert [(len(items), items[0].status) for items in (broken, none)] == [(1, "undecodable"), (1, "no_face")]
