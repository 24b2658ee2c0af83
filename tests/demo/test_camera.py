import numpy as np
import pytest

from clef.demo.camera import GRAIN_SHIFT, Camera
from clef.demo.clip import draw_frames, random_actors

GREY = np.full((320, 320, 3), 120, np.uint8)


def test_every_camera_has_its_own_noise_which_is_white_and_its_own_tint():
    people = [actor.identity for actor in random_actors(0, 18, 6)]
    assert np.ptp([person.noise for person in people]) > 1
    for person in people[::3]:
        frame = Camera(person, 320).take(GREY, (3, 5)).astype(float)
        assert frame.std(axis=(0, 1)) == pytest.approx(person.noise, rel=0.1)
        assert frame.mean(axis=(0, 1)) == pytest.approx(120 * np.clip(person.tint, 0, 255 / 120), abs=1)
        noise = frame - frame.mean(axis=(0, 1))
        for axis in range(3):
            assert abs(np.corrcoef(noise.ravel(), np.roll(noise, 1, axis).ravel())[0, 1]) < 0.02
    shifted = Camera(people[15], 320).take(GREY, (17, GRAIN_SHIFT - 1))
    assert (shifted - frame).std() == pytest.approx(people[15].noise * np.sqrt(2), rel=0.1)


def test_frames_differ_by_noise_where_nothing_moves(clips):
    for clip in clips[::7]:
        one, other = (frame[:40, :40].astype(float) for frame in draw_frames(clip, clip.perform(), [8, 9]))
        assert 0.5 < (one - other).std() / (clip.actor.identity.noise * np.sqrt(2)) < 1.2
