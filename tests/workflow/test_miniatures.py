"""Miniatures of the licensed data sets through the whole workflow, with a small model on the CPU."""

import json
from pathlib import Path

import pandas as pd
import pytest

from clef.fixtures import disfa, write_fixture
from clef.fixtures.ferplus import rows
from clef.fixtures.size import FixtureSize
from tests.workflow.conftest import copy_checkout, snakemake

pytestmark = pytest.mark.slow

SMALL = """
seeds: [0]
device: cpu
threads: 1
model: {name: clef-tiny, pretrained: null, image_size: 64}
finetune: {batch: 16, stride: 1, epochs: 2, workers: 0}
evaluate: {bootstrap: 50}
"""
UNDETECTED = "crop: {detector: none, device: cpu, every: 1, align: box, margin: 0, size: 72}\n"
STAGE_1 = "pretrain: {subjects: 2, activities: 4, frames: 1, stride: 1, epochs: 2, workers: 0}\n"
SUBJECTS = {
    "bp4d": ("F001", "M001", "F003", "M002", "F004", "M003"),
    "bp4dplus": ("F004", "F013", "F012", "F001", "F003"),
    "disfa": ("SN001", "SN002", "SN006", "SN003"),
}


def prepare(folder: Path, dataset: str, packaging: str, more: str) -> None:
    """Write a run `{dataset}-small` and its data."""
    subjects = SUBJECTS[dataset]
    header = f"extends: {dataset}\ndataset: {{name: {dataset}-small, options: {{subjects: [{', '.join(subjects)}]}}}}"
    (folder / "params" / f"{dataset}-small.yaml").write_text(header + SMALL + UNDETECTED + more)
    write_fixture(dataset, packaging, folder / "data" / "raw" / f"{dataset}-small", FixtureSize(subjects, frames=8))


def results(folder: Path, run: str) -> pd.DataFrame:
    snakemake(folder, f"results/{run}/summary.csv")
    return pd.read_csv(folder / "results" / run / "summary.csv", index_col="label")


def sidecar(folder: Path, path: str) -> dict:
    return json.loads((folder / "results" / path).read_text())


@pytest.fixture(scope="module")
def stage1_checkout(tmp_path_factory) -> Path:
    """A checkout with a miniature of BP4D+, from whose stage 1 expression sets start."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    prepare(folder, "bp4dplus", "zips", STAGE_1)
    return folder


@pytest.mark.parametrize(
    ("dataset", "packaging", "folds"),
    [
        ("bp4d", "full", [["F001", "M001"], ["F003", "M002"], ["F004", "M003"]]),
        ("bp4dplus", "zips", [["F004", "F013"], ["F012"], ["F001"], ["F003"]]),
    ],
    ids=["bp4d", "bp4dplus"],
)
def test_action_units(checkout, dataset, packaging, folds):
    prepare(checkout, dataset, packaging, STAGE_1)
    assert {"AU01", "AU24"} <= set(results(checkout, f"{dataset}-small").index)
    for fold, tested in enumerate(folds):
        path = f"{dataset}-small/seed0/fold{fold}"
        assert sidecar(checkout, f"{path}/finetune.json")["test_subjects"] == tested
        trained_on = sidecar(checkout, f"{path}/pretrain.json")["trained_on"]
        assert not set(tested) & {subject for _, subject in trained_on}


def test_disfa_starts_from_every_subject_of_bp4dplus(checkout):
    prepare(checkout, "bp4dplus", "zips", STAGE_1)
    prepare(checkout, "disfa", "left", "pretrain: {from: bp4dplus-small}\n")
    assert {"AU01", "AU26"} <= set(results(checkout, "disfa-small").index)
    trained = sidecar(checkout, "bp4dplus-small/seed0/foldall/pretrain.json")["trained_on"]
    assert trained == [["bp4dplus-small", subject] for subject in sorted(SUBJECTS["bp4dplus"])]
    assert not list((checkout / "results" / "bp4dplus-small").glob("seed0/fold[0-9]"))


def test_bp4d_to_disfa(checkout):
    """Train both stages on all of BP4D and test on all of DISFA: their common action units, at DISFA's threshold."""
    prepare(checkout, "disfa", "left", "pretrain: null\n")
    prepare(checkout, "bp4d", "full", STAGE_1)
    subjects = ", ".join(SUBJECTS["bp4d"])
    header = "extends: bp4d-to-disfa\ntest: {run: disfa-small}\n"
    header += f"dataset: {{name: bp4d-small, options: {{subjects: [{subjects}]}}}}"
    (checkout / "params" / "across-small.yaml").write_text(header + SMALL + UNDETECTED + STAGE_1)
    table = results(checkout, "across-small")
    assert [name for name in table.index if name.startswith("AU")] == ["AU01", "AU02", "AU04", "AU06", "AU12"]
    summary = sidecar(checkout, "across-small/summary.json")
    assert [fold["fold"] for fold in summary["folds"]] == ["all"]
    assert (summary["trained_on"], summary["dataset"]) == ("bp4d-small", "disfa-small")
    assert sorted(summary["folds"][0]["subjects"]) == sorted(SUBJECTS["disfa"])
    trained_on = sidecar(checkout, "across-small/seed0/foldall/finetune.json")["trained_on"]
    assert trained_on == [["bp4d-small", subject] for subject in sorted(SUBJECTS["bp4d"])]
    recordings = disfa.recordings(FixtureSize(SUBJECTS["disfa"], frames=8), "left")
    for unit in (1, 2, 4, 6, 12):
        codes = [disfa.intensity(r.subject, frame, unit) for r in recordings for frame in r.labelled]
        share = sum(code >= 2 for code in codes) / len(codes)
        assert table.loc[f"AU{unit:02d}", "floor"] == pytest.approx(2 * share / (1 + share), abs=1e-3)
    assert not list((checkout / "results").glob("*/seed0/fold[0-9]"))


@pytest.mark.parametrize(
    ("run", "dataset", "packaging", "frames", "classes"),
    [
        ("rafdb", "rafdb", "aligned", 8, 7),
        ("affectnet", "affectnet", "csv", 4, 7),
        ("affectnet-8", "affectnet", "npy", 4, 8),
        ("ferplus", "ferplus", "icml", 8, 8),
        ("ferplus-probability", "ferplus", "fer2013", 8, 8),
    ],
)
def test_expressions(stage1_checkout, run, dataset, packaging, frames, classes):
    folder, size, name = stage1_checkout, FixtureSize(frames=frames), f"{dataset}-{packaging}"
    header = f"extends: {run}\ndataset: {{name: {name}, options: {{blocks: 3}}}}"
    more = "crop: {size: 72}\npretrain: {from: bp4dplus-small}\n"
    (folder / "params" / f"{run}-small.yaml").write_text(header + SMALL + more)
    write_fixture(dataset, packaging, folder / "data/raw" / name, size)
    table = results(folder, f"{run}-small")
    assert {"surprise", "neutral", "mean", "accuracy"} <= set(table.index)
    assert ("contempt" in table.index) == (classes == 8)
    assert sidecar(folder, f"{run}-small/seed0/fold0/finetune.json")["stage1"] is not None
    scored = classes * frames
    if dataset == "ferplus":
        assert len(rows(size)) == 3 * (scored + 5)
        scored += 1  # a lone vote does not count against a majority
    assert sidecar(folder, f"{run}-small/seed0/fold0/metrics.json")["frames"] == scored
