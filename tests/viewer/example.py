"""Tables of predictions, as `clef predict` writes them, and videos whose frames carry their number."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clef.fixtures import barcode
from tests.recordings.sample_recordings import write_video

POINTS = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"]
LANDMARKS = [f"{point}_{axis}" for point in POINTS for axis in "xy"]
FLOATS = ["score", "x", "y", "width", "height", *LANDMARKS]
THRESHOLDS = {"AU01": 0.5, "AU06": 0.37, "AU12": 0.5}
EXPRESSIONS = ["neutral", "happiness", "surprise"]
SENTENCE = 'a person who says "yes", smiling'


def numbered_video(path: Path, count: int = 60, times: list[int] | None = None, **options: Any) -> Path:
    """A video that carries each frame's number as a barcode. `times` are in frames of 1/25 s."""
    grey = np.full((256, 320, 3), 90, np.uint8)
    return write_video(path, (barcode.draw(grey, number) for number in range(count)), times=times, **options)


def table(
    times: Iterable[float | None],
    file: str = "clip.mp4",
    *,
    labels: Iterable[str] = tuple(THRESHOLDS),
    asked: Iterable[str] = (),
    thresholds: dict[str, float] | None = None,
    second_face: Iterable[int] = (),
    without_face: Iterable[int] = (),
    undecodable: Iterable[int] = (),
    first: int = 0,
    notice: str | None = None,
) -> pa.Table:
    """Random predictions for the frames at these times, for action units with thresholds, else for expressions."""
    rng = np.random.default_rng(0)
    labels, asked, thresholds = list(labels), list(asked), THRESHOLDS if thresholds is None else thresholds
    without, undecodable, second = {*without_face}, {*undecodable}, {*second_face}
    rows: list[dict[str, Any]] = []
    for frame, time in enumerate(times, start=first):
        status = "undecodable" if frame in undecodable else "no_face" if frame in without else "detected"
        for face in [None] if status != "detected" else [0, 1] if frame in second else [0]:
            row: dict[str, Any] = {"file": file, "frame": frame, "time": time, "face": face, "status": status}
            row["faces"] = None if status == "undecodable" else len({0, 1} if frame in second else {face} - {None})
            if face is not None:
                row |= zip(FLOATS, rng.uniform(30, 60, len(FLOATS)).astype(np.float32).tolist(), strict=True)
                p = rng.dirichlet(np.ones(len(labels))) if not thresholds else rng.uniform(0, 1, len(labels))
                p = p.astype(np.float32)
                row |= {f"p_{label}": float(value) for label, value in zip(labels, p, strict=True)}
                row |= {label: int(p[labels.index(label)] >= thresholds[label]) for label in thresholds}
                row |= {} if thresholds else {"expression": labels[int(p.argmax())]}
                row |= {f"ask: {text}": float(np.float32(rng.uniform(0.1, 0.3))) for text in asked}
            rows.append(row)
    types: dict[str, pa.DataType] = {"file": pa.string(), "frame": pa.int32(), "time": pa.float64()}
    types |= {"face": pa.int16(), "status": pa.string(), "faces": pa.int16()} | dict.fromkeys(FLOATS, pa.float32())
    types |= {f"p_{label}": pa.float32() for label in labels}
    types |= dict.fromkeys(thresholds, pa.int8()) if thresholds else {"expression": pa.string()}
    types |= {f"ask: {text}": pa.float32() for text in asked}
    about = {"kind": "action_units" if thresholds else "expressions", "labels": labels, "thresholds": thresholds}
    about |= {"asked": asked, "model": "demo", "folds": [0, 1, 2], "notice": notice}
    schema = pa.schema(list(types.items()), metadata={"clef.predictions": json.dumps(about)})
    return pa.Table.from_pylist(rows, schema)


def write(path: Path, *tables: pa.Table) -> Path:
    pq.write_table(pa.concat_tables(tables), path)
    return path
