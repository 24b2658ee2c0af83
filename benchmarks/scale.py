"""Measure how the cost of cropping and of the manifest grows with a data set as large as BP4D.

    python -m benchmarks.scale --out benchmarks/figures/scale.json

Makes miniatures of BP4D with all of its 328 recordings and small images, in a temporary folder: a quarter of its
frames, and all. Inventory, crops and manifest are made by the commands that the workflow runs, as many at a time as
there are cores. Decoding and encoding alone, by as many processes, are the floor.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import yaml

from benchmarks.figures_file import write_figures
from clef.datasets import open_dataset
from clef.params.schema import Params

FRAMES = {"quarter": 112, "whole": 448}
"""Frames of each of the 328 recordings."""
PIXELS = 64
PARAMS = {
    "dataset": {"adapter": "bp4d", "name": "bp4d"},
    "device": "cpu",
    "crop": {"detector": "none", "align": "box", "margin": 0.0, "size": PIXELS},
    "folds": {"protocol": "standard"},
}


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def decode_and_encode(folder: Path) -> None:
    """Decode and encode every image below a folder."""
    cv2.setNumThreads(1)
    for file in sorted(folder.rglob("*.jpg")):
        cv2.imencode(".jpg", cv2.imread(str(file)), [cv2.IMWRITE_JPEG_QUALITY, 95])


def measure(folder: Path, frames: int) -> dict[str, Any]:
    """Make a set, crop it, and build its manifest."""
    params, cores = Params.model_validate(PARAMS), os.cpu_count() or 1
    raw, interim, crops = folder / "raw", folder / "interim", params.crop_digest
    (folder / "params").mkdir(parents=True)
    (folder / "params" / "bp4d.yaml").write_text(yaml.safe_dump(PARAMS))

    def clef(*arguments: str | Path) -> None:
        command = [sys.executable, "-m", "clef", "--params", folder / "params", *arguments]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"{' '.join(map(str, arguments))}\n{result.stderr[-2000:]}")

    def crop(shard: str) -> None:
        clef(
            "crop", "bp4d", "--crop", crops, "--raw", raw, "--shard", shard, "--out", interim / crops / f"{shard}.arrow"
        )

    def crop_all() -> None:
        with ThreadPoolExecutor(cores) as threads:
            list(threads.map(crop, open_dataset(params).shards()))

    def floor() -> None:
        with ProcessPoolExecutor(cores) as processes:
            list(processes.map(decode_and_encode, sorted((raw / "Sequences").iterdir())))

    tables = ("--sequences", interim / "sequences.parquet", "--labels", interim / "labels.parquet")
    out = ("--crops", interim / crops, "--out", folder / "manifest.parquet")
    clef("fixture", "bp4d", "--to", raw, "--frames", str(frames), "--pixels", str(PIXELS))
    seconds = {
        "ingest": timed(lambda: clef("ingest", "bp4d", "--raw", raw, "--out", interim / "sequences.parquet")),
        "decode and encode alone": timed(floor),
        "crop": timed(crop_all),
        "manifest": timed(lambda: clef("manifest", "bp4d", "--crop", crops, *tables, *out)),
    }
    return {
        "images": 328 * frames,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "megabytes of crops": round(sum(file.stat().st_size for file in (interim / crops).glob("*.arrow")) / 1e6, 1),
        "largest process so far, megabytes": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, frames in FRAMES.items():
            figures[name] = measure(Path(folder) / name, frames)
            print(name, figures[name], flush=True)
    few, many = figures["quarter"], figures["whole"]
    for step in few["seconds"]:
        first = few["seconds"][step] / few["images"]
        more = (many["seconds"][step] - few["seconds"][step]) / (many["images"] - few["images"])
        figures[f"{step}: cost of a further image to that of the first ones"] = round(more / first, 2)
    write_figures(given.out, "python -m benchmarks.scale", figures)


if __name__ == "__main__":
    main()
