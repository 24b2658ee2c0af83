"""The activity may show in the face only: not in the room, the light, the head's movements or the file."""

from typing import NamedTuple

import cv2
import numpy as np
import pytest
from scipy.stats import binom, kruskal, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clef.demo.clip import Clip
from clef.demo.head_shape import CENTRE
from clef.demo.render import render_demo
from clef.params.schema import RenderParams
from tests.demo.decoding import decode

SETTINGS = RenderParams(subjects=12, seconds=(3.0, 4.0))
FILMED = RenderParams(subjects=12, seconds=(1.2, 1.6))
"""As short as clips may be for what happens in them; these are drawn and encoded."""
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


class Rooms(NamedTuple):
    """What is around the face of each clip: 12 x 12 cells, those with the face in them black."""

    light: np.ndarray
    """Mean over the clip, in grey levels, (clip, cell, cell, colour)."""
    flicker: np.ndarray
    """Standard deviation over the clip, (clip, cell, cell)."""


@pytest.fixture(scope="module")
def rooms(tmp_path_factory) -> Rooms:
    """Of every second frame of real videos, as H.264 left them."""
    root = tmp_path_factory.mktemp("filmed")
    render_demo(FILMED, root, workers=2)
    pairs = []
    for clip in filmed():
        frames = np.stack(decode(root / clip.video)[::2]).astype(np.float32)
        place = (int(CENTRE[0] + clip.actor.identity.frame_x), int(CENTRE[1] + clip.actor.identity.frame_y))
        around = cv2.ellipse(np.ones((320, 320), np.float32), place, (90, 118), 0, 0, 360, 0.0, -1)
        pairs.append((cells(frames.mean(axis=0), around), cells(frames.std(axis=0), around).mean(axis=-1)))
    return Rooms(*(np.stack(of_all) for of_all in zip(*pairs, strict=True)))


def filmed() -> list[Clip]:
    return [Clip(FILMED, subject, activity) for subject in range(12) for activity in range(6)]


def cells(image: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Mean of the unmasked pixels of each cell, 0 where fewer than three in ten are."""
    share = cv2.resize(around, (12, 12), interpolation=cv2.INTER_AREA)[..., None]
    summed = cv2.resize(image * around[..., None], (12, 12), interpolation=cv2.INTER_AREA)
    return np.where(share > 0.3, summed / np.maximum(share, 1e-6), 0)


PROBES = {
    "linear": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "trees": ExtraTreesClassifier(100, random_state=0),
}
NOTICED = 0.5 + norm.isf(0.001) * np.sqrt((12 + 60 + 1) / (12 * 12 * 60))
"""AUC of 12 clips among 72 that chance exceeds once in a thousand (Mann-Whitney's normal approximation)."""


def told_apart(rooms: Rooms, probe: str) -> np.ndarray:
    """AUC of each activity against all others, (activity,), people left out in turn."""
    activity = np.array([clip.activity for clip in filmed()])
    people = np.array([clip.subject for clip in filmed()])
    # Logarithms, since a brighter take is so by a factor; and what is said of a person's clips beside one another.
    features = np.hstack([np.log1p(part).reshape(len(activity), -1) for part in rooms])
    features -= np.stack([features[people == person].mean(axis=0) for person in range(12)])[people]
    folds = {"groups": people, "cv": GroupKFold(6), "method": "predict_proba"}
    scores = cross_val_predict(PROBES[probe], features, activity, **folds)
    return np.array([roc_auc_score(activity == number, scores[:, number]) for number in range(6)])


@pytest.mark.parametrize("probe", PROBES)
def test_no_activity_can_be_told_from_the_video_with_the_face_masked(rooms, probe):
    assert told_apart(rooms, probe).max() < NOTICED


def lit(rooms: Rooms, activity: int, lamp: np.ndarray) -> Rooms:
    """The rooms with a lamp on throughout the clips of one activity."""
    on = np.array([clip.activity == activity for clip in filmed()])
    visible = rooms.light > 0
    return rooms._replace(light=rooms.light + visible * on[:, None, None, None] * lamp)


@pytest.mark.parametrize(
    "activity", [pytest.param(0, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)]
)
def test_two_and_a_half_grey_levels_in_one_activity_would_be_noticed(rooms, activity):
    found = lit(rooms, activity, np.full((12, 12, 1), 2.5))
    assert max(told_apart(found, probe)[activity] for probe in PROBES) > NOTICED


def test_three_grey_levels_in_a_corner_would_be_noticed(rooms):
    corner = np.zeros((12, 12, 1))
    corner[:4, :4] = 3
    assert max(told_apart(lit(rooms, 1, corner), probe)[1] for probe in PROBES) > NOTICED


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
