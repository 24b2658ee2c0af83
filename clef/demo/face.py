"""One frame of one person: the head with its expression, turned and moved, before the person's room."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from clef.demo.features import draw_brows, draw_eyes, draw_glasses, draw_mouth
from clef.demo.identity import Identity
from clef.demo.portrait import CENTRE, SIDE, paint_head
from clef.demo.room import paint_body, paint_room
from clef.demo.shapes import blob
from clef.demo.wrinkles import paint_wrinkles

TURNED = 0.5
"""Radians of yaw from which the back of the head is drawn too."""


@dataclass(frozen=True)
class Pose:
    """What the face and head do in one frame."""

    units: Mapping[int, float] = field(default_factory=dict)
    """Action unit to intensity, 0 to 1."""
    jaw: float = 0.0
    """Opening of the mouth by speech, 0 to 1."""
    blink: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    yaw: float = 0.0
    """Radians to the right of the picture."""
    pitch: float = 0.0
    """Radians downwards."""
    roll: float = 0.0
    """Radians clockwise."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels of the drawing."""
    scale: float = 1.0


class Face:
    """A person ready to be drawn frame by frame."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.head = paint_head(identity)
        self.room = paint_room(identity)
        self.body = paint_body(identity)
        low = int(CENTRE[1] + identity.below) + 18
        self.region = np.s_[50 : min(low, SIDE), 78:242]
        self.wrinkles = {number: fold[self.region] for number, fold in paint_wrinkles(identity).items()}
        self.depth = self.head.depth[self.region]
        y, x = np.mgrid[self.region].astype(np.float32)
        self.grid = x - 78, y - 50
        self.side = np.clip((x - CENTRE[0]) / (identity.half_width * 1.02), -1, 1).astype(np.float32)
        self.rim = np.minimum(1, 3 * self.depth)
        self.pulls = {name: pull[self.region] for name, pull in _pulls(identity).items()}

    def backdrop(self, shift: tuple[int, int], brightness: float) -> NDArray[np.uint8]:
        """The room with neck and shoulders, as this clip has it, (320, 320, 3) RGB.

        Args:
            shift: Pixels by which the wall lies elsewhere than in other clips of the person.
            brightness: Factor on the wall's light.
        """
        wall = np.roll(self.room, shift, axis=(0, 1))
        wall = cv2.convertScaleAbs(wall, alpha=brightness)
        i = self.identity
        place = np.float32([[i.frame_scale, 0, 160 * (1 - i.frame_scale) + i.frame_x],
                            [0, i.frame_scale, 158 * (1 - i.frame_scale) + i.frame_y]])  # fmt: skip
        colour, cover = (cv2.warpAffine(layer, place, (SIDE, SIDE)) for layer in self.body)
        return _over(wall, colour, cover)

    def draw(self, pose: Pose, backdrop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw one frame, (320, 320, 3) RGB, without the camera's faults."""
        colour, cover = self._expression(pose)
        matrix = self.placement(pose)
        colour = cv2.warpAffine(colour, matrix, (SIDE, SIDE))
        cover = cv2.warpAffine(cover, matrix, (SIDE, SIDE))
        return _over(backdrop, colour, cover)

    def placement(self, pose: Pose) -> NDArray[np.float32]:
        """The affine map, (2, 3), from the drawing of the head to the frame."""
        i = self.identity
        scale = i.frame_scale * pose.scale
        cos, sin = scale * math.cos(pose.roll), scale * math.sin(pose.roll)
        x, y = CENTRE[0], CENTRE[1] + 60
        target = (x + i.frame_x + pose.shift[0], (y - 158) * i.frame_scale + 158 + i.frame_y + pose.shift[1])
        return np.float32([[cos, -sin, target[0] - cos * x + sin * y], [sin, cos, target[1] - sin * x - cos * y]])

    def _expression(self, pose: Pose) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image, cover = self.head.colour.copy(), self.head.cover
        shade = np.full(self.depth.shape, 128, np.float32)
        for number, fold in self.wrinkles.items():
            intensity = pose.units.get(number, 0.0)
            if intensity > 0:
                shade += (128 * intensity) * fold
        relief = cv2.cvtColor(cv2.convertScaleAbs(shade), cv2.COLOR_GRAY2BGR)
        cv2.multiply(image[self.region], relief, image[self.region], 1 / 128)
        draw_eyes(image, self.identity, pose.units, pose.blink, pose.gaze)
        draw_brows(image, self.identity, pose.units)
        draw_mouth(image, self.identity, pose.units, pose.jaw)
        draw_glasses(image, self.identity)
        return self._turn(image, cover, pose)

    def _turn(
        self, image: NDArray[np.uint8], cover: NDArray[np.uint8], pose: Pose
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Turn the head as an ellipsoid, and pull the skin as cheeks, chin and jaw do."""
        units, radius = pose.units, self.identity.half_width
        lift = {
            "cheeks": 4.5 * units.get(6, 0.0) + 3.0 * units.get(12, 0.0),
            "nose": 3.0 * units.get(10, 0.0) + 4.0 * units.get(9, 0.0),
            "chin": 5.0 * units.get(17, 0.0),
            "jaw": -8.0 * pose.jaw - 11.0 * units.get(26, 0.0),
        }
        x, y = self.grid
        x = x - (radius * math.sin(pose.yaw)) * self.depth - (radius * (1 - math.cos(pose.yaw))) * self.side * self.rim
        y = y - (radius * math.sin(pose.pitch)) * self.depth
        for name, amount in lift.items():
            if amount:
                y += amount * self.pulls[name]
        turned, outline = image.copy(), cover.copy()
        turned[self.region] = cv2.remap(image[self.region], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        outline[self.region] = cv2.remap(cover[self.region], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if abs(pose.yaw) > TURNED:
            self._show_back(turned, outline, pose.yaw)
        return turned, outline

    def _show_back(self, image: NDArray[np.uint8], cover: NDArray[np.uint8], yaw: float) -> None:
        facing = self.depth * math.cos(yaw) + self.side * math.sin(yaw)
        hidden = np.clip(0.5 - 4 * facing, 0, 1) * min(1, (abs(yaw) - TURNED) / 0.3)
        hidden = (hidden * (self.depth > 0)).astype(np.float32)
        behind = cv2.multiply(self.head.behind[self.region], cv2.cvtColor(cover[self.region], cv2.COLOR_GRAY2BGR), scale=1 / 255)
        image[self.region] = cv2.blendLinear(behind, image[self.region], hidden, 1 - hidden)


def _pulls(identity: Identity) -> dict[str, NDArray[np.float32]]:
    """How much of an upward pull each point of the skin follows, 0 to 1."""
    i, shape = identity, (SIDE, SIDE)
    rows = np.arange(SIDE, dtype=np.float32)[:, None] - CENTRE[1]
    below_mouth = np.clip((rows - i.mouth_y - 2) / (i.below - i.mouth_y), 0, 1)
    spots = {"cheeks": (i.eye_x + 4, i.nose_y + 2, 14, 11), "nose": (i.nose_width, i.nose_y, 7, 7)}
    pulls = {
        name: sum(blob(shape, (CENTRE[0] + side * x, CENTRE[1] + y), w, h) for side in (-1, 1))
        for name, (x, y, w, h) in spots.items()
    }
    pulls["chin"] = blob(shape, (CENTRE[0], CENTRE[1] + i.mouth_y + 24), 20, 10)
    pulls["jaw"] = np.broadcast_to(below_mouth**0.8, shape).astype(np.float32)
    return {name: np.asarray(pull, np.float32) for name, pull in pulls.items()}


def _over(below: NDArray[np.uint8], colour: NDArray[np.uint8], cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay premultiplied colour over what is below."""
    rest = cv2.cvtColor(255 - cover, cv2.COLOR_GRAY2BGR)
    return cv2.add(cv2.multiply(below, rest, scale=1 / 255), colour)
