"""What one person does in one clip, frame by frame: action units, speech, blinks, movements and labels.

Each action unit follows a smooth random drive. An action unit is present while its drive exceeds the threshold that
gives the activity's rate, and its intensity grows with the excess. The drives are correlated as in real faces. All else
is drawn independently of the activity.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clef.demo.behaviour import ACTION_UNITS, CO_OCCURRENCE, RATES, UPPER_FACE
from clef.demo.pose import Pose

FPS = 25
NOT_CODED = 9
HABIT_SPREAD = 0.35  # standard deviation of people's habits, in units of the drive
OVERUSE = 0.7  # added to the drive of a person's favourite action unit, and subtracted from all to keep the rates
CLIP_SHARE = 0.25  # share of the drive's variance that is constant in a clip
DRIVE_SMOOTHNESS = 0.42  # standard deviation of its smoothing kernel in seconds: an event lasts one to two seconds
TURNED_AWAY = 0.45  # radians of yaw from which a face cannot be coded
MOUTH_COVERED, FACE_COVERED = 0.32, 0.62  # heights of the hand from which they cannot be coded

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Habits:
    """How one person differs from the activity's rates. Arrays are `(action units,)`."""

    leaning: Series  # added to the drive
    ceiling: Series  # greatest intensity, 0 to 1


@dataclass(frozen=True)
class Performance:
    """One clip before it is drawn. Arrays have one row per frame."""

    intensity: Series  # (frames, action units), 0 to 1, above 0 already shortly before and after an event
    present: NDArray[np.bool_]  # (frames, action units)
    codes: NDArray[np.int8]  # (frames, action units): 1 present, 0 absent, 9 if the face or its lower half is hidden
    uncodable: NDArray[np.bool_]  # (frames,): the whole face is hidden
    window: tuple[int, int]  # first labelled frame and the one after the last, from 0
    hand: Series  # (frames,), height of the hand: 0 out of sight, 0.5 before the mouth, 1 before the whole face
    poses: list[Pose]


def random_habits(rng: np.random.Generator) -> Habits:
    """Draw random habits, with one action unit that the person overuses."""
    leaning = rng.normal(0, HABIT_SPREAD, len(ACTION_UNITS))
    leaning -= OVERUSE / len(ACTION_UNITS)
    leaning[rng.integers(len(ACTION_UNITS))] += OVERUSE
    return Habits(leaning, rng.uniform(0.75, 1.0, len(ACTION_UNITS)))


def perform(
    rng: np.random.Generator, activity: str, habits: Habits, frames: int, labelled_share: float, event: str | None
) -> Performance:
    """Draw a random performance of an activity, a key of `RATES`, with a share of its frames labelled.

    The event is a `turn` away from the camera, a `hand` before the face, a hand over the `mouth`, or None.
    """
    labelled = max(1, round(labelled_share * frames)) if labelled_share > 0 else 0
    start = int(rng.integers(frames - labelled + 1))
    intensity, present = _action_units(rng, activity, habits, frames)
    course = _event_course(rng, frames) if event else np.zeros(frames)
    yaw = 0.10 * _smooth_noise(rng, frames, 0.6)
    hand = np.zeros(frames)
    if event == "turn":
        yaw = (1 - course) * yaw + course * float(rng.choice([-1.0, 1.0])) * rng.uniform(2.3, 2.7)
    elif event is not None:
        hand = course * (1.0 if event == "hand" else 0.5)
    uncodable = (np.abs(yaw) > TURNED_AWAY) | (hand > FACE_COVERED)
    codes = present.astype(np.int8)
    lower_face = np.array([number not in UPPER_FACE for number in ACTION_UNITS])
    codes[np.outer(hand > MOUTH_COVERED, lower_face)] = NOT_CODED
    codes[uncodable] = NOT_CODED
    poses = _poses(rng, intensity, yaw, frames)
    return Performance(intensity, present, codes, uncodable, (start, start + labelled), hand, poses)


