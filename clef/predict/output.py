"""Write a table of predictions as Parquet, csv, or csv with the column names of OpenFace."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from clef.errors import ClefError
from clef.predict.table import Layout
from clef.runtime.files import atomic_write
from clef.trained.columns import PROBABILITY

ROWS_PER_GROUP = 65_536


def check_output(target: Path, openface: bool, layout: Layout) -> None:
    """Raise a ClefError if a table cannot be written as this file."""
    if target.suffix not in (".parquet", ".csv"):
        raise ClefError(f"--out: {target}; expected a name that ends in .parquet or .csv")
    if target.is_dir():
        raise ClefError(f"--out: {target} is a folder; expected the name of a file")
    if openface and target.suffix != ".csv":
        raise ClefError(f"--openface: {target}; OpenFace writes csv; give a name that ends in .csv")
    if openface and layout.kind != "action_units":
        raise ClefError(f"--openface: {layout.model} predicts expressions, which OpenFace has not; leave it out")
    if openface and layout.asked:
        raise ClefError("--openface, --ask: OpenFace has no columns for sentences; leave one of them out")


def check_not_inputs(outputs: Mapping[str, Path | None], inputs: Iterable[str]) -> None:
    """Raise a ClefError if an output, given by its option, would replace an input or another output."""
    used = {Path(name).resolve(): f"the input {name}" for name in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        if other := used.get(path.resolve()):
            raise ClefError(f"{option}: {path} would replace {other}; choose another name")
        used[path.resolve()] = f"the file of {option}"


def write_table(batches: Iterable[pa.RecordBatch], layout: Layout, target: Path, openface: bool = False) -> None:
    """Write rows as one file, by the end of its name."""
    with atomic_write(target) as partial:
        if target.suffix == ".parquet":
            with pq.ParquetWriter(partial, layout.schema, compression="zstd") as writer:
                for table in _groups(batches, layout.schema):
                    writer.write_table(table)
            return
        if openface:
            batches = (_openface(batch, layout) for batch in batches)
        schema = _openface(pa.RecordBatch.from_pylist([], layout.schema), layout).schema if openface else layout.schema
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        with pyarrow.csv.CSVWriter(partial, schema, write_options=options) as csv:
            for batch in batches:
                csv.write_batch(batch)


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join the small batches of parts, which are fast to write but slow to read."""
    group: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        group.append(batch)
        rows += len(batch)
        if rows >= ROWS_PER_GROUP:
            yield pa.Table.from_batches(group, schema).combine_chunks()
            group, rows = [], 0
    if group:
        yield pa.Table.from_batches(group, schema).combine_chunks()


def _openface(rows: pa.RecordBatch, layout: Layout) -> pa.RecordBatch:
    """Rename the columns as FeatureExtraction of OpenFace 2.2 names its own, see docs/predicting.md."""
    has_face = rows["face"].is_valid()
    columns = {
        "frame": pc.add(rows["frame"], pa.scalar(1, pa.int32())),
        "face_id": rows["face"].fill_null(0),
        "timestamp": rows["time"],
        "confidence": pc.if_else(has_face, rows["score"], pa.scalar(0, pa.float32())),
        "success": has_face.cast(pa.int8()),
        **{f"{label}_p": rows[f"{PROBABILITY}{label}"] for label in layout.labels},
        **{f"{label}_c": rows[label] for label in layout.labels},
        "file": rows["file"],
    }
    return pa.RecordBatch.from_pydict(columns)
