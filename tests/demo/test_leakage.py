"""The activity may show in the face only: not in the room, the light, the head's movements or the file."""

import cv2
import numpy as np
import pytest
from scipy.stats import binom, kruskal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clef.demo.clip import Clip, draw_frames
from clef.demo.skull import CENTRE
from clef.params import RenderParams

SETTINGS = RenderParams(subjects=12, seconds=(3.0, 4.0))
CHANCE = 1 / 6


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [Clip(SETTINGS, subject, activity) for subject in range(12) for activity in range(6)]


def correct(features: np.ndarray, clips: list[Clip]) -> int:
    """Clips whose activity a linear classifier names, people left out in turn."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    activity = np.array([clip.activity for clip in clips])
    people = np.array([clip.subject for clip in clips])
    return int((cross_val_predict(model, features, activity, groups=people, cv=GroupKFold(6)) == activity).sum())


def at_chance(hits: int, clips: list[Clip]) -> bool:
    return binom.ppf(0.005, len(clips), CHANCE) <= hits <= binom.ppf(0.995, len(clips), CHANCE)


@pytest.fixture(scope="module")
def rooms(clips) -> np.ndarray:
    """What is around the face of each clip, small, relative to the mean of its person, (clip, pixel)."""
    features = []
    for clip in clips:
        performance = clip.perform()
        frames = []
        for frame in draw_frames(clip, performance, [5, len(performance.poses) // 2]):
            masked = frame.copy()
            centre = (
                int(CENTRE[0] + clip.actor.identity.frame_x),
                int(CENTRE[1] + clip.actor.identity.frame_y),
            )
            cv2.ellipse(masked, centre, (90, 118), 0, 0, 360, (128, 128, 128), -1)
            frames.append(cv2.resize(masked, (12, 12), interpolation=cv2.INTER_AREA))
        features.append(np.mean(frames, axis=0).ravel())
    people = np.array([clip.subject for clip in clips])
    rooms = np.array(features)
    return rooms - np.stack([rooms[people == person].mean(axis=0) for person in range(12)])[people]


def test_activity_cannot_be_told_with_the_face_masked(clips, rooms):
    assert at_chance(correct(rooms, clips), clips)


def test_a_lamp_that_knew_the_activity_would_be_noticed(clips, rooms):
    """The test above sees a leak of a few grey levels in a corner of the room."""
    lamp = np.zeros((12, 12, 3))
    lamp[:4, :4] = 4.0
    activity = np.array([clip.activity for clip in clips])
    assert not at_chance(correct(rooms + activity[:, None] * lamp.ravel(), clips), clips)


def test_lengths_are_alike_in_all_activities(clips):
    lengths = [[len(clip.perform().poses) for clip in clips if clip.activity == number] for number in range(6)]
    assert kruskal(*lengths).pvalue > 0.01


def test_activity_cannot_be_told_from_movement(clips):
    features = []
    for clip in clips:
        poses = clip.perform().poses
        course = np.array([[p.yaw, p.pitch, p.roll, *p.shift, p.scale, p.jaw, p.blink, *p.gaze] for p in poses])
        speed = np.abs(np.diff(course, axis=0)).mean(axis=0)
        features.append([*course.mean(axis=0), *course.std(axis=0), *speed])
    assert at_chance(correct(np.array(features), clips), clips)


def test_activity_can_be_told_from_action_units(clips):
    features = np.array([clip.perform().intensity.mean(axis=0) for clip in clips])
    assert correct(features, clips) > binom.ppf(0.9999, len(clips), CHANCE)


def test_a_reader_of_the_face_beats_a_reader_of_the_activity(clips):
    """Knowing only the activity must leave most of what there is to know about the action units."""
    performances = [clip.perform() for clip in clips]
    activity = np.concatenate([np.full(len(p.poses), c.activity) for c, p in zip(clips, performances, strict=True)])
    present = np.vstack([performance.present for performance in performances])
    scores = []
    for labels in present.T:
        rates = np.array([labels[activity == number].mean() for number in range(6)])[activity]
        guesses = [rates >= threshold for threshold in np.unique(rates)]
        scores.append(max(2 * (labels & guess).sum() / (labels.sum() + guess.sum()) for guess in guesses))
    assert np.mean(scores) < 0.65