def _action_units(
    rng: np.random.Generator, activity: str, habits: Habits, frames: int
) -> tuple[Series, NDArray[np.bool_]]:
    number = len(ACTION_UNITS)
    mixing = _mixing()
    constant = mixing @ rng.normal(size=number)
    varying = np.column_stack([_smooth_noise(rng, frames, DRIVE_SMOOTHNESS) for _ in range(number)]) @ mixing.T
    drive = np.sqrt(CLIP_SHARE) * constant + np.sqrt(1 - CLIP_SHARE) * varying + habits.leaning
    spread = np.sqrt(1 + HABIT_SPREAD**2)
    threshold = np.array([-NormalDist().inv_cdf(rate) * spread for rate in RATES[activity]])
    excess = drive - threshold
    onset = _smoothstep((excess + 0.12) / 0.36)
    intensity = habits.ceiling * onset * (0.42 + 0.58 * (1 - np.exp(-np.maximum(excess, 0) / 0.6)))
    return intensity, excess > 0


def _mixing() -> Series:
    """Return the matrix that gives independent drives the correlations of `CO_OCCURRENCE` and unit variance."""
    correlation = np.eye(len(ACTION_UNITS))
    for (one, other), value in CO_OCCURRENCE.items():
        i, j = ACTION_UNITS.index(one), ACTION_UNITS.index(other)
        correlation[i, j] = correlation[j, i] = value
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.02)) @ vectors.T
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def _event_course(rng: np.random.Generator, frames: int) -> Series:
    """Rise from 0 to 1, hold, and return."""
    pace = min(1.0, frames / FPS / 4)
    ramp, hold = 0.4 * pace, rng.uniform(0.5, 1.0) * pace
    middle = rng.uniform(0.25, 0.75) * frames / FPS
    off_middle = np.abs(np.arange(frames) / FPS - middle)
    return _smoothstep(1 - (off_middle - hold / 2) / ramp)


def _poses(rng: np.random.Generator, intensity: Series, yaw: Series, frames: int) -> list[Pose]:
    pitch, roll = 0.06 * _smooth_noise(rng, frames, 0.6), 0.05 * _smooth_noise(rng, frames, 0.8)
    shift = np.column_stack([4.5 * _smooth_noise(rng, frames, 0.8), 3.0 * _smooth_noise(rng, frames, 0.8)])
    scale = 1 + 0.02 * _smooth_noise(rng, frames, 1.2)
    speaking = _smoothstep(0.5 + 1.5 * _smooth_noise(rng, frames, 0.8))
    jaw = np.clip(speaking * (0.28 + 0.30 * _smooth_noise(rng, frames, 0.07)), 0, 0.9)
    blink = _blinks(rng, frames)
    gaze = _gaze(rng, frames)
    series = zip(jaw, blink, gaze, yaw, pitch, roll, shift, scale, strict=True)
    poses = []
    for intensities, values in zip(intensity.tolist(), series, strict=True):
        units = {number: value for number, value in zip(ACTION_UNITS, intensities, strict=True) if value > 0.01}
        poses.append(Pose(units, *(value.tolist() for value in values)))
    return poses


def _blinks(rng: np.random.Generator, frames: int) -> Series:
    seconds = np.arange(frames) / FPS
    blink = np.zeros(frames)
    for middle in rng.uniform(0, frames / FPS, rng.poisson(0.3 * frames / FPS)):
        blink = np.maximum(blink, _smoothstep(1.35 - np.abs(seconds - middle) / 0.11))
    return blink


def _gaze(rng: np.random.Generator, frames: int) -> Series:
    """Fixations of half a second to two seconds, mostly at the camera."""
    gaze = np.zeros((frames, 2))
    start = 0
    while start < frames:
        length = int(rng.uniform(0.5, 2.0) * FPS)
        gaze[start : start + length] = np.clip(rng.normal(0, [0.35, 0.25]), -1, 1)
        start += length
    return gaze


def _smooth_noise(rng: np.random.Generator, frames: int, seconds: float) -> Series:
    """Gaussian noise of unit variance, smoothed by a Gaussian of this standard deviation in seconds."""
    width = seconds * FPS
    reach = int(4 * width) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.normal(size=frames + 2 * reach), kernel, mode="valid")


def _smoothstep(x: Series) -> Series:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
