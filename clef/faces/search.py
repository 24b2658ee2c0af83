"""Search the frames of a recording for faces: every n-th one, and all frames where a face appears or disappears."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from clef.faces.detectors import Detector, Face
from clef.faces.detectors.base import intersection
from clef.faces.turns import detect_turned, upright_turn
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

SAME_DETECTION = 0.6
"""Two detections are parts of one face if they share more than this fraction of the smaller box."""

LARGEST_GROUP = 2**28
"""Bytes of the frames that are held for one call of the detector."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class SearchedFrame:
    """A frame and all faces in it, best first."""

    frame: Frame
    faces: list[Face] | None = None
    """None if the detector did not see the frame."""


def search_frames(
    frames: Iterable[Frame], detector: Detector, settings: CropParams, stills: bool = False
) -> Iterator[SearchedFrame]:
    """Search every n-th frame and the last one, or all if they are `stills`, and yield all frames in order.

    If the faces of two neighbouring searched frames do not match one to one, all frames between them are searched too,
    so that the moment when a face appears or disappears is exact. Frames between two without a face are not searched.

    A face that lies on its side or upside down is found by turning the image. Detectors also find many of these in the
    image as it is, but with the landmarks of an upright face. Unless its score excludes that, a face is therefore
    searched again in small cuts around it, in all four turns, and the image is turned as the cuts show. If no face is
    found, the image is searched in the other three turns. In a recording, this happens while no face is followed; then
    only the image as it is and the last turn are compared. Detectors without landmarks turn nothing.
    """
    every = 1 if stills or not detector.skips_frames else settings.every
    search = _Search(detector, settings, stills)
    before: SearchedFrame | None = None
    skipped: list[SearchedFrame] = []
    for chunk in _detector_calls(frames, every, settings.batch):
        searched = search([frame for frame, is_due in chunk if is_due])
        for frame, is_due in chunk:
            if not is_due:
                skipped.append(SearchedFrame(frame))
                continue
            after = next(searched)
            yield from _search_between(before, skipped, after, search)
            yield after
            before, skipped = after, []
    last = max((index for index, item in enumerate(skipped) if item.frame.image is not None), default=None)
    if last is not None:
        (after,) = search([skipped[last].frame])
        yield from _search_between(before, skipped[:last], after, search)
        yield after
        skipped = skipped[last + 1 :]
    yield from skipped


def _detector_calls(frames: Iterable[Frame], every: int, batch: int) -> Iterator[list[tuple[Frame, bool]]]:
    """Group frames, each with whether to search it, so that a group fills a call of the detector or the memory."""
    group: list[tuple[Frame, bool]] = []
    wait = searched = size = 0
    for frame in frames:
        is_due = wait <= 0 and frame.image is not None
        wait = (every if is_due else wait) - 1
        group.append((frame, is_due))
        searched += is_due
        size += 0 if frame.image is None else frame.image.nbytes
        if searched == batch or size >= LARGEST_GROUP:
            yield group
            group, searched, size = [], 0, 0
    if group:
        yield group


def same_face(one: Face, other: Face) -> bool:
    """Whether two boxes may show one face: centres within a face's side, and sides within a factor of two."""
    sides = math.sqrt(max(one.area, 0.0)), math.sqrt(max(other.area, 0.0))
    return min(sides) > 0 and one.distance(other.centre) <= sum(sides) / 2 and max(sides) <= 2 * min(sides)


def difference(one: Face, other: Face) -> float:
    """How much two faces differ, see `box_difference`."""
    return float(box_difference(np.array(one.box), np.array(other.box)))


def box_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How much boxes differ: the distance in units of a face's side, plus the ratio of the sides as a logarithm.

    Boxes have left, top, width and height in the last dimension.
    """
    sides = [np.sqrt((box[..., 2] * box[..., 3]).clip(1.0)) for box in (one, other)]
    apart = one[..., :2] + one[..., 2:] / 2 - other[..., :2] - other[..., 2:] / 2
    return 2 * np.hypot(apart[..., 0], apart[..., 1]) / sum(sides) + abs(np.log(sides[0] / sides[1]))


def match_faces(before: list[Face], after: list[Face]) -> dict[int, int]:
    """Match faces that may be the same one to one, the most similar first. Returns indices by indices."""
    pairs = [(i, j) for i, one in enumerate(before) for j, other in enumerate(after) if same_face(one, other)]
    matched: dict[int, int] = {}
    for i, j in sorted(pairs, key=lambda pair: difference(before[pair[0]], after[pair[1]])):
        if i not in matched and j not in matched.values():
            matched[i] = j
    return matched


def annotated_face(frame: Frame) -> Face | None:
    """Return the face that an image's label belongs to, if its box is known."""
    return Face(frame.box, 1.0) if frame.box is not None and frame.box[2] else None


