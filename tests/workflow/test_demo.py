"""The demo as it is, and its expressions with fewer images: that they learn what there is to learn."""

from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import copy_checkout, snakemake

pytestmark = pytest.mark.slow

FEWER = """
extends: demo-expr
dataset: {name: demo-expr-fewer}
threads: 1
render: {train_images: 800, test_images: 250}
"""


def summary(folder: Path, run: str) -> pd.DataFrame:
    snakemake(folder, f"results/{run}/summary.csv")
    return pd.read_csv(folder / f"results/{run}/summary.csv", index_col="label")


def test_expressions_are_told_far_more_often_than_the_most_frequent_one(tmp_path):
    folder = copy_checkout(tmp_path)
    (folder / "params" / "demo-expr-fewer.yaml").write_text(FEWER)
    table = summary(folder, "demo-expr-fewer")
    assert table.loc["accuracy", "f1"] > table.loc["accuracy", "floor"] + 0.2
    assert table.loc["mean", "f1"] > table.loc["mean", "floor"] + 0.2
    assert table.loc["accuracy", "coverage"] > 0.9


def test_the_demo_beats_the_floor_the_activity_and_untrained_features(tmp_path):
    folder = copy_checkout(tmp_path)
    full = summary(folder, "demo").loc["mean"]
    untrained = summary(folder, "demo-untrained").loc["mean"]
    assert full["f1"] > full["floor"] + 0.12
    assert full["f1"] > full["activity_only"] + 0.08
    assert full["f1"] > untrained["f1"] + 0.15
    assert full["ci_low"] > untrained["ci_high"]
