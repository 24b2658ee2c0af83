import cv2
import numpy as np
import pytest
import skimage.data
from skimage.feature import Cascade

from clef.demo.behaviour import ACTION_UNITS
from clef.demo.camera import GRAIN_SHIFT, Camera
from clef.demo.clip import random_actors
from clef.demo.face_renderer import FaceRenderer
from clef.demo.hand import Hand
from clef.demo.head_shape import CENTRE
from clef.demo.pose import Pose

CROP = 72
"""Side of the crops that the demo trains on."""
PART = {1: "brows", 2: "brows", 4: "brows", 6: "eyes", 7: "eyes", 10: "mouth", 12: "mouth", 14: "mouth",
        15: "mouth", 17: "chin", 23: "mouth", 24: "mouth"}  # fmt: skip
ROWS = {"brows": (0, 30), "eyes": (20, 46), "mouth": (38, 64), "chin": (50, 72)}


@pytest.fixture(scope="module")
def faces() -> list[FaceRenderer]:
    return [FaceRenderer(actor.identity) for actor in random_actors(0, 18, 6)]


def photograph(face: FaceRenderer, pose: Pose) -> np.ndarray:
    return Camera(face.identity, 320).take(face.draw(pose, face.backdrop((0, 0), 1.0)), (0, 0))


def crop(face: FaceRenderer, pose: Pose, side: int = CROP) -> np.ndarray:
    x, y = face.placement(pose) @ [CENTRE[0], CENTRE[1] + 8, 1]
    half = 80 * face.identity.frame_scale
    frame = photograph(face, pose)[int(y - half) : int(y + half), int(x - half) : int(x + half)]
    return cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA).astype(float)


@pytest.mark.parametrize("number", ACTION_UNITS)
def test_every_action_unit_is_visible_in_a_small_crop_and_in_the_right_place(faces, number):
    top, bottom = ROWS[PART[number]]
    strong = []
    for face in faces[::2]:
        change = np.abs(crop(face, Pose(units={number: 0.6})) - crop(face, Pose())).mean(axis=2)
        energy = (change**2).sum(axis=1)
        assert energy[top:bottom].sum() > 0.7 * energy.sum()
        strong.append((change > 12).sum())
    assert np.median(strong) >= 25


def test_a_face_resembles_itself_with_another_expression_more_than_others_with_the_same(faces):
    expressions = [{}, {6: 0.8, 12: 0.9}, {1: 0.8, 4: 0.7, 15: 0.9, 17: 0.6}, {4: 0.9, 7: 0.8, 23: 0.7}]
    crops = np.stack([[crop(face, Pose(units=units), 36).ravel() for units in expressions] for face in faces])
    within = max(np.linalg.norm(person[:, None] - person, axis=-1).max() for person in crops)
    for expression in range(len(expressions)):
        between = np.linalg.norm(crops[:, None, expression] - crops[None, :, expression], axis=-1)
        between[np.eye(len(faces), dtype=bool)] = np.inf
        assert within < between.min()


def test_an_ordinary_detector_finds_faces_and_only_faces(faces):
    cascade = Cascade(skimage.data.lbp_frontal_face_cascade_filename())

    def has_face(frame: np.ndarray) -> bool:
        options = {"scale_factor": 1.2, "step_ratio": 1.2, "min_size": (90, 90), "max_size": (300, 300)}
        return bool(cascade.detect_multi_scale(frame, **options))

    poses = [
        Pose(units={6: 0.7, 12: 0.8}, yaw=0.15, shift=(5, -3)),
        Pose(units={4: 0.7, 7: 0.6, 17: 0.5}, roll=-0.08, pitch=0.06),
        Pose(units={1: 0.7, 2: 0.7}, jaw=0.5, yaw=-0.12, gaze=(0.5, 0.2), scale=1.03),
    ]
    found = np.array([[has_face(photograph(face, pose)) for pose in poses] for face in faces])
    assert found.mean() > 0.95
    assert found.mean(axis=1).min() > 0.6
    for face in faces[::3]:
        assert not has_face(photograph(face, Pose(yaw=2.4)))
        assert not has_face(Hand(face.identity).lay_over(photograph(face, Pose()), 1.0))


def test_every_camera_has_its_own_noise_which_is_white_and_its_own_tint():
    grey = np.full((320, 320, 3), 120, np.uint8)
    people = [actor.identity for actor in random_actors(0, 18, 6)]
    assert np.ptp([person.noise for person in people]) > 1
    for person in people[::3]:
        frame = Camera(person, 320).take(grey, (3, 5)).astype(float)
        assert frame.std(axis=(0, 1)) == pytest.approx(person.noise, rel=0.1)
        assert frame.mean(axis=(0, 1)) == pytest.approx(120 * np.clip(person.tint, 0, 255 / 120), abs=1)
    shifted = Camera(people[15], 320).take(grey, (17, GRAIN_SHIFT - 1))
    assert (shifted - frame).std() == pytest.approx(people[15].noise * np.sqrt(2), rel=0.1)


MOVEMENTS = {"yaw": 0.1, "pitch": 0.06, "roll": 0.05, "shift": (4.5, 0), "scale": 1.02}


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_every_movement_of_the_head_moves_the_face_but_not_the_room(faces, movement):
    moved = Pose(**{movement: MOVEMENTS[movement]})
    for face in faces[:2]:
        backdrop = face.backdrop((0, 0), 1.0)
        change = np.abs(face.draw(moved, backdrop).astype(float) - face.draw(Pose(), backdrop)).mean(axis=2)
        x, y = (int(value) for value in face.placement(Pose()) @ [*CENTRE, 1])
        assert change[y - 60 : y + 70, x - 50 : x + 50].mean() > 1.0
        assert change[:30, :30].max() == 0
