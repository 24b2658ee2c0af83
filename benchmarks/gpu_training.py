"""Measure speed and memory of BP4D's trainings on one GPU, and the effect of each switch.

    python -m benchmarks.gpu_training --out benchmarks/figures/gpu-training.json

Model, batches and augmentation are those of `params/bp4d.yaml`, with random initial weights and crops from rendered
videos, neither of which affects speed. Each variant runs in a new process, through the command that the workflow uses.
A figure is the median over the steps. The first variant of stage 2 is measured again at the end, to show how far
figures vary. A plain loop over open_clip's model and the arithmetic alone are measured too: see `benchmarks.train`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from benchmarks.figures_file import write_figures
from benchmarks.train import PlainLoop, matrix_product_rate
from benchmarks.trainings import Changes, changed, share_waiting, train_once
from clef.batches.crops import Crops
from clef.datasets import open_dataset
from clef.faces.shard import CROPPED
from clef.manifest.table import manifest_fingerprint, read_manifest
from clef.model.encoders import Encoders
from clef.model.prediction import predict_frames
from clef.model.tasks import LabelTask
from clef.model.texts import label_templates, label_texts
from clef.params.schema import Params
from clef.runs.load import load_params

SETTLED = 15
"""First steps, which are not counted: kernels are selected and workers start."""

RENDERED: Changes = {
    "dataset": {"adapter": "demo", "name": "rendered", "options": {}},
    "render": {"kind": "videos", "subjects": 24, "activities": 4, "seconds": [3.0, 4.0]},
    "crop": {"detector": "lbp", "every": 12, "score": 0.6, "align": "box", "device": "cpu"},
    "folds": {"protocol": "subjects", "number": 3},
    "model": {"pretrained": None},
    "seeds": [0],
    "pretrain": {"subjects": 16, "activities": 4, "frames": 2, "stride": 1, "epochs": 3},
    "finetune": {"stride": 1, "epochs": 3},
}
"""Stage 1 has as many images per batch as for BP4D, of fewer activities."""

PLAIN = {"gradient_checkpointing": False, "compile": False}
COMPILED = PLAIN | {"compile": True}
"""What `auto` chooses on a large GPU for a training of 1,000 steps or more; these ones are too short for it."""
VARIANTS: dict[str, dict[str, Changes]] = {
    "pretrain": {
        "compiled": {"pretrain": {"tower": COMPILED}},
        "neither checkpointing nor compiled": {"pretrain": {"tower": PLAIN}},
        "gradient checkpointing": {"pretrain": {"tower": {"gradient_checkpointing": True, "compile": False}}},
        "64 images at once": {"pretrain": {"tower": PLAIN | {"images_at_once": 64}}},
    },
    "finetune": {
        "compiled": {"finetune": {"tower": COMPILED}},
        "neither checkpointing nor compiled": {"finetune": {"tower": PLAIN}},
        "compiled, again": {"finetune": {"tower": COMPILED}},
    },
}


STAGES = [*VARIANTS, "prediction", "floor"]


def make_crops(params: Params, data: Path) -> None:
    """Render, ingest and crop, like the workflow."""
    name, crops = open_dataset(params).name, params.crop_digest
    (data / "params").mkdir(parents=True)
    (data / "params" / f"{name}.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    raw, interim = data / "raw" / name, data / "interim" / name

    def clef(*arguments: str | Path) -> None:
        command = [sys.executable, "-m", "clef", "--params", data / "params", *arguments]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"{' '.join(map(str, arguments))}\n{result.stderr[-2000:]}")

    cores = os.cpu_count() or 1
    clef("render-demo", name, "--out", raw, "--workers", str(cores))
    clef("ingest", name, "--raw", raw, "--out", interim / "sequences.parquet")

    def crop(shard: str) -> None:
        clef("crop", name, "--crop", crops, "--raw", raw, "--shard", shard, "--out", interim / crops / f"{shard}.arrow")

    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(crop, open_dataset(params).shards()))
    tables = ("--sequences", interim / "sequences.parquet", "--labels", interim / "labels.parquet")
    manifest = data / "processed" / name / crops / "manifest.parquet"
    clef("manifest", name, "--crop", crops, *tables, "--crops", interim / crops, "--out", manifest)


def predicted_per_second(params: Params, data: Path) -> float:
    """Return the images per second of prediction, including decoding, in a second pass."""
    name, crops = open_dataset(params).name, params.crop_digest
    manifest = data / "processed" / name / crops / "manifest.parquet"
    frames: pd.DataFrame = read_manifest(manifest)
    frames = frames[frames["status"].isin(CROPPED)].reset_index(drop=True)
    shards = {path.stem: path for path in (data / "interim" / name / crops).glob("*.arrow")}
    found = Crops(shards, frames, manifest_fingerprint(manifest))
    texts = label_texts(params.texts, params.labels)
    task = LabelTask(
        Encoders(params.model), texts, params.labels, label_templates(params.texts), params.finetune, None, 0
    ).cuda()
    for _ in range(2):
        began = time.perf_counter()
        predict_frames(task, found, params.evaluate.batch, torch.device("cuda"), params.finetune.workers)
        took = time.perf_counter() - began
    return len(frames) / took


def floor(params: Params) -> dict[str, Any]:
    """Views a second of each stage in a plain loop, and if all were matrix products."""
    assert params.pretrain is not None
    device = torch.device("cuda")
    rate = matrix_product_rate(device)
    figures: dict[str, Any] = {"matrix product, operations a second": f"{rate:.3g}"}
    views = {
        "pretrain": 2 * params.pretrain.subjects * params.pretrain.activities * params.pretrain.frames,
        "finetune": params.finetune.batch,
    }
    for stage, number in views.items():
        loop = PlainLoop(params, number, device)
        figures[f"{stage}: plain loop, views_per_second"] = round(loop.images_per_second())
        figures[f"{stage}: views_per_second if all were matrix products"] = round(number * rate / loop.operations())
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_training", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="stages to measure; default: all")
    arguments = parser.parse_args()
    params = changed(load_params(Path("params/bp4d.yaml")), RENDERED)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        make_crops(params, data)
        for stage in arguments.stages:
            for variant, changes in VARIANTS.get(stage, {}).items():
                began = time.perf_counter()
                records = train_once(Path(folder), "rendered", changed(params, changes), stage, data)[SETTLED:]
                images = round(statistics.median(r["speed/images_per_second"] for r in records))
                figures[f"{stage}: {variant}"] = figure = {
                    "images_per_second": images,
                    "views_per_second": images * (2 if stage == "pretrain" else 1),
                    "share_waiting_for_images": round(share_waiting(records), 3),
                    "gpu_memory_gib": round(records[-1].get("speed/gpu_memory_gib", 0), 1),
                    "steps": len(records),
                    "seconds_in_all": round(time.perf_counter() - began),
                }
                print(f"{stage}: {variant}: {figure}", flush=True)
                write_figures(arguments.out, figures)
        if "prediction" in arguments.stages:
            figures["prediction"] = {"images_per_second": round(predicted_per_second(params, data))}
            print(figures["prediction"], flush=True)
        if "floor" in arguments.stages:
            figures["floor"] = floor(params)
            print(figures["floor"])
        write_figures(arguments.out, figures)


if __name__ == "__main__":
    main()
