"""Compare cropping with its steps alone, and with the detector of `retinaface-pytorch` in a plain loop.

    python -m benchmarks.crop --out benchmarks/figures/crop.json

The frames are those of a rendered video, or on a GPU of images as large as BP4D's. RetinaFace has random weights, since
trained ones are not available; its network runs in full, but its boxes are replaced by those of one steady, upright
face, as a trained network would find. `predict_jsons` only detects; CLEF also aligns, encodes and writes the crops.
"""

import argparse
import itertools
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from retinaface import predict_single  # type: ignore[import-untyped]

from benchmarks.figures_file import write_figures
from benchmarks.random_retinaface import random_model
from benchmarks.rounds import per_second, ratio, take_turns
from clef.demo.clip import plan_clips
from clef.faces.crop import crop_shard
from clef.faces.detectors import Face, build_detector
from clef.faces.detectors.retinaface import RetinaFaceDetector
from clef.faces.search import chunks
from clef.faces.turns import CUT_MARGINS, MOSAIC_CELL
from clef.fixtures.formats import put_video
from clef.params.schema import CropParams, RenderParams
from clef.recordings.frames import read_frames
from clef.recordings.sequence import RecordedSequence

RETINAFACE, LOADING = "retinaface", "load the detector"
SIDE = 640
"""`crop.detect_size`."""
SHAPE = {"cpu": (360, 640), "cuda": (1392, 1040)}
"""Height and width of the frames; those on a GPU are as large as BP4D's images."""
SCORE = 0.9
STEADY = Face(
    (250.0, 100.0, 120.0, 150.0), 0.99, np.array([(285, 155), (335, 155), (310, 185), (290, 215), (330, 215)], float)
)
CUT_FACES = [
    Face((MOSAIC_CELL * (column + 0.3), MOSAIC_CELL * (turn + 0.3), 32.0, 32.0), 0.99 if turn == 0 else 0.95)
    for turn in range(4)
    for column in range(len(CUT_MARGINS))
]
"""Those of the cuts that show how the steady face is turned."""
MOSAIC_SHAPE = (4 * MOSAIC_CELL, len(CUT_MARGINS) * MOSAIC_CELL, 3)


def rendered_frames(shape: tuple[int, int], number: int) -> list[np.ndarray]:
    """Return RGB frames of a rendered person, enlarged to a shape. They repeat if they are too few."""
    (clip, *_) = plan_clips(RenderParams(kind="videos", subjects=2, activities=2, seconds=(2.0, 2.0)))
    with tempfile.TemporaryDirectory() as folder:
        clip.render(Path(folder))
        (video,) = Path(folder).rglob("*.mp4")
        frames = [frame.image for frame in read_frames(Path(), recording(video, "video")) if frame.image is not None]
    height, width = shape
    scale = min(height / frames[0].shape[0], width / frames[0].shape[1])
    small = [cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) for frame in frames]
    top, left = (height - small[0].shape[0]) // 2, (width - small[0].shape[1]) // 2
    canvas = [np.full((height, width, 3), 127, np.uint8) for _ in small]
    for image, frame in zip(canvas, small, strict=True):
        image[top : top + len(frame), left : left + frame.shape[1]] = frame
    return list(itertools.islice(itertools.cycle(canvas), number))


def recording(path: Path, kind: str) -> RecordedSequence:
    """Describe a video, or a folder of images."""
    return RecordedSequence("benchmark", "s", "s", None, None, "s", kind, str(path), 1)  # type: ignore[arg-type]


