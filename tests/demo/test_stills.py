import collections

import cv2
import numpy as np
import pytest

from clef.demo.behaviour import EXPRESSION_SHARES, EXPRESSIONS
from clef.demo.stills import plan_stills, stills_csv
from clef.params.schema import RenderParams


@pytest.fixture(scope="module")
def stills():
    return plan_stills(RenderParams(kind="stills", train_images=1400, test_images=350, size=160))


def test_both_splits_have_the_shares_of_the_table(stills):
    assert stills_csv(stills[:1]) == f"image,expression\ntrain/00001.jpg,{stills[0].expression}\n"
    for split, number in (("train", 1400), ("test", 350)):
        counts = collections.Counter(still.expression for still in stills if still.split == split)
        assert sum(counts.values()) == number
        for expression, share in EXPRESSION_SHARES.items():
            assert abs(counts[expression] / number - share) < 4 * np.sqrt(share * (1 - share) / number)


def test_faces_show_the_action_units_of_their_expression(stills):
    shown: dict[str, collections.Counter] = {name: collections.Counter() for name in EXPRESSIONS}
    for still in stills:
        shown[still.expression].update(number for number, level in still.pose().units.items() if level > 0.1)
    counts = collections.Counter(still.expression for still in stills)
    for expression, units in EXPRESSIONS.items():
        assert all(shown[expression][number] > 0.75 * counts[expression] for number in units)
    assert shown["neutral"][12] < 0.12 * counts["neutral"]


def test_every_image_shows_another_person(stills, tmp_path):
    for still in stills[:8]:
        still.render(tmp_path)
    images = [cv2.imread(str(tmp_path / still.files[0])).astype(float) for still in stills[:8]]
    assert {image.shape for image in images} == {(160, 160, 3)}
    assert min(np.abs(a - b).mean() for i, a in enumerate(images) for b in images[:i]) > 10
