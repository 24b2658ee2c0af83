"""A training in a process of its own: `python -m tests.tracking.training FOLDER EPOCHS EVERY_STEPS`."""

import sys
from pathlib import Path

from clef.training.inputs import Inputs
from clef.training.pretrain import pretrain
from tests.toy import make_toy, toy_fold, toy_params


def train(folder: Path, epochs: int, every_steps: int, mlflow: bool) -> Path:
    """Stage 1 of fold 0 on the toy set, in the layout of results; returns its weights."""
    params = toy_params(
        pretrain={"epochs": epochs, "checkpoint": {"every_steps": every_steps}}, tracking={"mlflow": mlflow}
    )
    data = folder / "data"
    shards = {path.stem: path for path in data.glob("*.arrow")}
    inputs = Inputs(data / "manifest.parquet", shards) if shards else make_toy(data, params)
    target = folder / "results" / "toy" / "seed0" / "fold0" / "pretrain.safetensors"
    pretrain(params, 0, toy_fold(params), inputs, target)
    return target


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), True)
