import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.faces.alignment import LEFT_EYE, RIGHT_EYE, crop_face
from clef.faces.detectors import Face
from clef.params.schema import CropParams

EYES = CropParams(align="eyes", size=128)
BOX = CropParams(align="box", size=128, margin=0.0)


def draw_spots(shape, *centres):
    """A dark image with a bright spot at each (x, y), in red, green and blue."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    image = np.full((*shape, 3), 20.0)
    for channel, (x, y) in enumerate(centres):
        image[..., channel] += 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (shape[1] / 60) ** 2))
    return image.astype(np.uint8)


def find_spot(image, channel):
    weight = np.clip(image[..., channel].astype(float) - 40, 0, None)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def landmarks(right, left):
    return np.array([right, left, (0, 0), (0, 0), (0, 0)], float)


@given(angle=st.floats(-60, 60), distance=st.floats(40, 200), x=st.floats(220, 420), y=st.floats(220, 320))
def test_eyes_are_moved_to_their_targets(angle, distance, x, y):
    half = distance / 2 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    right, left = np.array([x, y]) - half, np.array([x, y]) + half
    face = Face((x - 100, y - 100, 200, 200), 1.0, landmarks(right, left))
    crop = crop_face(draw_spots((540, 640), right, left), face, EYES)
    assert crop.shape == (128, 128, 3)
    assert crop.dtype == np.uint8
    assert find_spot(crop, 0) == pytest.approx(np.array(RIGHT_EYE) * 128, abs=0.7)
    assert find_spot(crop, 1) == pytest.approx(np.array(LEFT_EYE) * 128, abs=0.7)


def test_the_margin_widens_the_longer_side_and_keeps_proportions():
    image = draw_spots((400, 400), (200, 200), (200, 150), (230, 200))
    crop = crop_face(image, Face((180, 150, 40, 100), 1.0), CropParams(align="box", size=100, margin=0.5))
    # 150 source pixels across: the square of the longer side plus half of it.
    assert find_spot(crop, 0) == pytest.approx([50, 50], abs=0.7)
    assert find_spot(crop, 1) == pytest.approx([50, 50 - 50 / 1.5], abs=0.7)
    assert find_spot(crop, 2) == pytest.approx([50 + 30 / 1.5, 50], abs=0.7)


@pytest.mark.parametrize("points", [None, landmarks((90, 90), (90, 90))], ids=["no landmarks", "coinciding eyes"])
def test_without_usable_eyes_the_box_is_used(points):
    image = draw_spots((200, 200), (90, 90), (110, 100))
    box = Face((50, 50, 100, 100), 1.0)
    expected = crop_face(image, box, EYES.model_copy(update={"align": "box"}))
    assert np.array_equal(crop_face(image, Face(box.box, 1.0, points), EYES), expected)


@pytest.mark.parametrize("box", [(60, 20, 60, 60), (20, 20, 500, 500)])
def test_the_edge_is_repeated_beyond_the_image(box):
    image = np.full((100, 100, 3), 30, np.uint8)
    image[:, -1] = 220
    assert (crop_face(image, Face(box, 1.0), BOX)[:, -1] > 200).all()


@pytest.mark.parametrize("factor", [3, 12])
def test_strong_shrinking_does_not_alias(factor):
    # Lines finer than a pixel of the crop become an even grey, as if averaged by area.
    side = round(64 * factor)
    image = np.zeros((side + 40, side + 40, 3), np.uint8)
    image[:, ::2] = 255
    crop = crop_face(image, Face((20, 20, side, side), 1.0), CropParams(align="box", size=64, margin=0))
    assert crop.mean() == pytest.approx(127.5, abs=3)
    assert crop[4:-4, 4:-4].std() < 25
