"""Train one stage in a new process, for benchmarks."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import yaml

from clef.datasets import open_dataset
from clef.params.schema import Params
from clef.training.metrics_file import MetricsFile

Changes = dict[str, Any]
"""Params by key. Sections are merged."""


def changed(params: Params, changes: Changes) -> Params:
    """Return changed params, without tracking."""
    values = params.model_dump(mode="json", by_alias=True)
    for key, change in (changes | {"tracking": {"mlflow": False}}).items():
        values[key] = values[key] | change if isinstance(change, dict) and isinstance(values[key], dict) else change
    return Params.model_validate(values)


def train_once(
    folder: Path, run: str, params: Params, stage: Literal["pretrain", "finetune"], data: Path = Path("data")
) -> list[dict[str, Any]]:
    """Train one stage of seed 0 and fold 0 in a new process.

    Args:
        folder: Folder for its files; those of earlier trainings are overwritten.
        run: Name of the run.
        params: Params of the run.
        stage: The stage; `finetune` starts without a stage 1.
        data: Folder of crops and manifest.

    Returns:
        The metrics of each step.
    """
    (folder / "params").mkdir(parents=True, exist_ok=True)
    plain = params.model_dump(mode="json", by_alias=True, exclude_none=False)
    (folder / "params" / f"{run}.yaml").write_text(yaml.safe_dump(plain))
    name, crops = open_dataset(params).name, params.crop_digest
    target = folder / f"{stage}.safetensors"
    target.with_suffix(".metrics.jsonl").unlink(missing_ok=True)
    command = [sys.executable, "-m", "clef", "--params", str(folder / "params")]
    command += [stage, run, "--seed", "0", "--fold", "0"]
    command += ["--manifest", str(data / "processed" / name / crops / "manifest.parquet")]
    command += ["--crops", str(data / "interim" / name / crops), "--out", str(target)]
    if stage == "finetune":
        command += ["--epochs", str(folder / "epochs.parquet")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stderr[-2000:]}")
    return MetricsFile(target.with_suffix(".metrics.jsonl")).read()


def share_waiting(records: list[dict[str, Any]]) -> float:
    """Share of the time of some steps in which the training waited for images.

    With several loader threads, a few steps wait for all others, so a median over the steps would hide it.
    """
    seconds = [1 / record["speed/images_per_second"] for record in records]  # for each image, in batches of one size
    waited = [one * record["speed/share_waiting_for_images"] for one, record in zip(seconds, records, strict=True)]
    return sum(waited) / sum(seconds)
