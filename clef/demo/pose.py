"""A face and its head at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pose:
    """Expression and position of the head in one frame. Directions are those of the image, angles in radians."""

    units: Mapping[int, float] = field(default_factory=dict)  # intensity of each action unit, 0 to 1
    jaw: float = 0.0  # opening of the mouth by speech, 0 to 1
    blink: float = 0.0  # 0 open to 1 shut
    gaze: tuple[float, float] = (0.0, 0.0)  # right and down, each -1 to 1
    yaw: float = 0.0  # to the right
    pitch: float = 0.0  # downwards
    roll: float = 0.0  # clockwise
    shift: tuple[float, float] = (0.0, 0.0)  # right and down, in pixels of the 320-pixel drawing
    scale: float = 1.0
