"""Measure how cropping and the manifest grow with the data set, up to as many images as BP4D.

    python -m benchmarks.scale --out benchmarks/figures/scale.json

Makes three miniatures of BP4D with all of its 328 recordings and small images in a temporary folder: with all of its
146,847 labelled images, with half of them, and with a quarter. Inventory, crops and manifest are made by the commands
of the workflow, one job a core. The floor is decoding and encoding all images by as many processes. Last, videos of
three lengths are cropped with a detector.
"""

import argparse
import itertools
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from benchmarks.crop import crop, recording, rendered_frames
from benchmarks.figures_file import write_figures
from benchmarks.peak_memory import peak_kilobytes
from benchmarks.rounds import take_turns
from clef.datasets import open_dataset
from clef.fixtures import bp4d, write_fixture
from clef.fixtures.formats import put_video
from clef.fixtures.recording import Recording
from clef.fixtures.size import FixtureSize
from clef.params.schema import CropParams, Params

IMAGES = {"quarter": 36_711, "half": 73_423, "whole": 146_847}
PIXELS, DRAWN_EVERY = 64, 50
VIDEO_FRAMES, VIDEO_SHAPE, ROUNDS = (300, 600, 1200), (360, 640), 5
PARAMS = {
    "dataset": {"adapter": "bp4d", "name": "bp4d"},
    "device": "cpu",
    "crop": {"detector": "none", "align": "box", "margin": 0.0, "size": PIXELS},
    "folds": {"protocol": "standard"},
}


class RepeatedPictures(Recording):
    """A recording of which a few pictures are drawn and shown again and again, since drawing all takes long."""

    def pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        """See `Recording.pictures`."""
        drawn = [picture for _, picture in replace(self, frames=self.frames[::DRAWN_EVERY]).drawn()]
        for position, frame in enumerate(self.frames):
            yield frame, drawn[position // DRAWN_EVERY]

    def drawn(self) -> Iterator[tuple[int, np.ndarray]]:
        """Draw all pictures."""
        return super().pictures()


def write_images(root: Path, number: int) -> None:
    """Write a miniature of BP4D, as packed for FERA 2015, with so many images in all."""
    plain = bp4d.recordings

    def recordings(size: FixtureSize, packaging: str) -> list[Recording]:
        found = []
        for position, one in enumerate(every := plain(size, packaging)):
            length = number // len(every) + (position < number % len(every))
            frames = range(one.frames.start, one.frames.start + length)
            found.append(RepeatedPictures(one.subject, one.task, one.index, frames, frames, one.pixels))
        return found

    bp4d.recordings = recordings
    try:
        write_fixture("bp4d", "fera2015", root, FixtureSize(pixels=PIXELS))
    finally:
        bp4d.recordings = plain


def decode_and_encode(folder: Path) -> None:
    """Decode and encode every image below a folder."""
    cv2.setNumThreads(1)
    for file in sorted(folder.rglob("*.jpg")):
        cv2.imencode(".jpg", cv2.imread(str(file)), [cv2.IMWRITE_JPEG_QUALITY, 95])


def measure(folder: Path, images: int) -> dict[str, Any]:
    """Make a set, crop it, and build its manifest. Returns seconds and megabytes of each step."""
    params, cores = Params.model_validate(PARAMS), os.cpu_count() or 1
    raw, interim, crops = folder / "raw", folder / "interim", params.crop_digest
    (folder / "params").mkdir(parents=True)
    (folder / "params" / "bp4d.yaml").write_text(yaml.safe_dump(PARAMS))
    write_images(raw, images)
    seconds: dict[str, float] = {}
    megabytes: dict[str, int] = {}

    def run(*arguments: str | Path) -> int:
        return peak_kilobytes("--params", folder / "params", *arguments) // 1024

    def timed(step: str, call: Callable[[], int]) -> None:
        began = time.perf_counter()
        megabytes[step] = call()
        seconds[step] = round(time.perf_counter() - began, 2)

    def crop_one(shard: str) -> int:
        out = interim / crops / f"{shard}.arrow"
        return run("crop", "bp4d", "--crop", crops, "--raw", raw, "--shard", shard, "--out", out)

    def crop_all() -> int:
        with ThreadPoolExecutor(cores) as threads:
            return max(threads.map(crop_one, open_dataset(params).shards()))

    sequences, labels = interim / "sequences.parquet", interim / "labels.parquet"
    tables = ("--sequences", sequences, "--labels", labels)
    out = ("--crops", interim / crops, "--out", folder / "manifest.parquet")
    timed("ingest", lambda: run("ingest", "bp4d", "--raw", raw, "--out", sequences))
    timed("crop", crop_all)
    timed("manifest", lambda: run("manifest", "bp4d", "--crop", crops, *tables, *out))
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as processes:
        list(processes.map(decode_and_encode, [folder / "none"] * cores))  # starts them
        began = time.perf_counter()
        list(processes.map(decode_and_encode, sorted((raw / "BP4D-training").iterdir())))
        seconds["decode and encode alone"] = round(time.perf_counter() - began, 2)
    size = sum(file.stat().st_size for file in (interim / crops).glob("*.arrow"))
    return {
        "images": images,
        "seconds": seconds,
        "peak of memory, megabytes": megabytes,
        "megabytes of crops": round(size / 1e6, 1),
    }


def marginal(step: str, few: dict[str, Any], many: dict[str, Any]) -> float:
    """Milliseconds of a step for each image that one set has more than another."""
    return 1000 * (many["seconds"][step] - few["seconds"][step]) / (many["images"] - few["images"])


def video_figures(folder: Path) -> dict[str, Any]:
    """Crop videos of three lengths, and return the seconds and the cost of each further frame."""
    cv2.setNumThreads(1)
    settings = CropParams(detector="lbp", size=256)
    calls: dict[str, Callable[[], object]] = {}
    for number in VIDEO_FRAMES:
        source = recording(folder / f"{number}.mp4", "video")
        put_video(folder / f"{number}.mp4", rendered_frames(VIDEO_SHAPE, number))
        calls[f"{number} frames"] = partial(crop, source, settings, folder)
    medians = [statistics.median(measured) for measured in take_turns(calls, ROUNDS).values()]
    pairs = itertools.pairwise(zip(VIDEO_FRAMES, medians, strict=True))
    further = [1000 * (later - earlier) / (many - few) for (few, earlier), (many, later) in pairs]
    return {
        "video, lbp: seconds": dict(zip(calls, [round(median, 2) for median in medians], strict=True)),
        "video, lbp: milliseconds for each further frame": [round(one, 2) for one in further],
        "video, lbp: the second over the first": round(further[1] / further[0], 2),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, images in IMAGES.items():
            figures[name] = measure(Path(folder) / name, images)
            print(name, figures[name], flush=True)
        figures |= video_figures(Path(folder))
    for step in figures["whole"]["seconds"]:
        early, late = (marginal(step, figures[few], figures[many]) for few, many in itertools.pairwise(IMAGES))
        figures[f"{step}: milliseconds for each further image"] = [round(early, 3), round(late, 3)]
        figures[f"{step}: the second over the first"] = round(late / early, 2)
    for name, figure in figures.items():
        print(name, figure)
    write_figures(given.out, figures)


if __name__ == "__main__":
    main()
