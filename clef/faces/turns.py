"""Find faces that lie on their side or upside down, by turning images and small cuts of them."""

from collections.abc import Sequence

import numpy as np

from clef.faces.alignment import crop_face
from clef.faces.detectors import Detector, Face
from clef.params.schema import CropParams

CUT_SIZE, CUT_MARGINS = 64, (0.3, 0.6, 1.0)
"""Side in pixels, and margins as shares of a face's side, of the cuts that show how a face is turned."""

MOSAIC_GAP, MOSAIC_GREY = 16, 127
"""Pixels round each cut of a mosaic, and their value."""
MOSAIC_CELL = CUT_SIZE + 2 * MOSAIC_GAP


def upright_turn(detector: Detector, image: np.ndarray, face: Face) -> int | None:
    """Return the quarter turns in which a detector is most certain of a face, in small cuts around it.

    A face is found in all cuts with the right turn. If no turn has such cuts, return None: it may be no face.
    """
    box = Face(face.box, face.score)
    cuts = [crop_face(image, box, CropParams(align="box", margin=margin, size=CUT_SIZE)) for margin in CUT_MARGINS]
    turned = [np.ascontiguousarray(np.rot90(cut, turn)) for turn in range(4) for cut in cuts]
    found = _detect_in_mosaic(detector, turned) if detector.prefers_mosaics else detector.detect(turned)
    scores = np.reshape([max((face.score for face in faces), default=0.0) for faces in found], (4, -1))
    certainty = -np.log(1 - scores.clip(0, 1 - 1e-7)).mean(axis=1) * scores.all(axis=1)
    return int(certainty.argmax()) if certainty.any() else None


def detect_turned(detector: Detector, image: np.ndarray, turn: int) -> list[Face]:
    """Find the faces in an image turned anticlockwise by 1 to 3 quarter turns, in coordinates of the unturned image."""
    (faces,) = detector.detect([np.ascontiguousarray(np.rot90(image, turn))])
    return [_unturn(face, image, turn) for face in faces]


def _detect_in_mosaic(detector: Detector, cuts: Sequence[np.ndarray]) -> list[list[Face]]:
    """Find the faces in cuts of one size, in coordinates of the mosaic that shows them side by side."""
    columns, gap = len(CUT_MARGINS), (MOSAIC_GAP, MOSAIC_GAP)
    cells = [np.pad(cut, (gap, gap, (0, 0)), constant_values=MOSAIC_GREY) for cut in cuts]
    rows = [np.hstack(cells[first : first + columns]) for first in range(0, len(cells), columns)]
    found: list[list[Face]] = [[] for _ in cuts]
    for face in detector.detect([np.vstack(rows)])[0]:
        column, row = (face.centre // MOSAIC_CELL).astype(int).clip(0, [columns - 1, len(rows) - 1])
        if face.area <= MOSAIC_CELL**2:
            found[row * columns + column].append(face)
    return found


def _unturn(face: Face, image: np.ndarray, turn: int) -> Face:
    height, width = image.shape[:2]

    def original(points: np.ndarray) -> np.ndarray:
        x, y = points.T
        return np.stack({1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turn], axis=1)

    corners = original(np.array([face.box[:2], np.add(face.box[:2], face.box[2:])]))
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = None if face.landmarks is None else original(face.landmarks)
    return Face((left, top, right - left, bottom - top), face.score, landmarks)