def put_images(folder: Path, frames: Sequence[np.ndarray]) -> None:
    """Write frames as numbered JPEG files."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def retinaface_calls(source: RecordedSequence, folder: Path, device: str) -> dict[str, Callable[[], object]]:
    """Return calls that detect in, or crop, all frames with a RetinaFace of random weights."""
    package = random_model(predict_single, SIDE)
    weights = folder / "weights.pth"
    torch.save(package.model.state_dict(), weights)
    package.device = device
    package.model.to(device)
    package.prior_box = package.prior_box.to(device)
    cores = os.cpu_count() or 1
    settings = CropParams(detector="retinaface", weights=str(weights), device=device, score=SCORE, size=256)
    detect = RetinaFaceDetector.detect

    def found(self: RetinaFaceDetector, images: Sequence[np.ndarray]) -> list[list[Face]]:
        detect(self, images)
        return [CUT_FACES if image.shape == MOSAIC_SHAPE else [STEADY] for image in images]

    RetinaFaceDetector.detect = found  # type: ignore[method-assign]

    def predict_jsons() -> None:
        torch.set_num_threads(cores)
        for image in captured(source):
            package.predict_jsons(image, confidence_threshold=SCORE)

    calls: dict[str, Callable[[], object]] = {
        "predict_jsons over VideoCapture": predict_jsons,
        LOADING: lambda: build_detector(settings),
    }
    for threads, every in ((cores, 1), (cores, 5), (1, 1)):
        changed = settings.model_copy(update={"threads": threads, "every": every})
        calls[f"clef crop, threads: {threads}, every: {every}"] = partial(crop, source, changed, folder)
    return calls


def captured(source: RecordedSequence) -> Iterator[np.ndarray]:
    """Yield the RGB frames that OpenCV reads."""
    path = Path(source.source)
    capture = cv2.VideoCapture(str(path if path.is_file() else path / "%04d.jpg"))
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def crop(source: RecordedSequence, settings: CropParams, folder: Path) -> None:
    """Crop a recording to a shard."""
    report = crop_shard(Path(), [source], settings, folder / "shard.arrow", folder / "work")
    assert not report.statuses["undecodable"]


def steps(source: RecordedSequence, name: str, weights: str | None, folder: Path) -> dict[str, Callable[[], object]]:
    """Return calls that decode, detect in, and crop all frames with a detector."""
    settings = CropParams(detector=name, weights=weights, size=256)  # type: ignore[arg-type]
    detector = build_detector(settings)
    images = [frame.image for frame in read_frames(Path(), source) if frame.image is not None]

    def detect() -> None:
        for batch in chunks(images, settings.batch):
            detector.detect(batch)

    return {
        f"{name}: decode": lambda: sum(1 for _ in read_frames(Path(), source)),
        f"{name}: detect": detect,
        f"{name}: clef crop": partial(crop, source, settings, folder),
    }


def retinaface_ratios(seconds: dict[str, list[float]], frames: int) -> dict[str, float]:
    """Compare crops by RetinaFace with `predict_jsons`, whose network was loaded before, and with one thread."""
    cores, plain, whole = os.cpu_count() or 1, "predict_jsons over VideoCapture", "clef crop, threads: {}, every: {}"
    loading = statistics.median(seconds[LOADING])
    figures = {
        "times predict_jsons": ratio(seconds, whole.format(cores, 1), plain),
        "times predict_jsons, every: 5": ratio(seconds, whole.format(cores, 5), plain),
        f"{cores} threads to 1": ratio(seconds, whole.format(cores, 1), whole.format(1, 1)),
        "seconds to load the detector, of each crop": round(loading, 2),
    }
    for every in (1, 5):
        cropping = statistics.median(seconds[whole.format(cores, every)]) - loading
        figures[f"frames a second without loading, every: {every}"] = round(frames / cropping, 2)
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crop", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--detectors", nargs="*", default=["mtcnn", "lbp", RETINAFACE])
    parser.add_argument("--weights", help="file of the weights that yunet needs")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder, frames = Path(name), rendered_frames(SHAPE[given.device], given.frames)
        if given.device == "cuda":
            source = recording(folder / "images", "images")
            put_images(folder / "images", frames)
        else:
            source = recording(folder / "video.mp4", "video")
            put_video(folder / "video.mp4", frames)
        seconds = {}
        for detector in given.detectors:
            if detector == RETINAFACE:
                calls = retinaface_calls(source, folder, given.device)
            else:
                calls = steps(source, detector, given.weights, folder)
            seconds |= take_turns(calls, given.rounds, warm_up=detector != RETINAFACE or given.device == "cuda")
    cropped = {name: measured for name, measured in seconds.items() if name != LOADING}
    figures: dict[str, Any] = {"frames_per_second": per_second(cropped, given.frames)}
    if RETINAFACE in given.detectors:
        figures |= retinaface_ratios(seconds, given.frames)
    for detector in given.detectors:
        if detector == RETINAFACE:
            continue
        decoded, detected = seconds[f"{detector}: decode"], seconds[f"{detector}: detect"]
        alone = {"alone": [sum(pair) for pair in zip(decoded, detected, strict=True)]}
        name = f"{detector}: time of clef crop to that of decode and detect"
        figures[name] = ratio(alone | seconds, "alone", f"{detector}: clef crop")
    for name, figure in figures.items():
        print(name, figure)
    write_figures(given.out, figures)


if __name__ == "__main__":
    main()
