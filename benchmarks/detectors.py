"""Compare the face detectors on videos and images: what they find, their time, and their scores of turned faces.

    python -m benchmarks.detectors talk.mp4 group.jpg --detectors mtcnn lbp --out benchmarks/figures/detectors.json

Times are medians over the frames, each searched alone in one thread. The detectors take turns at each frame.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.figures_file import write_figures
from clef.faces.detectors import Detector, Face, build_detector
from clef.faces.search import search_frames
from clef.params.schema import CropParams
from clef.predict.inputs import find_recordings
from clef.recordings.frames import Frame, read_frames


def timed(call: Callable[[], list[Any]]) -> tuple[list[Any], float]:
    """Return the result of a call, and its seconds."""
    began = time.perf_counter()
    return call(), time.perf_counter() - began


class Tally:
    """Collects what a detector finds in the frames of a file."""

    def __init__(self, settings: CropParams) -> None:
        self.detector: Detector = build_detector(settings)
        self._settings = settings
        self._upright: list[list[Face]] = []
        self._turned: list[Face] = []
        self._detect_seconds: list[float] = []
        self._search_seconds: list[float] = []

    def add(self, frame: Frame) -> None:
        """Detect the faces of a frame as it is, turned, and with the search that crops single images."""
        image = frame.image
        assert image is not None
        (found,), seconds = timed(lambda: self.detector.detect([image]))
        _, search_seconds = timed(lambda: list(search_frames([frame], self.detector, self._settings, stills=True)))
        self._upright.append(found)
        self._detect_seconds.append(seconds)
        self._search_seconds.append(search_seconds)
        for turn in (1, 2, 3):
            self._turned += self.detector.detect([np.ascontiguousarray(np.rot90(image, turn))])[0]

    def figures(self) -> dict[str, Any]:
        """Figures of all frames. Scores say which faces are upright for certain, see `Detector.upright_score`."""
        upright = [face.score for faces in self._upright for face in faces]
        return {
            "detector": self.detector.fingerprint,
            "frames": len(self._upright),
            "frames_with_face": sum(map(bool, self._upright)),
            "faces": len(upright),
            "milliseconds": round(1000 * statistics.median(self._detect_seconds), 1),
            "search_to_detection_time": round(sum(self._search_seconds) / sum(self._detect_seconds), 2),
            "upright_for_certain": sum(score >= self.detector.upright_score for score in upright),
            "turned_faces": len(self._turned),
            "best_turned_score": max((round(face.score, 4) for face in self._turned), default=None),
        }


def measure(file: str, settings: dict[str, CropParams], every: int) -> dict[str, Any]:
    """Figures of each detector for every n-th frame of a file."""
    ((recording,), _) = find_recordings([file])
    tallies = {name: Tally(own) for name, own in settings.items()}
    frames = list(itertools.islice(read_frames(Path(), recording), 0, None, every))
    for tally in tallies.values():
        tally.detector.detect([frame.image for frame in frames[:1] if frame.image is not None])  # warms up
    for frame in frames:
        if frame.image is not None:
            for tally in tallies.values():
                tally.add(frame)
    return {name: tally.figures() for name, tally in tallies.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", help="videos and images")
    parser.add_argument("--detectors", nargs="+", default=["mtcnn", "lbp"], help="mtcnn, yunet, retinaface or lbp")
    parser.add_argument("--weights", nargs="*", default=[], metavar="DETECTOR=FILE", help="weights in other places")
    parser.add_argument("--every", type=int, default=1, help="use every n-th frame of a video")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    weights = dict(option.split("=", 1) for option in given.weights)
    settings = {name: CropParams(detector=name, weights=weights.get(name)) for name in given.detectors}
    figures = {Path(file).name: measure(file, settings, given.every) for file in given.files}
    for file, own in figures.items():
        for name, values in own.items():
            print(file, name, {key: value for key, value in values.items() if key != "detector"})
    write_figures(given.out, figures)


if __name__ == "__main__":
    main()
