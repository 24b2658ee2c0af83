"""Miniatures of the expression sets through the whole workflow, with a small model on the CPU."""

import json
from pathlib import Path

import pandas as pd
import pytest

from clef.fixtures import write_fixture
from clef.fixtures.ferplus import rows
from clef.fixtures.size import FixtureSize
from tests.workflow.conftest import copy_checkout, snakemake

pytestmark = pytest.mark.slow

SIZE = FixtureSize(frames=8)
SMALL = """
seeds: [0]
device: cpu
threads: 1
crop: {size: 72}
model: {name: clef-tiny, pretrained: null, image_size: 64}
finetune: {batch: 16, epochs: 2, workers: 0}
evaluate: {bootstrap: 50}
"""
PEOPLE = ("F001", "M001", "F003")
STAGE_1 = f"""
extends: bp4dplus
dataset: {{name: bp4dplus-small, options: {{subjects: [{", ".join(PEOPLE)}]}}}}
seeds: [0]
device: cpu
threads: 1
crop: {{detector: none, device: cpu, every: 1, align: box, margin: 0, size: 72}}
folds: {{protocol: leave_one_out}}
model: {{name: clef-tiny, pretrained: null, image_size: 64}}
pretrain: {{subjects: 2, activities: 4, frames: 1, stride: 1, epochs: 2, workers: 0}}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy with stage 1 of a miniature of BP4D+, for every set to start from."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    (folder / "params" / "bp4dplus-small.yaml").write_text(STAGE_1)
    write_fixture("bp4dplus", "zips", folder / "data/raw/bp4dplus-small", FixtureSize(PEOPLE, frames=8))
    return folder


def results(folder: Path, run: str, dataset: str, packaging: str, size: FixtureSize = SIZE) -> pd.DataFrame:
    """The summary of a small run over a miniature, by label."""
    small = f"{run}-{packaging}"
    header = f"extends: {run}\ndataset: {{name: {dataset}-{packaging}, options: {{blocks: 3}}}}"
    (folder / "params" / f"{small}.yaml").write_text(f"{header}{SMALL}pretrain: {{from: bp4dplus-small}}\n")
    write_fixture(dataset, packaging, folder / "data/raw" / f"{dataset}-{packaging}", size)
    snakemake(folder, f"results/{small}/summary.csv")
    trained = json.loads((folder / f"results/{small}/seed0/fold0/finetune.json").read_text())
    assert trained["stage1"] is not None
    return pd.read_csv(folder / f"results/{small}/summary.csv", index_col=0)


def scored_images(folder: Path, run: str) -> int:
    return json.loads((folder / f"results/{run}/seed0/fold0/metrics.json").read_text())["frames"]


def test_rafdb(checkout):
    table = results(checkout, "rafdb", "rafdb", "aligned")
    assert {"surprise", "neutral", "mean", "accuracy"} <= set(table.index)
    assert scored_images(checkout, "rafdb-aligned") == 7 * SIZE.frames


@pytest.mark.parametrize(("run", "packaging", "classes"), [("affectnet", "csv", 7), ("affectnet-8", "npy", 8)])
def test_affectnet(checkout, run, packaging, classes):
    size = FixtureSize(frames=4)
    table = results(checkout, run, "affectnet", packaging, size)
    assert ("contempt" in table.index) == (classes == 8)
    assert scored_images(checkout, f"{run}-{packaging}") == classes * size.frames


@pytest.mark.parametrize(("run", "packaging"), [("ferplus", "icml"), ("ferplus-probability", "fer2013")])
def test_ferplus(checkout, run, packaging):
    table = results(checkout, run, "ferplus", packaging)
    assert {"neutral", "contempt", "accuracy"} <= set(table.index)
    odd = 1  # a lone vote does not count against a majority
    assert scored_images(checkout, f"{run}-{packaging}") == 8 * SIZE.frames + odd
    assert len(rows(SIZE)) == 3 * (8 * SIZE.frames + 5)
