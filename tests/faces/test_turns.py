import numpy as np
import pytest

from clef.faces.turns import upright_turn
from tests.faces.rectangles import RectangleDetector, UprightDetector, draw


@pytest.mark.parametrize(("mosaics", "calls"), [(False, [12]), (True, [1])])
@pytest.mark.parametrize("turn", range(4))
def test_cuts_show_the_turn_in_one_call_of_the_detector(turn, mosaics, calls):
    image = draw((80, 20))
    image[30:40] = image[30:40] // 255 * 140  # the lower half of an upright face is darker
    image = np.ascontiguousarray(np.rot90(image, turn))
    (face,) = RectangleDetector().detect([image])[0]
    detector = UprightDetector()
    detector.prefers_mosaics = mosaics
    assert upright_turn(detector, image, face) == -turn % 4
    assert detector.calls == calls


@pytest.mark.parametrize("mosaics", [False, True])
def test_what_no_cut_shows_has_no_turn(mosaics):
    image = draw((80, 20))
    (face,) = RectangleDetector().detect([image])[0]
    detector = UprightDetector()
    detector.prefers_mosaics = mosaics
    assert upright_turn(detector, image, face) is None
