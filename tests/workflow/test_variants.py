"""The tables of variants, from videos to CSV files, on a very small demo."""

import pandas as pd
import pytest

from tests.workflow.conftest import copy_checkout, only_run, planned, snakemake

pytestmark = pytest.mark.slow

RUN = """
dataset: {adapter: demo, name: small}
seeds: [0]
device: cpu
threads: 1
render: {subjects: 4, activities: 4, seconds: [2.0, 2.0], labelled_share: 0.5}
crop: {detector: lbp, every: 8, score: 0.6, align: box, size: 72}
labels: {action_units: [1, 4, 12]}
folds: {number: 2}
model: {name: clef-tiny, image_size: 64}
pretrain: {subjects: 2, activities: 4, stride: 5, epochs: 1}
finetune: {epochs: 1, stride: 2}
evaluate: {bootstrap: 20}
tracking: {mlflow: false}
"""


def test_one_target_trains_every_row_and_compares_them(tmp_path):
    checkout = copy_checkout(tmp_path)
    only_run(checkout, "small", RUN)
    target = "results/small/core.csv"
    assert planned(snakemake(checkout, "-n", target))["finetune"] == 4 * 3 * 2
    snakemake(checkout, target)
    table = pd.read_csv(checkout / target)
    assert list(table["row"]) == ["full", "image-only", "no-stage1", "linear"]
    assert table[["note", "note_subjects10", "note_unseen"]].isna().all(axis=None)
    scores = table[["f1", "f1_subjects10", "f1_unseen", "identity_stage2", "activity_stage2", "auc_stage2"]]
    assert scores.notna().all(axis=None)
    assert ((scores >= 0) & (scores <= 1)).all(axis=None)
    assert table["difference"].notna().tolist() == [False, True, True, True]
    assert table["identity_stage1"].notna().tolist() == [True, True, False, True]
    assert table["identity_stage1"][0] == table["identity_stage1"][3]  # one stage 1 for both
    assert (checkout / "results/small/plots/core.png").exists()
    assert "Nothing to be done" in snakemake(checkout, target)

    ablation = snakemake(checkout, "results/small/ablation.csv")
    assert ablation.count("needs weights") >= 6
    rows = pd.read_csv(checkout / "results/small/ablation.csv")
    assert rows["note"].notna().sum() == 6
    assert rows["f1"].notna().sum() == 7
