"""Random changes to training images: drawn per image, applied to a whole batch on its device."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clef.batches.randomness import uniform
from clef.batches.transfer import to_device
from clef.params.schema import AugmentParams

GREY = (0.299, 0.587, 0.114)  # luma of red, green and blue, ITU-R BT.601
BLUR = (0.002, 0.009)  # range of the blur's standard deviation, as a share of the image's side
CACHED = 2**21  # bytes of float32 images that stay in a processor's cache from one operation to the next
SHRINK_ABOVE = 1.25  # images larger than this times the output are resized first, since sampling them would alias


@dataclass(frozen=True)
class Draws:
    """The changes to each image of a batch. Every array is (batch,)."""

    degrees: np.ndarray
    """Rotation, anticlockwise."""
    side: np.ndarray
    """Side of the visible square, as a share of the crop's side."""
    right: np.ndarray
    down: np.ndarray
    """Offset of the square's centre from the crop's, as a share of half the crop's side."""
    mirror: np.ndarray
    """Whether to swap left and right."""
    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    """Factors; 1 changes nothing, and saturation 0 is grey."""
    blur: np.ndarray
    """Standard deviation of the Gaussian blur as a share of the image's side; 0 for none."""


def draw(settings: AugmentParams, seed: int, stream: str, counters: np.ndarray | int, samples: np.ndarray) -> Draws:
    """Draw changes as a pure function of integers, so that a resumed run repeats them.

    Args:
        settings: Ranges and probabilities.
        seed: The training's seed.
        stream: Distinguishes the views of an image.
        counters: Step or epoch, one for all images or one per image.
        samples: Number of each image, (batch,). The changes to an image do not depend on the rest of its batch.
    """

    def between(name: str, low: float, high: float) -> np.ndarray:
        return low + (high - low) * uniform(seed, f"{stream} {name}", counters, samples)

    def chance(name: str, probability: float) -> np.ndarray:
        return uniform(seed, f"{stream} {name}", counters, samples) < probability

    def factor(name: str, change: float) -> np.ndarray:
        return between(name, 1 - change, 1 + change).clip(min=0)

    side = np.sqrt(between("scale", *settings.scale))
    room = settings.shift * (1 - side)
    return Draws(
        degrees=between("rotation", -settings.rotation, settings.rotation),
        side=side,
        right=between("right", -1, 1) * room,
        down=between("down", -1, 1) * room,
        mirror=chance("flip", settings.flip),
        brightness=factor("brightness", settings.brightness),
        contrast=factor("contrast", settings.contrast),
        saturation=np.where(chance("grey", settings.grey), 0, factor("saturation", settings.saturation)),
        blur=np.where(chance("blur", settings.blur), between("blur width", *BLUR), 0),
    )


