"""Call the stages and the evaluation on the toy set, or only see what a stage would train."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.model.tasks import Task
from clef.training.loop import Plan
from clef.training.provenance import training_key


@dataclass(frozen=True)
class Planned:
    """Arguments of `run_stage`."""

    task: Task
    plan: Plan
    sidecar: dict[str, Any]

    @property
    def key(self) -> str:
        return training_key(self.sidecar)


def planned(stage: Callable[..., None], *args) -> Planned:
    """Call `pretrain` or `finetune` up to its training, on a CPU."""
    module, found = sys.modules[stage.__module__], []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "run_stage", lambda params, settings, *planned, **_: found.append(planned[:3]))
        patched.setattr(module, "prepare_device", lambda params: torch.device("cpu"))
        stage(*args)
    return Planned(*found[0])


def stage2_files(folder: Path) -> tuple[Path, Path]:
    return folder / "finetune.safetensors", folder / "epochs.parquet"


def sidecar_of(weights: Path) -> dict[str, Any]:
    return json.loads(weights.with_suffix(".json").read_text())


def evaluated(folder: Path, params, fold, inputs, stage2, **more) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Evaluate a stage 2 of seed 0; return predictions and metrics."""
    predictions, metrics = folder / "predictions.parquet", folder / "metrics.json"
    evaluate_fold(params, 0, fold, inputs, *stage2, predictions, metrics, **more)
    return pd.read_parquet(predictions), json.loads(metrics.read_text())
