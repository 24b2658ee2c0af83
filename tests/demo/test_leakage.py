"""Only the face may reveal the activity: not the room, the light, the head's movements or the file."""

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

from clef.demo.clip import draw_frames, plan_clips
from clef.demo.head_shape import CENTRE
from clef.params.schema import RenderParams

PEOPLE, ACTIVITIES = 12, 6
CHANCE = 1 / ACTIVITIES
PERSON, ACTIVITY = (index.ravel() for index in np.mgrid[:PEOPLE, :ACTIVITIES])
CLIPS = plan_clips(RenderParams(subjects=PEOPLE, activities=ACTIVITIES, seconds=(3.0, 4.0)))


@pytest.fixture(scope="module")
def performances():
    return [clip.perform() for clip in CLIPS]


@pytest.fixture(scope="module")
def rooms(performances) -> np.ndarray:
    """Mean colour around the masked face and its deviation over six frames of each clip, (clip, 12, 12, 4)."""
    rooms = []
    for clip, performance in zip(CLIPS, performances, strict=True):
        frames = np.stack([*draw_frames(clip, performance, range(5, 75, 13))]).astype(np.float32)
        face = (int(CENTRE[0] + clip.actor.identity.frame_x), int(CENTRE[1] + clip.actor.identity.frame_y))
        visible = cv2.ellipse(np.ones((320, 320), np.float32), face, (90, 118), 0, 0, 360, 0.0, -1)
        flicker = cell_means(frames.std(axis=0), visible).mean(axis=-1, keepdims=True)
        rooms.append(np.concatenate([cell_means(frames.mean(axis=0), visible), flicker], axis=-1))
    return np.stack(rooms)


def cell_means(image: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Mean of the visible pixels in each of 12 x 12 cells, or 0 if fewer than 30 % are visible."""
    share = cv2.resize(visible, (12, 12), interpolation=cv2.INTER_AREA)[..., None]
    total = cv2.resize(image * visible[..., None], (12, 12), interpolation=cv2.INTER_AREA)
    return np.where(share > 0.3, total / np.maximum(share, 1e-6), 0)


PROBES = {
    "linear": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "trees": ExtraTreesClassifier(100, random_state=0),
}
SIGNIFICANT = 0.5 + norm.isf(0.001) * np.sqrt((12 + 60 + 1) / (12 * 12 * 60))
"""AUC of 12 clips among 72 that chance exceeds once in a thousand (Mann-Whitney's normal approximation)."""


def probe_rooms(rooms: np.ndarray, probe: str) -> np.ndarray:
    """AUC of each activity against all others, (activity,), cross-validated over people."""
    # Logarithms, because brightness changes by a factor, relative to the person's other clips.
    features = np.log1p(rooms).reshape(len(rooms), -1)
    features -= np.stack([features[person == PERSON].mean(axis=0) for person in range(PEOPLE)])[PERSON]
    folds = {"groups": PERSON, "cv": GroupKFold(6), "method": "predict_proba"}
    scores = cross_val_predict(PROBES[probe], features, ACTIVITY, **folds)
    return np.array([roc_auc_score(activity == ACTIVITY, scores[:, activity]) for activity in range(ACTIVITIES)])


@pytest.mark.parametrize("probe", PROBES)
def test_a_video_with_the_face_masked_does_not_reveal_the_activity(rooms, probe):
    assert probe_rooms(rooms, probe).max() < SIGNIFICANT


@pytest.mark.parametrize(("activity", "levels", "cells"), [(3, 2.5, 12), (1, 3, 4)], ids=["room", "corner"])
def test_a_few_grey_levels_in_one_activity_would_be_found(rooms, activity, levels, cells):
    lit = rooms.copy()
    part = lit[activity == ACTIVITY, :cells, :cells, :3]
    lit[activity == ACTIVITY, :cells, :cells, :3] = part + levels * (part > 0)
    assert max(probe_rooms(lit, probe)[activity] for probe in PROBES) > SIGNIFICANT


def count_hits(features: list) -> int:
    """Number of clips whose activity a linear classifier finds, cross-validated over people."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    found = cross_val_predict(model, np.array(features), ACTIVITY, groups=PERSON, cv=GroupKFold(6))
    return int((found == ACTIVITY).sum())


def test_lengths_and_movements_do_not_reveal_the_activity(performances):
    lengths = np.array([len(performance.poses) for performance in performances])
    assert kruskal(*(lengths[activity == ACTIVITY] for activity in range(ACTIVITIES))).pvalue > 0.01
    features = []
    for performance in performances:
        course = [[p.yaw, p.pitch, p.roll, *p.shift, p.scale, p.jaw, p.blink, *p.gaze] for p in performance.poses]
        speed = np.abs(np.diff(course, axis=0)).mean(axis=0)
        features.append([*np.mean(course, axis=0), *np.std(course, axis=0), *speed])
    low, high = binom.ppf([0.005, 0.995], len(features), CHANCE)
    assert low <= count_hits(features) <= high


def test_action_units_reveal_the_activity(performances):
    features = [performance.intensity.mean(axis=0) for performance in performances]
    assert count_hits(features) > binom.ppf(0.9999, len(features), CHANCE)


def test_the_activity_alone_does_not_determine_the_action_units(performances):
    activity = np.concatenate([np.full(len(p.poses), a) for a, p in zip(ACTIVITY, performances, strict=True)])
    scores = []
    for present in np.vstack([performance.present for performance in performances]).T:
        rates = np.array([present[activity == number].mean() for number in range(ACTIVITIES)])[activity]
        guesses = [rates >= threshold for threshold in np.unique(rates)]
        scores.append(max(2 * (present & guess).sum() / (present.sum() + guess.sum()) for guess in guesses))
    assert np.mean(scores) < 0.72
