"""The demo, and its expressions with fewer images, learn what they should."""

import pandas as pd
import pytest

from tests.workflow.conftest import snakemake

pytestmark = pytest.mark.slow

FEWER = """
extends: demo-expr
dataset: {name: demo-expr-fewer}
threads: 1
render: {train_images: 800, test_images: 250}
"""


def summary(folder, run: str) -> pd.DataFrame:
    snakemake(folder, f"results/{run}/summary.csv")
    return pd.read_csv(folder / f"results/{run}/summary.csv", index_col="label")


def test_expressions_are_recognised_far_above_the_floor(checkout):
    (checkout / "params" / "demo-expr-fewer.yaml").write_text(FEWER)
    table = summary(checkout, "demo-expr-fewer")
    assert table.loc["accuracy", "f1"] > table.loc["accuracy", "floor"] + 0.2
    assert table.loc["mean", "f1"] > table.loc["mean", "floor"] + 0.2
    assert table.loc["accuracy", "coverage"] > 0.9


def test_the_demo_beats_the_floor_the_activity_and_untrained_features(checkout):
    full = summary(checkout, "demo").loc["mean"]
    untrained = summary(checkout, "demo-untrained").loc["mean"]
    assert full["f1"] > full["floor"] + 0.12
    assert full["f1"] > full["activity_only"] + 0.08
    assert full["f1"] > untrained["f1"] + 0.15
    assert full["ci_low"] > untrained["ci_high"]