def training_view(images: Tensor, draws: Draws, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Augment and normalise images, uint8 (batch, 3, side, side) to float32 (batch, 3, size, size)."""

    def view(part: slice) -> Tensor:
        changes = Draws(**{name: values[part] for name, values in vars(draws).items()})
        return normalise(augment(images[part], changes, size), mean, std)

    return _in_parts(images, size, view)


def evaluation_view(images: Tensor, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Resize and normalise whole images, uint8 (batch, 3, side, side) to float32 (batch, 3, size, size)."""
    return _in_parts(images, size, lambda part: normalise(centre(images[part], size), mean, std))


def _in_parts(images: Tensor, size: int, view: Callable[[slice], Tensor]) -> Tensor:
    """Make the views of a few images at a time on a CPU, so that they stay in its caches. The views are the same."""
    if images.device.type != "cpu":
        return view(slice(None))
    number = max(4, CACHED // (4 * 3 * max(size, images.shape[-1]) ** 2))
    return torch.cat([view(slice(start, start + number)) for start in range(0, max(len(images), 1), number)])


def augment(images: Tensor, draws: Draws, size: int) -> Tensor:
    """Rotate, scale, shift and mirror in one resampling, then change colours, then blur.

    Areas outside the crop show its reflection. The images are square and RGB, uint8 (batch, 3, side, side).

    Returns:
        Float32 from 0 to 1 on the images' device, (batch, 3, size, size).
    """
    pixels = images.float().div_(255)
    largest = round(SHRINK_ABOVE * size)
    if pixels.shape[-1] > largest:
        pixels = _resize(pixels, largest)
    return _blur(_recolour(_warp(pixels, draws, size), draws), draws)


def centre(images: Tensor, size: int) -> Tensor:
    """Resize whole images, uint8 (batch, 3, side, side), with antialiasing, as for evaluation.

    Returns:
        Float32 from 0 to 1, (batch, 3, size, size).
    """
    return _resize(images.float().div_(255), size)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Subtract a model's channel means and divide by its standard deviations, (batch, 3, height, width)."""
    return (images - _like(images, np.array(mean))[:, None, None]).div_(_like(images, np.array(std))[:, None, None])


def _resize(images: Tensor, size: int) -> Tensor:
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _warp(images: Tensor, draws: Draws, size: int) -> Tensor:
    # Affine maps from points of the result to points of the crop. Coordinates run from -1 to 1, y downwards.
    radians = np.deg2rad(draws.degrees)
    cosine, sine = draws.side * np.cos(radians), draws.side * np.sin(radians)
    sign = np.where(draws.mirror, -1, 1)
    x = np.stack([sign * cosine, -sine, draws.right], axis=-1)  # (batch, 3)
    y = np.stack([sign * sine, cosine, draws.down], axis=-1)
    across, down, offset = _like(images, np.stack([x, y], axis=1)).unbind(dim=-1)  # (batch, 2) each
    centres = _like(images, (2 * np.arange(size) + 1) / size - 1)  # (size,), of the pixels
    # The sums that F.affine_grid makes by a product of matrices, which takes longer than the resampling on a CPU.
    in_row = across[:, None] * centres[:, None]  # (batch, size, 2)
    in_column = down[:, None] * centres[:, None] + offset[:, None]  # (batch, size, 2)
    grid = in_column[:, :, None] + in_row[:, None]  # (batch, size, size, 2)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _recolour(images: Tensor, draws: Draws) -> Tensor:
    # Brightness b, contrast c and saturation s are applied in this order. They mix the image with black, with its mean
    # grey, and with the grey of each pixel. Together: b c (s x + (1 - s) grey) + b (1 - c) mean grey.
    b, c, s = draws.brightness, draws.contrast, draws.saturation
    shares = (b * c * s, b * c * (1 - s), b * (1 - c))
    own, grey_share, mean_share = (_like(images, share)[:, None, None, None] for share in shares)  # (batch, 1, 1, 1)
    luma = _like(images, np.array(GREY))[None, :, None, None]
    grey = (images * luma).sum(dim=1, keepdim=True)  # (batch, 1, size, size)
    mean = grey.mean(dim=(2, 3), keepdim=True)  # (batch, 1, 1, 1)
    return images.mul_(own).add_((grey_share * grey).add_(mean_share * mean)).clamp_(0, 1)


def _blur(images: Tensor, draws: Draws) -> Tensor:
    chosen = np.flatnonzero(draws.blur)
    if not len(chosen):
        return images
    size = images.shape[-1]
    radius = ceil(3 * BLUR[1] * size)
    # (blurred, tap)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (draws.blur[chosen, None] * size)) ** 2)
    weights = _like(images, taps / taps.sum(axis=1, keepdims=True))[:, :, None, None, None]
    indices = to_device(torch.from_numpy(chosen), images.device)
    padded = F.pad(images[indices], (radius,) * 4, mode="reflect")
    blurred = _convolve(_convolve(padded, weights, 2, size), weights, 3, size)
    return images.index_copy(0, indices, blurred.clamp(max=1))  # weights that are rounded may add up to more than 1


def _convolve(images: Tensor, weights: Tensor, dim: int, size: int) -> Tensor:
    """Convolve each image with its own weights, (batch, tap, 1, 1, 1), along one dimension."""
    total = weights[:, 0] * images.narrow(dim, 0, size)
    product = torch.empty_like(total)
    for k in range(1, weights.shape[1]):
        total.add_(torch.mul(weights[:, k], images.narrow(dim, k, size), out=product))
    return total


def _like(images: Tensor, values: np.ndarray) -> Tensor:
    return to_device(torch.as_tensor(values, dtype=images.dtype), images.device)
