"""Compare the speed of CLEF's batched RetinaFace with the package's `predict_jsons`, and measure cropping.

    python -m benchmarks.detection --device cuda --out benchmarks/figures/detection.json

Both run the same network on the same device at the same input size, with random weights that find tens of boxes: no
trained weights are available, and the number of boxes hardly affects the time. They take turns, and a figure is the
median over the rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from retinaface import predict_single  # type: ignore[import-untyped]

from benchmarks.figures_file import write_figures
from benchmarks.random_retinaface import noise_images, random_model
from clef.faces.crop import crop_shard
from clef.faces.detectors.retinaface import RetinaFaceDetector
from clef.params.schema import CropParams
from clef.recordings.sequence import RecordedSequence

SIDE = 640
"""`crop.detect_size`."""
SHAPE = (1392, 1040)
"""Height and width of BP4D's images."""
SCORE = 0.9
BATCHES = (1, 16, 64)
SEQUENCE = 500
"""Number of images to crop."""


def frames_per_second(call: Callable[[], object], frames: int) -> float:
    """Time one call."""
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return frames / (time.perf_counter() - began)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    arguments = parser.parse_args()
    pictures = noise_images([SHAPE] * arguments.frames)
    package = random_model(predict_single, SIDE)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pth"
        torch.save(package.model.state_dict(), weights)
        detector = RetinaFaceDetector(str(weights), SCORE, SIDE, arguments.device)
        package.device = arguments.device
        package.model.to(arguments.device)
        package.prior_box = package.prior_box.to(arguments.device)

        def ours(batch: int) -> None:
            for start in range(0, len(pictures), batch):
                detector.detect(pictures[start : start + batch])

        def theirs() -> None:
            for picture in pictures:
                package.predict_jsons(picture, confidence_threshold=SCORE)

        speeds: dict[str, list[float]] = {}
        for _ in range(arguments.rounds + 1):  # the first warms up
            speeds.setdefault("predict_jsons", []).append(frames_per_second(theirs, len(pictures)))
            for batch in BATCHES:
                call = lambda batch=batch: ours(batch)  # noqa: E731
                speeds.setdefault(f"batches of {batch}", []).append(frames_per_second(call, len(pictures)))
        medians = {name: statistics.median(measured[1:]) for name, measured in speeds.items()}
        figures: dict[str, Any] = {
            "frames_per_second": {name: round(speed, 1) for name, speed in medians.items()},
            "ratio_to_predict_jsons": {
                name: round(speed / medians["predict_jsons"], 2) for name, speed in medians.items()
            },
            "boxes_per_frame": round(sum(map(len, detector.detect(pictures[:8]))) / 8, 1),
        }
        for every in (1, 5):
            figures[f"cropped frames_per_second, every: {every}"] = round(
                cropped_per_second(Path(folder), pictures, str(weights), arguments.device, every), 1
            )
    print(figures)
    write_figures(arguments.out, f"python -m benchmarks.detection --device {arguments.device}", figures)


def cropped_per_second(folder: Path, pictures: list[np.ndarray], weights: str, device: str, every: int) -> float:
    """Crop a sequence of JPEG images in one process: read, detect, track, align and encode."""
    images = folder / "images"
    if not images.exists():
        images.mkdir()
        for number in range(SEQUENCE):
            cv2.imwrite(str(images / f"{number:04d}.jpg"), pictures[number % len(pictures)])
    settings = CropParams(detector="retinaface", weights=weights, device=device, every=every, score=SCORE, size=256)
    sequence = RecordedSequence("random", "s", "s", None, None, "s", "images", "images", 1)
    target, work = folder / f"every{every}.arrow", folder / "crop.work"
    return frames_per_second(lambda: crop_shard(folder, [sequence], settings, target, work), SEQUENCE)


if __name__ == "__main__":
    main()
