"""Crop a face out of an image at a fixed size, aligned by its eyes or its box."""

import cv2
import numpy as np

from clef.faces.detectors import Face
from clef.params.schema import CropParams

RIGHT_EYE = (0.36, 0.36)
LEFT_EYE = (0.64, 0.36)
"""Target positions of the person's eyes, as shares of the crop's side. The chin is about two eye distances below the
eyes, so an open mouth still fits, and the brows have room to rise."""


def crop_face(image: np.ndarray, face: Face, settings: CropParams) -> np.ndarray:
    """Crop a face out of an image, RGB uint8 `(height, width, 3)`, by the settings `align`, `margin` and `size`.

    Returns RGB uint8, `(size, size, 3)`. The image's edge is repeated beyond the image.
    """
    matrix = None
    if settings.align == "eyes" and face.landmarks is not None:
        matrix = _eyes_matrix(face.landmarks, settings.size)
    if matrix is None:
        side = max(face.box[2], face.box[3]) * (1 + settings.margin)
        scale = settings.size / max(side, 1.0)
        matrix = np.column_stack([np.eye(2) * scale, settings.size / 2 - scale * face.centre])
    return _warp(image, matrix, settings.size)


def _eyes_matrix(landmarks: np.ndarray, size: int) -> np.ndarray | None:
    """Return the similarity, `(2, 3)`, that moves both eyes to their targets, or None if they coincide."""
    right, left = landmarks[0], landmarks[1]
    target_right, target_left = np.array(RIGHT_EYE) * size, np.array(LEFT_EYE) * size
    across, target_across = left - right, target_left - target_right
    distance = float(across @ across)
    if distance < 1:
        return None
    cosine = float(across @ target_across) / distance
    sine = float(across[0] * target_across[1] - across[1] * target_across[0]) / distance
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, target_right - turn @ right])


def _warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Apply a similarity whose origin is the image's corner, not the centre of its first pixel.

    The image is first shrunk by area if the scale is small: a warp reads only four pixels and would alias.
    """
    matrix = np.vstack([matrix, [0, 0, 1]])
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if scale < 0.5:
        image, to_source = _shrink_visible_part(image, matrix, size, scale)
        matrix = matrix @ to_source
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(half) @ matrix @ half
    return cv2.warpAffine(image, matrix[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shrink_visible_part(
    image: np.ndarray, matrix: np.ndarray, size: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shrink the part of the image that the crop shows by a whole factor, to no less than the crop's size.

    Returns the part, and the matrix `(3, 3)` from its coordinates to those of `image`.
    """
    factor = int(1 / scale)
    corners = np.array([[0, size, size, 0], [0, 0, size, size], [1, 1, 1, 1]], float)
    shown = (np.linalg.inv(matrix) @ corners)[:2]
    border = 2 * factor  # for the warp's interpolation, and to repeat the edge beyond the image
    limits = np.array([image.shape[1], image.shape[0]])
    first = np.clip(np.floor(shown.min(axis=1)).astype(int), 0, limits - 1) - border
    last = np.clip(np.ceil(shown.max(axis=1)).astype(int), first + border + 1, limits) + border
    last += (first - last) % factor  # whole blocks only
    (left, top), (right, bottom) = first.tolist(), last.tolist()
    part = cv2.copyMakeBorder(
        image[max(0, top) : bottom, max(0, left) : right],
        max(0, -top),
        max(0, bottom - image.shape[0]),
        max(0, -left),
        max(0, right - image.shape[1]),
        cv2.BORDER_REPLICATE,
    )
    shrunk = cv2.resize(part, (part.shape[1] // factor, part.shape[0] // factor), interpolation=cv2.INTER_AREA)
    return shrunk, np.array([[factor, 0, left], [0, factor, top], [0, 0, 1]], float)
