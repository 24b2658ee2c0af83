"""Draw one frame of one person: the head with its expression, turned and moved, before the person's room."""

import math

import cv2
import numpy as np

from clef.demo.features import draw_brows, draw_eyes, draw_glasses, draw_mouth
from clef.demo.head import paint_head
from clef.demo.head_shape import CENTRE, SHAPE, SIDE, depth, spot
from clef.demo.identity import Identity
from clef.demo.pose import Pose
from clef.demo.room import paint_body, paint_room
from clef.demo.shapes import ImageArray, Layer
from clef.demo.wrinkles import paint_wrinkles

TURNED = 0.5  # radians of yaw from which the back of the head is drawn too
PIVOT = 60  # pixels from the head's centre down to the point about which the head rolls and grows
TOP, LEFT, RIGHT = 50, 78, 242  # of the part of the drawing in which skin moves; it ends a little below the chin


class FaceRenderer:
    """Draws a person frame by frame."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.front, self.behind = paint_head(identity)
        self.room = paint_room(identity)
        self.body = paint_body(identity)
        chin = int(CENTRE[1] + identity.below)
        self.region = np.s_[TOP : min(chin + 18, SIDE), LEFT:RIGHT]
        self.wrinkles = {number: fold[self.region] for number, fold in paint_wrinkles(identity).items()}
        self.pulls = {name: pull[self.region] for name, pull in _pulls(identity).items()}
        self.depth = depth(identity)[self.region]
        y, x = np.mgrid[self.region].astype(np.float32)
        self.grid = x - LEFT, y - TOP
        self.side = np.clip((x - CENTRE[0]) / (identity.half_width * 1.02), -1, 1).astype(np.float32)

    def backdrop(self, shift: tuple[int, int], brightness: float) -> ImageArray:
        """Draw the room with neck and shoulders, (320, 320, 3) RGB.

        Clips differ in the wall's shift, in pixels down and to the right, and in its brightness.
        """
        wall = cv2.convertScaleAbs(np.roll(self.room, shift, axis=(0, 1)), alpha=brightness)
        i, (x, y) = self.identity, CENTRE
        s = i.frame_scale
        matrix = np.array([[s, 0, x * (1 - s) + i.frame_x], [0, s, y * (1 - s) + i.frame_y]], np.float32)
        return self.body.warp(matrix, (SIDE, SIDE), cv2.BORDER_REPLICATE).over(wall)

    def draw(self, pose: Pose, backdrop: ImageArray) -> ImageArray:
        """Draw one frame, (320, 320, 3) RGB, as it is before the camera."""
        return self._turn(self._draw_expression(pose), pose).warp(self.placement(pose), (SIDE, SIDE)).over(backdrop)

    def placement(self, pose: Pose) -> ImageArray:
        """Return the affine map, (2, 3), from the drawing of the head to the frame."""
        i = self.identity
        size = i.frame_scale * pose.scale
        cos, sin = size * math.cos(pose.roll), size * math.sin(pose.roll)
        x, y = CENTRE[0], CENTRE[1] + PIVOT
        to_x = x + i.frame_x + pose.shift[0]
        to_y = CENTRE[1] + PIVOT * i.frame_scale + i.frame_y + pose.shift[1]
        rows = [[cos, -sin, to_x - cos * x + sin * y], [sin, cos, to_y - sin * x - cos * y]]
        return np.array(rows, np.float32)

    def _draw_expression(self, pose: Pose) -> ImageArray:
        """Draw the head's colours with wrinkles, eyes, brows and mouth."""
        image = self.front.colour.copy()
        shade = np.full(self.depth.shape, 128, np.float32)
        for number, fold in self.wrinkles.items():
            intensity = pose.units.get(number, 0.0)
            if intensity > 0:
                shade += (128 * intensity) * fold
        relief = cv2.cvtColor(cv2.convertScaleAbs(shade), cv2.COLOR_GRAY2BGR)
        image[self.region] = cv2.multiply(image[self.region], relief, scale=1 / 128)
        draw_eyes(image, self.identity, pose.units, pose.blink, pose.gaze)
        draw_brows(image, self.identity, pose.units)
        draw_mouth(image, self.identity, pose.units, pose.jaw)
        draw_glasses(image, self.identity)
        return image

    def _turn(self, image: ImageArray, pose: Pose) -> Layer:
        """Turn the head as an ellipsoid, and move the skin of cheeks, nose, chin and jaw."""
        units, radius = pose.units, self.identity.half_width
        lift = {
            "cheeks": 4.5 * units.get(6, 0.0) + 3.0 * units.get(12, 0.0),
            "nose": 3.0 * units.get(10, 0.0) + 4.0 * units.get(9, 0.0),
            "chin": 5.0 * units.get(17, 0.0),
            "jaw": -8.0 * pose.jaw - 11.0 * units.get(26, 0.0),
        }
        x, y = self.grid
        rim = np.minimum(1, 3 * self.depth)
        x = x - (radius * math.sin(pose.yaw)) * self.depth - (radius * (1 - math.cos(pose.yaw))) * self.side * rim
        y = y - (radius * math.sin(pose.pitch)) * self.depth
        for name, amount in lift.items():
            if amount:
                y += amount * self.pulls[name]
        cover = self.front.cover.copy()
        edge = cv2.BORDER_REPLICATE
        for part in (image, cover):
            part[self.region] = cv2.remap(part[self.region], x, y, cv2.INTER_LINEAR, borderMode=edge)
        if abs(pose.yaw) > TURNED:
            self._show_back(image, cover, pose.yaw)
        return Layer(image, cover)

    def _show_back(self, image: ImageArray, cover: ImageArray, yaw: float) -> None:
        facing = self.depth * math.cos(yaw) + self.side * math.sin(yaw)
        hidden = np.clip(0.5 - 4 * facing, 0, 1) * (self.depth > 0) * min(1, (abs(yaw) - TURNED) / 0.3)
        hidden = hidden.astype(np.float32)
        outline = cv2.cvtColor(cover[self.region], cv2.COLOR_GRAY2BGR)
        behind = cv2.multiply(self.behind[self.region], outline, scale=1 / 255)
        image[self.region] = cv2.blendLinear(behind, image[self.region], hidden, 1 - hidden)


def _pulls(identity: Identity) -> dict[str, ImageArray]:
    """Share of an upward pull that each point of the skin follows, 0 to 1."""
    i = identity
    rows = np.arange(SIDE, dtype=np.float32)[:, None] - CENTRE[1]
    below_mouth = np.clip((rows - i.mouth_y - 2) / (i.below - i.mouth_y), 0, 1)
    return {
        "cheeks": spot(-i.eye_x - 4, i.nose_y + 2, 14, 11) + spot(i.eye_x + 4, i.nose_y + 2, 14, 11),
        "nose": spot(-i.nose_width, i.nose_y, 7, 7) + spot(i.nose_width, i.nose_y, 7, 7),
        "chin": spot(0, i.mouth_y + 24, 20, 10),
        "jaw": np.broadcast_to(below_mouth**0.8, SHAPE),
    }