def labelled_faces(frame: Frame, faces: list[Face]) -> list[Face]:
    """Return the faces that an image's label may belong to: all, or those that share a centre with an annotated box."""
    box = annotated_face(frame)
    return faces if box is None else [face for face in faces if box.covers(face.centre) or face.covers(box.centre)]


def image_centre(image: np.ndarray) -> np.ndarray:
    """Return x and y of the centre of an image."""
    return np.array([image.shape[1] / 2, image.shape[0] / 2])


def have_one_size(frames: Iterable[Frame]) -> bool:
    """Whether all images have the same size; that of a video may change."""
    return len({frame.image.shape for frame in frames if frame.image is not None}) <= 1


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`; the last list may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


class _Search:
    """Searches images, and remembers when and in which turn it found the last face of a recording."""

    def __init__(self, detector: Detector, settings: CropParams, stills: bool) -> None:
        self._detector, self._settings, self._stills = detector, settings, stills
        self._last_face, self._turn, self._is_visible = -math.inf, 0, False

    def __call__(self, frames: list[Frame]) -> Iterator[SearchedFrame]:
        for batch in chunks(frames, self._settings.batch):
            images = [frame.image for frame in batch if frame.image is not None]
            for frame, image, faces in zip(batch, images, self._detector.detect(images), strict=True):
                turn, faces = self._choose_turn(frame, image, faces)
                self._is_visible = len(faces) > 0
                if faces:
                    self._last_face, self._turn = frame.number, turn
                yield SearchedFrame(frame, faces if annotated_face(frame) else _distinct(faces))

    def _choose_turn(self, frame: Frame, image: np.ndarray, faces: list[Face]) -> tuple[int, list[Face]]:
        """Return the quarter turns that make a face upright, and the faces found then; `faces` are those at no turn."""
        found = {0: faces}

        def best_first(*turns: int) -> list[tuple[Face, int]]:
            for turn in turns:
                if turn not in found:
                    found[turn] = detect_turned(self._detector, image, turn)
            candidates = [(face, turn) for turn in turns for face in labelled_faces(frame, found[turn])]
            return sorted(candidates, key=lambda candidate: -candidate[0].score)

        if not self._detector.finds_landmarks:
            return 0, faces
        if self._follows(frame):
            candidates = best_first(0, self._turn)
            if not candidates or candidates[0][1] == self._turn:
                return self._turn, found[self._turn]
        for turns in ((0,), (1, 2, 3)):
            for face, turn in best_first(*turns):
                if turn == 0 and face.score >= self._detector.upright_score:
                    return 0, faces
                upright = upright_turn(self._detector, image, face)
                if upright is not None and best_first(upright):
                    return upright, found[upright]
        candidates = best_first(0) or best_first(1, 2, 3)
        turn = candidates[0][1] if candidates else 0
        return turn, found[turn]

    def _follows(self, frame: Frame) -> bool:
        """Whether a face of the recording was found shortly before a frame."""
        wait = max(self._settings.bridge, self._settings.every)
        return not self._stills and (self._is_visible or frame.number - self._last_face <= wait)


def _distinct(faces: list[Face]) -> list[Face]:
    """Keep the best of detections that show parts of one face, such as the halves of a close-up."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        shared = [intersection(np.array(face.box), np.array(other.box)) for other in kept]
        if all(area <= SAME_DETECTION * min(face.area, other.area) for area, other in zip(shared, kept, strict=True)):
            kept.append(face)
    return kept


def _search_between(
    before: SearchedFrame | None, skipped: list[SearchedFrame], after: SearchedFrame, search: _Search
) -> Iterator[SearchedFrame]:
    """Search the skipped frames between two others if a face appears, disappears or jumps there."""
    earlier, later = (before and before.faces) or [], after.faces or []
    items = [item for item in (before, *skipped, after) if item is not None]
    is_matched = len(earlier) == len(later) == len(match_faces(earlier, later))
    if is_matched and (not earlier or have_one_size(item.frame for item in items)):
        yield from skipped
        return
    searched = search([item.frame for item in skipped if item.frame.image is not None])
    yield from (item if item.frame.image is None else next(searched) for item in skipped)
