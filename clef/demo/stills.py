"""Still images of expressions: every image shows another person. Train and test split, unbalanced classes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from clef.demo.behaviour import ACTION_UNITS, EXPRESSION_SHARES, EXPRESSIONS
from clef.demo.camera import Camera
from clef.demo.face_renderer import FaceRenderer
from clef.demo.identity import random_identity
from clef.demo.pose import Pose
from clef.params.schema import RenderParams
from clef.runtime.files import atomic_write

JPEG_QUALITY = 92
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Still:
    """One image of the set."""

    settings: RenderParams
    split: str
    number: int  # from 1

    @property
    def image(self) -> str:
        """Name in `labels.csv`."""
        return f"{self.split}/{self.number:05d}.jpg"

    @property
    def files(self) -> list[str]:
        """The image's path relative to the set's folder."""
        return [f"images/{self.image}"]

    @cached_property
    def expression(self) -> str:
        """Random expression."""
        names, shares = zip(*EXPRESSION_SHARES.items(), strict=True)
        return names[int(self._random(0).choice(len(names), p=shares))]

    def pose(self) -> Pose:
        """Draw a random pose with the expression as this person shows it, and some other action units."""
        rng = self._random(1)
        strength = rng.uniform(0.45, 1.0)
        units = {
            number: float(np.clip(level * strength * rng.normal(1, 0.15), 0, 1))
            for number, level in EXPRESSIONS[self.expression].items()
            if rng.random() > 0.1
        }
        for number in rng.choice(ACTION_UNITS, rng.poisson(0.7), replace=False):
            units[int(number)] = max(units.get(int(number), 0.0), float(rng.uniform(0.1, 0.4)))
        return Pose(
            units=units,
            jaw=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.25 else 0.0,
            gaze=(float(np.clip(rng.normal(0, 0.4), -1, 1)), float(np.clip(rng.normal(0, 0.25), -1, 1))),
            yaw=float(rng.normal(0, 0.12)),
            pitch=float(rng.normal(0, 0.07)),
            roll=float(rng.normal(0, 0.07)),
            shift=(float(rng.normal(0, 5)), float(rng.normal(0, 4))),
            scale=float(rng.normal(1, 0.03)),
        )

    def render(self, root: Path) -> None:
        """Write the image below `root`."""
        rng = self._random(2)
        identity = random_identity(rng, woman=bool(rng.random() < 0.5))
        face = FaceRenderer(identity)
        drawing = face.draw(self.pose(), face.backdrop((0, 0), 1.0))
        bgr = cv2.cvtColor(Camera(identity, self.settings.size).take(drawing, (0, 0)), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        with atomic_write(root / self.files[0]) as partial:
            partial.write_bytes(encoded.tobytes())

    def _random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, 4, SPLITS.index(self.split), self.number, purpose])


def plan_stills(settings: RenderParams) -> list[Still]:
    """Return every image of the set."""
    numbers = {"train": settings.train_images, "test": settings.test_images}
    return [Still(settings, split, n + 1) for split in SPLITS for n in range(numbers[split])]


def stills_csv(stills: list[Still]) -> str:
    """Format the header `image,expression` and one line per image."""
    return "image,expression\n" + "".join(f"{still.image},{still.expression}\n" for still in stills)
