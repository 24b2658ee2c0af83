"""What a face and its head do at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pose:
    """Expression and position of the head in one frame. Pixels are those of the 320-pixel drawing."""

    units: Mapping[int, float] = field(default_factory=dict)
    """Action unit to intensity, 0 to 1."""
    jaw: float = 0.0
    """Opening of the mouth by speech, 0 to 1."""
    blink: float = 0.0
    """0 open to 1 shut."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """To the right of the picture and down, each -1 to 1."""
    yaw: float = 0.0
    """Radians to the right of the picture."""
    pitch: float = 0.0
    """Radians downwards."""
    roll: float = 0.0
    """Radians clockwise."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels to the right and down."""
    scale: float = 1.0
