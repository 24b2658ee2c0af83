"""Read the predictions of one video from a table of `clef predict`, in Parquet or csv."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from clef.errors import ClefError, abbreviate
from clef.trained.columns import ASKED, EXPRESSION, METADATA, PROBABILITY

REQUIRED = {"file", "frame", "time", "face", "status", "x", "y", "width", "height"}
CSV_TYPES = {  # values may look like another type, or be missing everywhere
    "file": pa.string(),
    "frame": pa.int32(),
    "time": pa.float64(),
    "face": pa.int16(),
    "status": pa.string(),
    EXPRESSION: pa.string(),
}


@dataclass(frozen=True)
class Predictions:
    """The predictions of one video."""

    file: str
    """As in the table."""
    kind: str
    """`action_units` or `expressions`."""
    labels: list[str]
    thresholds: dict[str, float]
    """By action unit; empty for expressions."""
    asked: list[str]
    """Sentences, each with a column of cosines."""
    about: dict[str, Any]
    """`model`, `folds` and `notice` as the table has them; a csv has none."""
    rows: pa.Table
    """All columns of the table, in order of frame and face."""

    @property
    def frames(self) -> np.ndarray:
        """Frame number of each row, ascending."""
        return self.rows["frame"].to_numpy()

    @property
    def times(self) -> np.ndarray:
        """Time of each row in seconds."""
        return self.rows["time"].to_numpy()


def read_predictions(path: Path, file: str | None = None) -> Predictions:
    """Read the rows of one video; raise a ClefError if there are several and no `file`, or none."""
    table = _read_table(path)
    missing = sorted(REQUIRED - {*table.column_names})
    if missing or not any(name.startswith(PROBABILITY) for name in table.column_names):
        lacks = missing[0] if missing else f"{PROBABILITY}..."
        raise ClefError(f"{path}: not a table of predictions (no column {lacks}); expected one from `clef predict`")
    file = _choose(path, file, pc.unique(table["file"]).to_pylist())
    rows = table.filter(pc.equal(table["file"], file)).sort_by([("frame", "ascending"), ("face", "ascending")])
    if rows["time"].null_count:
        raise ClefError(f"{path}: {file} has no times, like an image; expected a video; choose one with --file")
    found = _describe(path, rows)
    needed = [f"{PROBABILITY}{label}" for label in found["labels"]] + [f"{ASKED}{text}" for text in found["asked"]]
    if lost := {*needed} - {*rows.column_names}:
        raise ClefError(f"{path}: column {min(lost)} is missing; expected a table as `clef predict` wrote it")
    about = {key: found.get(key) for key in ("model", "folds", "notice")}
    return Predictions(file, found["kind"], found["labels"], found["thresholds"], found["asked"], about, rows)


def _read_table(path: Path) -> pa.Table:
    if not path.is_file():
        raise ClefError(f"{path}: no such file; expected a table of predictions, .parquet or .csv")
    try:
        if path.suffix != ".csv":
            return pq.read_table(path)
        options = pa.csv.ConvertOptions(column_types=CSV_TYPES, null_values=[""], strings_can_be_null=True)
        return pa.csv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid:
        kind = "csv" if path.suffix == ".csv" else "Parquet"
        raise ClefError(f"{path}: cannot be read as {kind}; expected a table from `clef predict`") from None


def _choose(path: Path, file: str | None, found: Sequence[str]) -> str:
    if file is None and len(found) == 1:
        return found[0]
    if file is not None and file in found:
        return file
    wrong = "several files" if file is None else f"no file {file}"
    raise ClefError(f"{path}: {wrong}; choose one with --file: {abbreviate(found) or 'the table is empty'}")


def _describe(path: Path, rows: pa.Table) -> dict[str, Any]:
    """What the table says about itself. A csv, or a Parquet file that pandas wrote, says it only by its columns."""
    if METADATA in (rows.schema.metadata or {}):
        return json.loads(rows.schema.metadata[METADATA])
    names = rows.column_names
    labels = [name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY)]
    units = [label for label in labels if label in names]
    return {
        "kind": "expressions" if EXPRESSION in names else "action_units",
        "labels": labels,
        "thresholds": {unit: _threshold(rows[f"{PROBABILITY}{unit}"], rows[unit]) for unit in units},
        "asked": [name.removeprefix(ASKED) for name in names if name.startswith(ASKED)],
    }


def _threshold(probability: pa.ChunkedArray, decision: pa.ChunkedArray) -> float:
    """A threshold that gives these decisions: 0.5 if it does, or the smallest probability of a present action unit."""
    value = probability.drop_null().to_numpy()
    present = decision.drop_null().to_numpy() == 1
    return 0.5 if np.array_equal(value >= 0.5, present) else float(value[present].min(initial=1.0))
