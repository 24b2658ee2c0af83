import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from clef.evaluation.probe.table import format_table, probe_table, write_table

ROWS = [
    {"weights": "before training", "identity": 0.9, "activity": None, "auc": 0.6},
    {"weights": "after stage 2", "identity": 0.5, "activity": None, "auc": 0.8},
    {"weights": "chance", "identity": 0.2, "activity": None, "auc": 0.5},
    {"weights": "from true labels", "activity": None},
]
OTHER = [{**row, "identity": row["identity"] - 0.1} if "identity" in row else row for row in ROWS]


def test_scores_are_averaged_over_seeds_and_folds():
    table = probe_table([{"rows": ROWS}, {"rows": OTHER}]).set_index("weights")
    assert list(table.index) == [row["weights"] for row in ROWS]
    assert list(table) == ["identity", "activity", "auc", "sd_identity", "sd_activity", "sd_auc"]
    assert table.loc["after stage 2", "identity"] == pytest.approx(0.45)
    assert table.loc["after stage 2", "sd_identity"] == pytest.approx(np.std([0.5, 0.4], ddof=1))
    assert table.loc["chance", "sd_auc"] == 0
    assert table["activity"].isna().all()


def test_the_file_holds_fractions_and_the_terminal_shows_per_cent(tmp_path):
    table = probe_table([{"rows": ROWS}])
    write_table(tmp_path / "probe.csv", table)
    assert (tmp_path / "probe.csv").read_text().splitlines()[1] == "before training,0.9000,,0.6000,,,"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "probe.csv"), table)
    console = Console(file=io.StringIO(), width=80)
    console.print(format_table("demo", probe_table([{"rows": ROWS}, {"rows": OTHER}]), 2))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["after", "stage", "2", "45.0", "±", "7.1", "80.0", "±", "0.0"] in lines
    assert ["weights", "identity", "activity", "AU", "AUC"] in lines
