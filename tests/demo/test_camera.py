import numpy as np
import pytest

from clef.demo.actors import random_actors
from clef.demo.camera import GRAIN_SHIFT, Camera
from clef.demo.clip import draw_frames

GREY = np.full((320, 320, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def people():
    return [actor.identity for actor in random_actors(0, 18, 6)]


def test_every_camera_has_its_own_noise_and_tint(people):
    assert min(person.noise for person in people) >= 1
    assert np.ptp([person.noise for person in people]) > 1
    for person in people[::3]:
        frame = Camera(person, 320).take(GREY, (3, 5)).astype(float)
        assert frame.std(axis=(0, 1)) == pytest.approx(person.noise, rel=0.1)
        assert frame.mean(axis=(0, 1)) == pytest.approx(120 * np.clip(person.tint, 0, 255 / 120), abs=1)
    assert Camera(people[0], 160).take(GREY, (0, 0)).shape == (160, 160, 3)


def test_noise_is_white_and_differs_between_frames(people):
    camera = Camera(people[0], 320)
    one, other = (camera.take(GREY, shift).astype(float) for shift in ((0, 0), (17, GRAIN_SHIFT - 1)))
    assert (one - other).std() == pytest.approx(people[0].noise * np.sqrt(2), rel=0.1)
    noise = one - one.mean(axis=(0, 1))
    for moved in (np.roll(noise, 1, axis=0), np.roll(noise, 1, axis=1), np.roll(noise, 1, axis=2)):
        assert abs(np.corrcoef(noise.ravel(), moved.ravel())[0, 1]) < 0.02


def test_frames_differ_by_noise_where_nothing_moves(clips):
    for clip in clips[::7]:
        one, other = (frame[:40, :40].astype(float) for frame in draw_frames(clip, clip.perform(), [8, 9]))
        assert 0.5 < (one - other).std() / (clip.actor.identity.noise * np.sqrt(2)) < 1.2
