import numpy as np
import pytest

from clef.faces import tracks as tracks_module
from clef.faces.detectors import Face
from clef.faces.search import SearchedFrame, box_difference, difference, search_frames
from clef.faces.tracks import Track, Tracks
from clef.params.schema import CropParams
from clef.recordings.frames import Frame
from tests.faces.rectangles import SIZE, RectangleDetector, draw


def tracks_of(*frames):
    """Link faces, each given by its left edge and side, through frames of 60 x 200 pixels."""
    tracks = Tracks()
    for number, faces in enumerate(frames):
        boxes = [(float(x), 20.0, float(side), float(side)) for x, side in faces]
        tracks.add(SearchedFrame(Frame(number, draw()), [Face(box, 0.9) for box in boxes]))
    return tracks


def shown(track):
    return [(number, *track.face(number).box[::2]) for number in track.numbers]


def test_all_people_of_a_recording_are_kept_as_tracks():
    images = [draw((20, 30), (120, SIZE)) if n % 10 < 6 else draw((120, SIZE)) for n in range(20)]
    images[3] = None
    frames = [Frame(number, image) for number, image in enumerate(images)]
    found = Tracks()
    for searched in search_frames(iter(frames), RectangleDetector(), CropParams(detector="none")):
        found.add(searched)
    left, right = sorted(found.tracks, key=len)
    assert list(left.numbers) == [0, 1, 2, 4, 5, *range(10, 16)]
    assert list(right.numbers) == [0, 1, 2, *range(4, 20)]
    assert (right[-1].box, right[-1].score) == ((120, 20, SIZE, SIZE), 0.9)
    assert right[-1].landmarks == pytest.approx(RectangleDetector().detect(images[-1:])[0][0].landmarks)
    assert left.face(6) is None
    assert [found.face_count(number) for number in (2, 3, 6, 20)] == [2, None, 1, None]


def test_faces_continue_the_people_who_were_just_visible_before_others():
    near = [(0, 20), (18, 20)]
    found = tracks_of(near, near[1:], [(10, 20)], near)
    assert [shown(track) for track in found.tracks] == [
        [(0, 0, 20), (3, 0, 20)],
        [(0, 18, 20), (1, 18, 20), (2, 10, 20), (3, 18, 20)],
    ]


def test_nobody_who_only_passes_by_is_chosen():
    always, large, central = (20, 30), (120, 40), (90, SIZE)
    found = tracks_of([always, large], [always, central], *[[always]] * 4)
    assert found.tracks[0].mean_distance() == pytest.approx(np.hypot(65, 5))
    for rule in ("largest", "central"):
        assert [shown(track) for track in found.person(rule)] == [[(number, *always) for number in range(6)]]


def test_a_fragment_belongs_to_whom_it_resembles_most():
    person, other = (20, 30), (150, 15)
    both = [[person, other]] * 5
    for fragment, is_the_persons in (((70, 28), True), ((120, 15), False), ((110, 12), False)):
        tracks = tracks_of(*both, [], [fragment]).person("largest")
        assert [track.numbers[-1] for track in tracks] == ([4, 6] if is_the_persons else [4])
    seen = tracks_of(*both, [other], [(120, 30), other], [(70, 12), other]).person("largest")
    assert sorted(list(track.numbers) for track in seen) == [[0, 1, 2, 3, 4], [6], [7]]
    first = [[(150, 15), (70, 28)]] * 3
    found = tracks_of(*first, *[[person]] * 10).person("largest")
    assert sorted(track[0].box[0] for track in found) == [20, 70]


@pytest.mark.parametrize("rule", ["largest", "central"])
def test_every_track_belongs_to_one_person_and_the_first_is_the_person(rule):
    tracks = tracks_of(*[[(20, 30), (90, 20), (150, 25)]] * 4, [(90, 20)], [(21, 30), (150, 25)], [], [(60, 8)])
    people = tracks.people(rule)
    assert people[0] == tracks.person(rule)
    assert sorted(id(track) for person in people for track in person) == sorted(map(id, tracks.tracks))
    for person in people:
        numbers = [number for track in person for number in track.numbers]
        assert len(set(numbers)) == len(numbers)


def random_tracks(rng, number, length, frames):
    """Short tracks at random times and places."""
    tracks = Tracks()
    for _ in range(number):
        track, first = Track(), int(rng.integers(frames))
        left, top, side = rng.uniform((0, 0, 10), (500, 500, 200))
        for number in range(first, first + int(rng.integers(1, length + 1))):
            track.append(number, Face((left, top, side, side), 0.9), float(np.hypot(left, top)))
            left += 2
        tracks.tracks.append(track)
    return tracks


def person_as_documented(tracks, rule):
    """A slow, simple version of `Tracks.person`."""

    def coincide(one, other):
        return not set(one.numbers).isdisjoint(other.numbers)

    def differs(track, fragment):
        found = []
        for end in (fragment.numbers[0], fragment.numbers[-1]):
            before, after = ([n for n in track.numbers if (n < end) == is_before] for is_before in (True, False))
            found += [difference(track.face(n), fragment.face(end)) for n in (*before[-1:], *after[:1])]
        return min(found)

    if rule == "largest":
        chosen = max(tracks, key=Track.total_area)
    else:
        longest = max(map(len, tracks))
        chosen = min((track for track in tracks if 2 * len(track) >= longest), key=Track.mean_distance)
    person, others = [chosen], [track for track in tracks if track is not chosen and coincide(track, chosen)]
    fragments = [track for track in tracks if not coincide(track, chosen)]
    for fragment in sorted(fragments, key=lambda fragment: differs(chosen, fragment)):
        absent = [track for track in person + others if not coincide(track, fragment)]
        nearest = min(absent, key=lambda track: differs(track, fragment))
        joins = nearest in person and not any(coincide(track, fragment) for track in person)
        (person if joins else others).append(fragment)
    return person


@pytest.mark.parametrize("rule", ["largest", "central"])
def test_people_are_those_of_the_simple_version(rule):
    rng = np.random.default_rng(0)
    for _ in range(150):
        tracks = random_tracks(rng, int(rng.integers(1, 12)), 6, int(rng.integers(2, 40)))
        rest, expected = tracks.tracks, []
        while rest:
            expected.append(person_as_documented(rest, rule))
            rest = [track for track in rest if track not in expected[-1]]
        assert tracks.people(rule) == expected
        assert tracks.person(rule) == expected[0]


def test_a_thousand_tracks_are_divided_without_comparing_any_two_anew(monkeypatch):
    """Comparing them for each person again takes minutes."""
    compared = []
    monkeypatch.setattr(tracks_module, "box_difference", lambda *boxes: compared.append(1) or box_difference(*boxes))
    tracks = random_tracks(np.random.default_rng(0), 1000, 5, 500)
    people = tracks.people("largest")
    assert sum(map(len, people)) == 1000 > len(people) > 10
    assert len(compared) == 1000
