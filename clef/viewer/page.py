"""Write the page: the template, with the video and the columns of the table in it."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from clef.model.texts import load_texts
from clef.params.schema import TextParams
from clef.runtime.files import atomic_write
from clef.trained.columns import EXPRESSION
from clef.viewer.predictions import Predictions
from clef.viewer.video import Copy

CHUNK = 3 * 2**21  # bytes; a multiple of 3, so that chunks are whole in base64
NO_INTEGER = -(2**31)


def write_page(target: Path, predictions: Predictions, copy: Copy, video: Path, beside: bool) -> None:
    """Write the page with the video in it or, if it is `beside` the page, its name."""
    environment = Environment(
        loader=PackageLoader("clef.viewer", "."), autoescape=True, trim_blocks=True, undefined=StrictUndefined
    )
    content = {
        "title": Path(predictions.file).name,
        "predictions": predictions,
        "data": page_data(predictions, copy),
        "source": video.name if beside else None,
        "chunks": () if beside else _base64_chunks(video),
    }
    with atomic_write(target) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(environment.get_template("viewer.html.j2").generate(content))


def page_data(predictions: Predictions, copy: Copy) -> dict[str, Any]:
    """What `viewer.js` reads: the columns in the table's order, without the decisions, which it makes itself."""
    known = load_texts(TextParams())["labels"]
    decisions = [EXPRESSION] if predictions.kind == "expressions" else predictions.labels
    return {
        **copy._asdict(),
        "file": Path(predictions.file).name,
        "kind": predictions.kind,
        "labels": predictions.labels,
        "names": {label: known[label]["name"] for label in predictions.labels if label in known},
        "thresholds": predictions.thresholds,
        "asked": predictions.asked,
        "columns": [
            {"name": name} | ({} if name in decisions else _encode(predictions.rows[name].combine_chunks()))
            for name in predictions.rows.column_names
        ],
    }


def _encode(column: pa.Array) -> dict[str, Any]:
    """Encode a column as little-endian numbers in base64. Texts are indices into a list."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        coded = column.dictionary_encode()
        return {"texts": coded.dictionary.to_pylist()} | _encode(coded.indices)
    values = column.to_numpy(zero_copy_only=False)  # null becomes NaN, also among integers
    if pa.types.is_integer(column.type):
        values = np.where(np.isnan(values), NO_INTEGER, values).astype("<i4")
    elif pa.types.is_float32(column.type):
        values = values.astype("<f4")
    else:
        values = values.astype("<f8")
    return {"type": values.dtype.str[1:], "base64": base64.b64encode(values).decode()}


def _base64_chunks(video: Path) -> Iterator[str]:
    with video.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield base64.b64encode(chunk).decode()
