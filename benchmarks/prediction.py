"""Compare the speed of `clef predict` with its steps alone, and its memory for a short and a long video.

    python -m benchmarks.prediction --video talk.mp4 --model demo --out prediction.json

The video should show one face all the time. All take turns, and a figure is the median over the rounds, the first of
which only warms up. Memory is the peak of a process of its own, for videos that repeat the given one's frames in small.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.figures_file import write_figures
from benchmarks.peak_memory import peak_kilobytes
from benchmarks.rounds import per_second, take_turns
from clef.faces.crop import crop_row
from clef.faces.detectors import build_detector
from clef.faces.face_track import track_face
from clef.faces.shard import decode_crop
from clef.fixtures.formats import FPS, put_video
from clef.predict.batches import BATCH
from clef.predict.inputs import find_recordings
from clef.predict.predict_files import Options, predict_files
from clef.predict.table import Layout
from clef.predict.workers import available_cores
from clef.recordings.frames import read_frames
from clef.trained.crop_settings import crop_settings
from clef.trained.load import load_model

SECONDS = (30, 1800)
SIDE = 320
"""Height of the videos whose memory is measured."""


def steps(video: str, name: str, device: str) -> dict[str, Callable[[], object]]:
    """Return calls that predict a video, as a whole and each step alone, by name."""
    cv2.setNumThreads(1)
    model = load_model(name, device=device)
    ((recording,), _) = find_recordings([video])
    settings, _ = crop_settings(model.config.crop, None, device)
    detector, layout = build_detector(settings), Layout.of(model.config, name, [])
    frames = list(read_frames(Path(), recording))
    tracked = list(track_face(frames, detector, settings))

    def crop() -> list[np.ndarray]:
        rows = (crop_row(video, item, settings) for item in tracked if item.face)
        return [image for row in rows if (image := decode_crop(row["crop"])) is not None]

    crops, size = torch.from_numpy(np.stack(crop())).permute(0, 3, 1, 2), BATCH[device]

    def tower() -> None:
        for start in range(0, len(crops), size):
            model.predict(crops[start : start + size])

    def predict(cores: int) -> None:
        with tempfile.TemporaryDirectory() as work:
            predict_files(model, layout, [recording], Options(cores), Path(work))

    return {
        "decode": lambda: sum(1 for _ in read_frames(Path(), recording)),
        "detect and follow": lambda: sum(1 for _ in track_face(frames, detector, settings)),
        "crop, encode and decode": crop,
        "tower": tower,
        "predict, 1 core": lambda: predict(1),
        f"predict, {available_cores()} cores": lambda: predict(available_cores()),
    }


def speeds(video: str, name: str, device: str, rounds: int) -> dict[str, float]:
    """Frames a second of each step."""
    frames = sum(1 for _ in read_frames(Path(), find_recordings([video])[0][0]))
    calls = steps(video, name, device)
    return {step: figure["median"] for step, figure in per_second(take_turns(calls, rounds), frames).items()}


def repeated(video: str, frames: int) -> Iterator[np.ndarray]:
    """Yield as many small images, from the first 50 of a video."""
    (recording,), _ = find_recordings([video])
    first = itertools.islice(read_frames(Path(), recording), 50)
    images = [frame.image for frame in first if frame.image is not None]
    width = 2 * round(SIDE * images[0].shape[1] / images[0].shape[0] / 2)
    small = [cv2.resize(image, (width, SIDE)) for image in images]
    return itertools.islice(itertools.cycle(small), frames)


def peak_megabytes(video: str, name: str, device: str, seconds: int) -> float:
    """Peak memory of `clef predict` for a video of this length."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "video.mp4", Path(folder) / "table.parquet"
        put_video(path, repeated(video, seconds * FPS))
        arguments = ["predict", str(path), "--model", name, "--out", str(out), "--workers", "1", "--device", device]
        return round(peak_kilobytes(*arguments) / 1024, 1)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__.splitlines()[0])
    parser.add_argument("--video", required=True)
    parser.add_argument("--model", required=True, help="run with results, or folder from `clef export`")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, nargs="*", default=SECONDS, help="lengths to measure the memory for")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    given = parser.parse_args()
    figures: dict[str, Any] = {"frames_per_second": speeds(given.video, given.model, given.device, given.rounds)}
    figures["peak_megabytes"] = {
        f"{seconds} s": peak_megabytes(given.video, given.model, given.device, seconds) for seconds in given.seconds
    }
    print(figures)
    if given.out:
        write_figures(given.out, figures)


if __name__ == "__main__":
    main()
