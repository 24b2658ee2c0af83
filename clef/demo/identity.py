"""What differs between people: shape and colours of the face, hair, room, light and camera.

Lengths are pixels of the 320-pixel drawing, colours RGB from 0 to 1. Everything that distinguishes recordings, except
facial behaviour, belongs to the person and never to the activity.
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, ...]

SKIN = (  # from light to dark
    (0.97, 0.82, 0.73), (0.93, 0.75, 0.63), (0.87, 0.68, 0.52), (0.78, 0.58, 0.43), (0.70, 0.50, 0.37),
    (0.60, 0.41, 0.31),
)  # fmt: skip
HAIR = (
    (0.09, 0.08, 0.09), (0.20, 0.13, 0.10), (0.34, 0.21, 0.13), (0.50, 0.25, 0.13), (0.80, 0.64, 0.38),
    (0.62, 0.61, 0.60),
)  # fmt: skip
CLOTHES = (
    (0.75, 0.20, 0.20), (0.15, 0.25, 0.50), (0.20, 0.45, 0.30), (0.90, 0.88, 0.82), (0.20, 0.20, 0.22),
    (0.80, 0.62, 0.20), (0.45, 0.30, 0.55),
)  # fmt: skip
IRIS = ((0.22, 0.13, 0.08), (0.30, 0.20, 0.10), (0.24, 0.36, 0.52), (0.28, 0.40, 0.26), (0.35, 0.37, 0.40))
WOMENS_HAIR = ("long", "bob", "fringe", "bun", "curly", "headscarf", "short")
MENS_HAIR = ("short", "buzz", "side", "curly", "bald", "receding", "beanie")
HEADWEAR = ("headscarf", "beanie")
BEARDS = ("none", "none", "none", "stubble", "moustache", "full")
ROOMS = ("plain", "blobs", "stripes", "shelves", "window", "tiles")


@dataclass(frozen=True)
class Identity:
    """One person in their room before their camera. Positions are relative to the face's centre."""

    skin: Colour
    lips: Colour
    hair: Colour
    brows: Colour
    iris: Colour
    clothes: Colour
    hair_style: str
    beard: str
    glasses: str
    half_width: float  # of the face, at the cheekbones
    above: float  # height of the skull
    below: float  # to the chin
    jaw: float  # width at the jaw's corner, as a share of the face's
    chin: float  # width just above the chin, as a share of the face's
    hairline: float  # height of the forehead
    eye_x: float
    eye_y: float
    eye_length: float  # half the width of an eye
    eye_open: float  # height of the open eye
    eye_tilt: float  # height of the outer corner above the inner one
    brow_y: float
    brow_thick: float
    brow_arch: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float  # half the width of the mouth
    upper_lip: float
    lower_lip: float
    freckles: int
    moles: int
    lines: float  # scales the contrast of wrinkles
    room: str
    room_colours: tuple[Colour, Colour]
    light: tuple[float, float]  # horizontal and vertical direction that the light comes from
    contrast: float  # share of the light that is directional
    tint: Colour
    noise: float  # standard deviation of the camera's noise, in grey levels
    blur: float  # standard deviation of the camera's blur, in pixels
    frame_x: float  # shift of the head in the frame
    frame_y: float
    frame_scale: float  # magnification of the head
    texture_seed: int  # for the grain of skin, hair and room


def random_identity(
    rng: np.random.Generator, woman: bool, tone: int | None = None, style: str | None = None, room: str | None = None
) -> Identity:
    """Draw a random person, except for what is given: index in `SKIN`, hair style, and one of `ROOMS`."""
    tone = int(rng.integers(len(SKIN))) if tone is None else tone
    skin = _vary(rng, SKIN[tone], 0.02)
    hair_choice = rng.integers(len(HAIR)) if tone < 3 else rng.integers(3)
    hair = _vary(rng, HAIR[hair_choice], 0.015)
    style = style or str(rng.choice(WOMENS_HAIR if woman else MENS_HAIR))
    if style in HEADWEAR:
        hair = _vary(rng, CLOTHES[rng.integers(len(CLOTHES))], 0.08)
    redness = rng.uniform(0.1, 0.75) if woman else rng.uniform(0.0, 0.3)
    lips = _mix((skin[0] * 0.80, skin[1] * 0.60, skin[2] * 0.60), (0.72, 0.18, 0.24), redness)
    width = rng.uniform(60, 72) * (0.97 if woman else 1.02)
    wall = rng.uniform(0.2, 0.85)
    room_base = _vary(rng, (wall, wall, wall), 0.07)
    # The order of the arguments below fixes the order of the random numbers.
    return Identity(
        skin=skin,
        lips=lips,
        hair=hair,
        brows=(0.13, 0.09, 0.07) if style in HEADWEAR else _mix(hair, (0.08, 0.06, 0.05), 0.55),
        iris=_vary(rng, IRIS[rng.integers(len(IRIS)) if tone < 3 else rng.integers(2)], 0.03),
        clothes=_vary(rng, CLOTHES[rng.integers(len(CLOTHES))], 0.08),
        hair_style=style,
        beard="none" if woman else str(rng.choice(BEARDS)),
        glasses=str(rng.choice(["none", "none", "none", "round", "square"])),
        half_width=width,
        above=rng.uniform(88, 98),
        below=rng.uniform(80, 96),
        jaw=rng.uniform(0.70, 0.82) if woman else rng.uniform(0.78, 0.92),
        chin=rng.uniform(0.34, 0.46) if woman else rng.uniform(0.42, 0.58),
        hairline=rng.uniform(58, 70),
        eye_x=width * rng.uniform(0.43, 0.49),
        eye_y=rng.uniform(-16, -9),
        eye_length=rng.uniform(13.5, 16.5),
        eye_open=rng.uniform(10.0, 13.5),
        eye_tilt=rng.uniform(-1.5, 3.0),
        brow_y=rng.uniform(-21, -16),
        brow_thick=rng.uniform(3.5, 5.5) if woman else rng.uniform(5.0, 8.0),
        brow_arch=rng.uniform(1.0, 5.5),
        nose_y=rng.uniform(20, 28),
        nose_width=rng.uniform(11, 16),
        mouth_y=rng.uniform(46, 53),
        mouth_width=width * rng.uniform(0.36, 0.43),
        upper_lip=rng.uniform(4.5, 7.5),
        lower_lip=rng.uniform(6.5, 10.0),
        freckles=int(rng.integers(20, 60)) if tone < 2 and rng.random() < 0.3 else 0,
        moles=int(rng.integers(0, 3)),
        lines=rng.uniform(0.75, 1.25),
        room=room or str(rng.choice(ROOMS)),
        room_colours=(room_base, _vary(rng, (wall * rng.uniform(0.5, 1.5),) * 3, 0.10)),
        light=(rng.uniform(-0.45, 0.45), rng.uniform(-0.6, -0.15)),
        contrast=rng.uniform(0.25, 0.42),
        tint=(rng.uniform(0.92, 1.05), rng.uniform(0.95, 1.0), rng.uniform(0.85, 1.06)),
        noise=rng.uniform(1.0, 4.0),
        blur=rng.uniform(0.0, 0.8),
        frame_x=rng.uniform(-16, 16),
        frame_y=rng.uniform(-8, 10),
        frame_scale=rng.uniform(0.92, 1.08),
        texture_seed=int(rng.integers(2**31)),
    )


def _vary(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    return tuple(np.clip(np.array(colour) + rng.normal(0, spread, 3), 0.03, 0.98).tolist())


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    return tuple(((1 - share) * np.array(one) + share * np.array(other)).tolist())
