"""Tell the people in a recording apart: link detections to tracks by position and size, and choose one person.

Faces are not recognised. A person who takes another's place in the picture is taken for them.
"""

from array import array
from bisect import bisect_left
from typing import Literal

import numpy as np

from clef.faces.detectors import Face
from clef.faces.search import SearchedFrame, box_difference, image_centre, match_faces


class Track:
    """The detections of one face, in order of time, as plain numbers: a long video has many."""

    def __init__(self) -> None:
        self.numbers = array("q")  # of frames
        self._values = array("d")  # box 4, score 1, landmarks 10, distance from the centre of the image 1

    def __len__(self) -> int:
        """Number of detections."""
        return len(self.numbers)

    def __getitem__(self, index: int) -> Face:
        """The face of a detection."""
        index = range(len(self))[index]
        left, top, width, height, score, *points, _ = self._values[16 * index : 16 * (index + 1)]
        landmarks = None if np.isnan(points[0]) else np.array(points).reshape(5, 2)
        return Face((left, top, width, height), score, landmarks)

    def append(self, number: int, face: Face, distance: float) -> None:
        """Append a detection, with its distance from the centre of the image."""
        landmarks = np.full(10, np.nan) if face.landmarks is None else np.ravel(face.landmarks)
        self.numbers.append(number)
        self._values.extend((*face.box, face.score, *landmarks, distance))

    def face(self, number: int) -> Face | None:
        """Return the face in a frame, or None if the track has no detection there."""
        index = bisect_left(self.numbers, number)
        return self[index] if index < len(self) and self.numbers[index] == number else None

    def boxes(self) -> np.ndarray:
        """Left, top, width and height of each detection, `(detections, 4)`."""
        return np.array(self._values).reshape(-1, 16)[:, :4]

    def total_area(self) -> float:
        """Sum of the areas of the boxes, in square pixels."""
        boxes = self.boxes()
        return float(boxes[:, 2] @ boxes[:, 3])

    def mean_distance(self) -> float:
        """Mean distance from the centre of the image, in pixels."""
        return float(np.array(self._values)[15::16].mean())


class Tracks:
    """All tracks of a recording."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._alive: list[Track] = []  # visible in the last searched frame
        self._numbers = array("q")  # of searched frames
        self._counts = array("q")  # number of faces in each

    def add(self, searched: SearchedFrame) -> None:
        """Add the next frame. Its faces first continue the tracks of the searched frame before, then older ones."""
        frame, faces = searched.frame, searched.faces
        if faces is None or frame.image is None:
            return
        centre = image_centre(frame.image)
        seen: list[tuple[Track, Face]] = []
        for is_alive in (True, False):
            if not faces:
                break
            tracks = self._alive if is_alive else [track for track in self.tracks if track not in self._alive]
            matched = match_faces([track[-1] for track in tracks], faces)
            seen += [(tracks[index], faces[face]) for index, face in matched.items()]
            faces = [face for index, face in enumerate(faces) if index not in matched.values()]
        new = [(Track(), face) for face in faces]
        self.tracks += [track for track, _ in new]
        for track, face in seen + new:
            track.append(frame.number, face, face.distance(centre))
        self._alive = [track for track, _ in seen + new]
        self._numbers.append(frame.number)
        self._counts.append(len(searched.faces or ()))

    def face_count(self, number: int) -> int | None:
        """Return the number of faces in a frame, or None if it was not searched."""
        index = bisect_left(self._numbers, number)
        found = index < len(self._numbers) and self._numbers[index] == number
        return self._counts[index] if found else None

    def person(self, rule: Literal["largest", "central"]) -> list[Track]:
        """Choose the tracks that show the person whom the recording is about; they never coincide.

        `largest` chooses the track with the largest sum of areas, `central` the one nearest to the centre on average
        among those with at least half as many detections as the longest. Tracks that coincide with it are other people.
        The remaining tracks are fragments, of the person or of another one who is not visible meanwhile: they belong to
        whomever they resemble most in position and size at their ends.
        """
        return [self.tracks[index] for index in _choose_person(self.tracks, _differences(self.tracks), rule)]

    def people(self, rule: Literal["largest", "central"]) -> list[list[Track]]:
        """Divide the tracks among people: that of `person`, then the one chosen from the other tracks, and so on."""
        people, tracks, differences = [], self.tracks, _differences(self.tracks)
        while tracks:
            person = _choose_person(tracks, differences, rule)
            people.append([tracks[index] for index in person])
            others = np.delete(np.arange(len(tracks)), person)
            tracks, differences = [tracks[index] for index in others], differences[np.ix_(others, others)]
        return people


def _differences(tracks: list[Track]) -> np.ndarray:
    """How much a track, by row, differs from a fragment, by column: least of the faces around the fragment's ends.

    Infinite if a frame shows both.
    """
    differences = np.empty((len(tracks), len(tracks)))
    boxes = np.array([(track[0].box, track[-1].box) for track in tracks])
    numbers = np.array([(track.numbers[0], track.numbers[-1]) for track in tracks])
    for row, track in zip(differences, tracks, strict=True):
        after = np.searchsorted(track.numbers, numbers)
        around = np.stack([after - 1, after]).clip(0, len(track) - 1)
        row[:] = box_difference(track.boxes()[around], boxes).min(axis=(0, 2))
        shown = set(track.numbers)
        for index in np.flatnonzero((numbers[:, 0] <= track.numbers[-1]) & (numbers[:, 1] >= track.numbers[0])):
            if not shown.isdisjoint(tracks[index].numbers):
                row[index] = np.inf
    return differences


def _choose_person(tracks: list[Track], differences: np.ndarray, rule: Literal["largest", "central"]) -> list[int]:
    """Return the indices of the tracks of a person, see `Tracks.person`."""
    if rule == "largest":
        chosen = max(range(len(tracks)), key=lambda index: tracks[index].total_area())
    else:
        longest = max(map(len, tracks))
        candidates = [index for index, track in enumerate(tracks) if 2 * len(track) >= longest]
        chosen = min(candidates, key=lambda index: tracks[index].mean_distance())
    person, is_free, to_person = [chosen], np.isfinite(differences[chosen]), differences[chosen]
    to_others = differences[~is_free & (np.arange(len(tracks)) != chosen)].min(axis=0, initial=np.inf)
    fragments = np.flatnonzero(is_free)
    for fragment in fragments[np.argsort(differences[chosen, fragments], kind="stable")].tolist():
        if is_free[fragment] and to_person[fragment] <= to_others[fragment]:
            person.append(fragment)
            is_free = is_free & np.isfinite(differences[fragment])
            to_person = np.minimum(to_person, differences[fragment])
        else:
            to_others = np.minimum(to_others, differences[fragment])
    return person
