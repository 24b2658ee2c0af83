"""The table of a run's probes, `probe.csv`: means over seeds and folds.

It has a row for the weights before training (random, or `model.pretrained`), after stage 1 and after stage 2, one for
chance, and one for the activity as read from the true labels. Columns: `weights`; `identity` and `activity`,
accuracies; `auc` of the action units, or `accuracy` of the expression; `sd_identity` ..., standard deviations (n - 1)
over seeds and folds, empty with only one. Numbers are between 0 and 1, and empty if undefined. See
`clef.evaluation.probe.probe` for the classifier.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from clef.evaluation.run.rows import percent
from clef.runtime.files import write_text

DECIMALS = 4
HEADINGS = {"identity": "identity", "activity": "activity", "auc": "AU AUC", "accuracy": "expression"}


def probe_table(folds: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Average the `probe.json` of every seed and fold."""
    scores = pd.concat([pd.DataFrame(fold["rows"]) for fold in folds]).set_index("weights").astype("float64")
    by_row = scores[[name for name in HEADINGS if name in scores]].groupby(level=0, sort=False)
    return by_row.mean().join(by_row.std().add_prefix("sd_")).reset_index()


def write_table(target: Path, table: pd.DataFrame) -> None:
    """Write `probe.csv`."""
    write_text(target, table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n"))


def formatted_rows(table: pd.DataFrame) -> list[list[str]]:
    """The rows as texts in per cent: the name of the weights, then each mean with its standard deviation."""
    columns = [name for name in HEADINGS if name in table]
    return [
        [row["weights"], *(percent(row[c]) + (f" ± {sd}" if (sd := percent(row[f"sd_{c}"])) else "") for c in columns)]
        for row in table.to_dict("records")
    ]


def format_table(run: str, table: pd.DataFrame, folds: int) -> Table:
    """Format the table in per cent for the terminal, each mean with its standard deviation."""
    shown = Table(title=f"{run}: read from frozen features, in %", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    shown.add_column("weights")
    for name in (name for name in HEADINGS if name in table):
        shown.add_column(HEADINGS[name], justify="right", no_wrap=True)
    for row in formatted_rows(table):
        if row[0] == "chance":
            shown.add_section()
        shown.add_row(*row)
    shown.caption = f"± over seeds and folds ({folds}). From true labels: on labelled frames only."
    return shown
