"""Random changes to training images: drawn for each image by itself, applied to a batch on its device."""

import functools
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clef.batches.randomness import uniform
from clef.params.schema import AugmentParams

GREY = (0.299, 0.587, 0.114)  # luma of red, green and blue, ITU-R BT.601
BLUR = (0.002, 0.009)  # least and largest standard deviation of the blur as a share of the image's side
SHRINK_ABOVE = 1.25  # plain bilinear sampling of anything larger than this times the wanted side would alias


@dataclass(frozen=True)
class Draws:
    """What happens to each image of a batch; every array is `(batch,)`."""

    degrees: np.ndarray
    """Rotation, anticlockwise."""
    side: np.ndarray
    """Side of the square that is seen, as a share of the crop's side."""
    right: np.ndarray
    down: np.ndarray
    """How far the square's middle lies off the crop's, as a share of half the crop's side."""
    mirror: np.ndarray
    """Whether left and right change places."""
    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    """Factors; 1 leaves the image as it is. Saturation 0 is grey."""
    blur: np.ndarray
    """Standard deviation of the Gaussian as a share of the image's side; 0 for none."""


def draw(settings: AugmentParams, seed: int, stream: str, counters: np.ndarray | int, samples: np.ndarray) -> Draws:
    """Draw changes as a pure function of the integers, so that a resumed run repeats them.

    Args:
        settings: Ranges and chances.
        seed: Of the run.
        stream: Tells views of one image apart, such as `view 0`.
        counters: Step or epoch; one number, or one for each image.
        samples: Number of each image, `(batch,)`. What an image gets does not depend on the others in its
            batch.
    """

    def between(name: str, low: float, high: float) -> np.ndarray:
        return low + (high - low) * uniform(seed, f"{stream} {name}", counters, samples)

    def chance(name: str, share: float) -> np.ndarray:
        return uniform(seed, f"{stream} {name}", counters, samples) < share

    side = np.sqrt(between("scale", *settings.scale))
    room = settings.shift * (1 - side)
    return Draws(
        degrees=between("rotation", -settings.rotation, settings.rotation),
        side=side,
        right=between("right", -1, 1) * room,
        down=between("down", -1, 1) * room,
        mirror=chance("flip", settings.flip),
        brightness=between("brightness", 1 - settings.brightness, 1 + settings.brightness).clip(min=0),
        contrast=between("contrast", 1 - settings.contrast, 1 + settings.contrast).clip(min=0),
        saturation=np.where(
            chance("grey", settings.grey),
            0,
            between("saturation", 1 - settings.saturation, 1 + settings.saturation).clip(min=0),
        ),
        blur=np.where(chance("blur", settings.blur), between("blur width", *BLUR), 0),
    )


def augment(images: Tensor, draws: Draws, size: int) -> Tensor:
    """Apply the draws: rotate, scale, shift and mirror in one sampling, then change colours, then blur.

    What lies beyond the crop's borders is its reflection.

    Args:
        images: Square RGB images, uint8, `(batch, 3, side, side)`.
        draws: One of each for every image.
        size: Side of the result in pixels.

    Returns:
        Float32 from 0 to 1 on the images' device, `(batch, 3, size, size)`.
    """
    seen = _warp(_shrink(_unit(images), size), draws, size)
    return _blur(_recolour(seen, draws), draws)


def centre(images: Tensor, size: int) -> Tensor:
    """Resize whole images, antialiased, as evaluation sees them.

    Args:
        images: RGB images, uint8, `(batch, 3, side, side)`.
        size: Side of the result in pixels.

    Returns:
        Float32 from 0 to 1, `(batch, 3, size, size)`.
    """
    return _resize(_unit(images), size)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Subtract a model's channel means and divide by its standard deviations; `(batch, 3, height, width)`."""
    return (images - images.new_tensor(mean)[:, None, None]) / images.new_tensor(std)[:, None, None]


def _unit(images: Tensor) -> Tensor:
    return images.float() / 255


def _resize(images: Tensor, size: int) -> Tensor:
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _shrink(images: Tensor, size: int) -> Tensor:
    largest = round(SHRINK_ABOVE * size)
    return _resize(images, largest) if images.shape[-1] > largest else images


def _warp(images: Tensor, draws: Draws, size: int) -> Tensor:
    # From a place in the result to the place in the crop seen there; both run from -1 to 1, y downwards.
    radians = np.deg2rad(draws.degrees)
    cosine, sine = draws.side * np.cos(radians), draws.side * np.sin(radians)
    sign = np.where(draws.mirror, -1, 1)
    across = np.stack([sign * cosine, -sine, draws.right], axis=-1)
    downwards = np.stack([sign * sine, cosine, draws.down], axis=-1)
    maps = _like(images, np.stack([across, downwards], axis=1))  # (batch, 2, 3)
    grid = F.affine_grid(maps, [len(images), 3, size, size], align_corners=False)  # (batch, size, size, 2)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _recolour(images: Tensor, draws: Draws) -> Tensor:
    # Brightness b, contrast c and saturation s one after the other, each a mixture with black, with the mean
    # grey or with the pixel's own grey, come to b c (s x + (1 - s) grey) + b (1 - c) mean grey.
    brightness, contrast, saturation = draws.brightness, draws.contrast, draws.saturation
    own, grey_share, mean_share = (
        _like(images, share)[:, None, None, None]
        for share in (
            brightness * contrast * saturation,
            brightness * contrast * (1 - saturation),
            brightness * (1 - contrast),
        )
    )
    luma = images.new_tensor(GREY)[None, :, None, None]
    grey = (images * luma).sum(dim=1, keepdim=True)  # (batch, 1, size, size)
    mean = grey.mean(dim=(2, 3), keepdim=True)  # (batch, 1, 1, 1)
    return (own * images + (grey_share * grey + mean_share * mean)).clamp(0, 1)


def _blur(images: Tensor, draws: Draws) -> Tensor:
    chosen = np.flatnonzero(draws.blur)
    if not len(chosen):
        return images
    size = images.shape[-1]
    radius = ceil(3 * BLUR[1] * size)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (draws.blur[chosen, None] * size)) ** 2)
    weights = _like(images, taps / taps.sum(axis=1, keepdims=True))[:, :, None, None, None]
    places = torch.as_tensor(chosen, device=images.device)
    padded = F.pad(images[places], (radius,) * 4, mode="reflect")
    blurred = _smear(_smear(padded, weights, 2, size), weights, 3, size)
    return images.index_copy(0, places, blurred)


def _smear(images: Tensor, weights: Tensor, dim: int, size: int) -> Tensor:
    """Convolve along one dimension, with weights `(batch, tap, 1, 1, 1)` of each image's own."""
    taps = (weights[:, k] * images.narrow(dim, k, size) for k in range(weights.shape[1]))
    return functools.reduce(torch.add, taps)


def _like(images: Tensor, values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=images.dtype, device=images.device)
