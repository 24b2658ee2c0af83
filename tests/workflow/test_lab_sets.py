"""Miniatures of the licensed sets through the whole workflow, with a small model on the CPU."""

import json
from pathlib import Path

import pandas as pd
import pytest

from clef.fixtures import disfa, write_fixture
from clef.fixtures.size import FixtureSize
from tests.workflow.conftest import copy_checkout, snakemake

pytestmark = pytest.mark.slow

SMALL = """
seeds: [0]
device: cpu
threads: 1
crop: {detector: none, device: cpu, every: 1, align: box, margin: 0, size: 72}
model: {name: clef-tiny, pretrained: null, image_size: 64}
finetune: {batch: 16, stride: 1, epochs: 2, workers: 0}
evaluate: {bootstrap: 50}
"""
STAGE_1 = "pretrain: {subjects: 2, activities: 4, frames: 1, stride: 1, epochs: 2, workers: 0}\n"
PEOPLE = {
    "bp4d": ("F001", "M001", "F003", "M002", "F004", "M003"),
    "bp4dplus": ("F004", "F013", "F012", "F001", "F003"),
    "disfa": ("SN001", "SN002", "SN006", "SN003"),
}


def prepare(folder: Path, dataset: str, packaging: str, more: str) -> None:
    """A run `{dataset}-small`, and its data."""
    people = PEOPLE[dataset]
    header = f"extends: {dataset}\ndataset: {{name: {dataset}-small, options: {{subjects: [{', '.join(people)}]}}}}"
    (folder / "params" / f"{dataset}-small.yaml").write_text(header + SMALL + more)
    write_fixture(dataset, packaging, folder / "data" / "raw" / f"{dataset}-small", FixtureSize(people, frames=8))


def results(folder: Path, run: str) -> pd.DataFrame:
    snakemake(folder, f"results/{run}/summary.csv")
    return pd.read_csv(folder / "results" / run / "summary.csv")


def test_bp4d(tmp_path):
    folder = copy_checkout(tmp_path)
    prepare(folder, "bp4d", "full", STAGE_1)
    table = results(folder, "bp4d-small")
    assert {"AU01", "AU24"} <= set(table.to_numpy().ravel())
    for fold, tested in enumerate((["F001", "M001"], ["F003", "M002"], ["F004", "M003"])):
        metrics = json.loads((folder / f"results/bp4d-small/seed0/fold{fold}/finetune.json").read_text())
        assert metrics["test_subjects"] == tested


def test_disfa_starts_from_every_subject_of_bp4dplus(tmp_path):
    folder = copy_checkout(tmp_path)
    prepare(folder, "bp4dplus", "zips", STAGE_1)
    prepare(folder, "disfa", "left", "pretrain: {from: bp4dplus-small}\n")
    table = results(folder, "disfa-small")
    assert {"AU01", "AU26"} <= set(table.to_numpy().ravel())
    trained = json.loads((folder / "results/bp4dplus-small/seed0/foldall/pretrain.json").read_text())["trained_on"]
    assert trained == [["bp4dplus-small", subject] for subject in sorted(PEOPLE["bp4dplus"])]
    assert not list((folder / "results" / "bp4dplus-small").glob("seed0/fold[0-9]"))


def test_bp4dplus(tmp_path):
    folder = copy_checkout(tmp_path)
    prepare(folder, "bp4dplus", "zips", STAGE_1)
    table = results(folder, "bp4dplus-small")
    assert {"AU01", "AU24"} <= set(table.to_numpy().ravel())
    for fold, tested in enumerate((["F004", "F013"], ["F012"], ["F001"], ["F003"])):
        finetuned = json.loads((folder / f"results/bp4dplus-small/seed0/fold{fold}/finetune.json").read_text())
        assert finetuned["test_subjects"] == tested
        pretrained = json.loads((folder / f"results/bp4dplus-small/seed0/fold{fold}/pretrain.json").read_text())
        assert not set(tested) & {subject for _, subject in pretrained["trained_on"]}


def test_bp4d_to_disfa(tmp_path):
    """Both stages on all of BP4D, tested on all of DISFA: the action units of both, at DISFA's threshold."""
    folder = copy_checkout(tmp_path)
    prepare(folder, "disfa", "left", "pretrain: null\n")
    people = PEOPLE["bp4d"]
    header = "extends: bp4d-to-disfa\ntest: {run: disfa-small}\n"
    header += f"dataset: {{name: bp4d-small, options: {{subjects: [{', '.join(people)}]}}}}"
    (folder / "params" / "across-small.yaml").write_text(header + SMALL + STAGE_1)
    write_fixture("bp4d", "full", folder / "data" / "raw" / "bp4d-small", FixtureSize(people, frames=8))
    table = results(folder, "across-small").set_index("label")
    assert [name for name in table.index if name.startswith("AU")] == ["AU01", "AU02", "AU04", "AU06", "AU12"]
    summary = json.loads((folder / "results/across-small/summary.json").read_text())
    assert [fold["fold"] for fold in summary["folds"]] == ["all"]
    assert (summary["trained_on"], summary["dataset"]) == ("bp4d-small", "disfa-small")
    assert sorted(summary["folds"][0]["subjects"]) == sorted(PEOPLE["disfa"])
    trained = json.loads((folder / "results/across-small/seed0/foldall/finetune.json").read_text())
    assert trained["trained_on"] == [["bp4d-small", subject] for subject in sorted(people)]
    shown = disfa.recordings(FixtureSize(PEOPLE["disfa"], frames=8), "left")
    for unit in (1, 2, 4, 6, 12):
        codes = [disfa.intensity(r.subject, frame, unit) for r in shown for frame in r.labelled]
        share = sum(code >= 2 for code in codes) / len(codes)
        assert table.loc[f"AU{unit:02d}", "floor"] == pytest.approx(2 * share / (1 + share), abs=1e-3)
    assert not list((folder / "results").glob("*/seed0/fold[0-9]"))
