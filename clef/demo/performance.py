"""What one person does in one clip, frame by frame: action units, speech, blinks, movements, and labels.

Action units follow a smooth random drive each, correlated as in life; where the drive exceeds the threshold
that gives the activity's rate, the action unit is present, and the excess sets its intensity: onset, apex and
offset come from the drive's course. Everything else is drawn without regard to the activity.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clef.demo.behaviour import ACTION_UNITS, CO_OCCURRENCE, RATES, UPPER_FACE
from clef.demo.pose import Pose

FPS = 25
NOT_CODED = 9
HABIT_SPREAD = 0.35
"""Standard deviation of people's habits, in units of the drive."""
OVERUSE = 0.7
"""What is added to the drive of each person's pet action unit, and taken from all so that rates stay."""
CLIP_SHARE = 0.25
"""Share of the drive's variance that stays the same throughout a clip."""
DRIVE_SMOOTHNESS = 0.42
"""Standard deviation, in seconds, of the kernel that smooths the drive: an event lasts one to two seconds."""
TURNED_AWAY = 0.45
"""Radians of yaw from which coders give up."""
MOUTH_COVERED, FACE_COVERED = 0.32, 0.62
"""Height of the hand from which the mouth, and then the whole face, cannot be coded."""

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Habits:
    """How one person differs from the activity's rates."""

    leaning: Series
    """(action units,), added to the drive."""
    ceiling: Series
    """(action units,), greatest intensity, 0 to 1."""


@dataclass(frozen=True)
class Performance:
    """One clip, before it is drawn. Arrays have one row a frame."""

    intensity: Series
    """(frames, action units), 0 to 1; above 0 a little beyond an event, as skin moves before it counts."""
    present: NDArray[np.bool_]
    """(frames, action units)."""
    codes: NDArray[np.int8]
    """(frames, action units): 1 present, 0 absent, 9 where the face or its lower half cannot be seen."""
    uncodable: NDArray[np.bool_]
    """(frames,): no part of the face can be coded."""
    window: tuple[int, int]
    """First labelled frame and the one after the last, from 0."""
    hand: Series
    """(frames,), height of a hand: 0 out of sight, 0.5 before the mouth, 1 before the whole face."""
    poses: list[Pose]


def random_habits(rng: np.random.Generator) -> Habits:
    """Habits of a person, with one action unit that they overuse."""
    leaning = rng.normal(0, HABIT_SPREAD, len(ACTION_UNITS))
    leaning -= OVERUSE / len(ACTION_UNITS)
    leaning[rng.integers(len(ACTION_UNITS))] += OVERUSE
    return Habits(leaning, rng.uniform(0.75, 1.0, len(ACTION_UNITS)))


def perform(
    rng: np.random.Generator,
    activity: str,
    habits: Habits,
    frames: int,
    labelled_share: float,
    event: str | None,
) -> Performance:
    """Draw a clip.

    Args:
        rng: Of this clip.
        activity: Name, a key of `RATES`.
        habits: The person's.
        frames: Length of the clip.
        labelled_share: Share of the clip in the labelled window.
        event: `turn` away from the camera, a `hand` before the face, a hand over the `mouth`, or nothing.
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
    lasting = mixing @ rng.normal(size=number)
    passing = np.column_stack([_smooth_noise(rng, frames, DRIVE_SMOOTHNESS) for _ in range(number)]) @ mixing.T
    drive = np.sqrt(CLIP_SHARE) * lasting + np.sqrt(1 - CLIP_SHARE) * passing + habits.leaning
    spread = np.sqrt(1 + HABIT_SPREAD**2)
    threshold = np.array([-NormalDist().inv_cdf(rate) * spread for rate in RATES[activity]])
    excess = drive - threshold
    onset = _smoothstep((excess + 0.12) / 0.36)
    intensity = habits.ceiling * onset * (0.42 + 0.58 * (1 - np.exp(-np.maximum(excess, 0) / 0.6)))
    return intensity, excess > 0


def _mixing() -> Series:
    """Matrix that gives independent drives the correlations of `CO_OCCURRENCE` and unit variance."""
    correlation = np.eye(len(ACTION_UNITS))
    for (one, other), value in CO_OCCURRENCE.items():
        i, j = ACTION_UNITS.index(one), ACTION_UNITS.index(other)
        correlation[i, j] = correlation[j, i] = value
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.02)) @ vectors.T
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def _event_course(rng: np.random.Generator, frames: int) -> Series:
    """From 0 up to 1, a while there, and back."""
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
    poses = []
    for t in range(frames):
        units = {number: float(value) for number, value in zip(ACTION_UNITS, intensity[t], strict=True) if value > 0.01}
        poses.append(
            Pose(
                units=units,
                jaw=float(jaw[t]),
                blink=float(blink[t]),
                gaze=(float(gaze[t, 0]), float(gaze[t, 1])),
                yaw=float(yaw[t]),
                pitch=float(pitch[t]),
                roll=float(roll[t]),
                shift=(float(shift[t, 0]), float(shift[t, 1])),
                scale=float(scale[t]),
            )
        )
    return poses


def _blinks(rng: np.random.Generator, frames: int) -> Series:
    seconds = np.arange(frames) / FPS
    blink = np.zeros(frames)
    for middle in rng.uniform(0, frames / FPS, rng.poisson(0.3 * frames / FPS)):
        blink = np.maximum(blink, _smoothstep(1.35 - np.abs(seconds - middle) / 0.11))
    return blink


def _gaze(rng: np.random.Generator, frames: int) -> Series:
    """Fixations of half a second to two, mostly at the camera."""
    gaze = np.zeros((frames, 2))
    at = 0
    while at < frames:
        length = int(rng.uniform(0.5, 2.0) * FPS)
        gaze[at : at + length] = np.clip(rng.normal(0, [0.35, 0.25]), -1, 1)
        at += length
    return gaze


def _smooth_noise(rng: np.random.Generator, frames: int, seconds: float) -> Series:
    """Gaussian noise of unit variance, smoothed by a kernel of that standard deviation in seconds."""
    width = seconds * FPS
    reach = int(4 * width) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.normal(size=frames + 2 * reach), kernel, mode="valid")


def _smoothstep(x: Series) -> Series:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
