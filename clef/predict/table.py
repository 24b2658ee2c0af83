"""The table of predictions: its columns, and what its metadata say about them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from clef.predict.zero_shot import zero_shot_figures
from clef.trained.columns import ASKED, EXPRESSION, METADATA, PROBABILITY
from clef.trained.config import TrainedConfig

POINTS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
"""Order of the landmarks. Right and left are the person's own."""
LANDMARKS = [f"{point}_{axis}" for point in POINTS for axis in "xy"]
BOX = ["x", "y", "width", "height"]

FRAMES = [
    pa.field("file", pa.string(), nullable=False),
    pa.field("frame", pa.int32(), nullable=False),  # from 0
    pa.field("time", pa.float64()),  # seconds, as players show it; null for images
    pa.field("face", pa.int16()),  # follows a person; 0 is the main person; null in the row of a frame without a face
    pa.field("status", pa.string(), nullable=False),
    pa.field("faces", pa.int16()),  # number detected; null if the detector did not see the frame
    pa.field("score", pa.float32()),  # of the detection; null if there was none in this frame
    *(pa.field(name, pa.float32()) for name in BOX),  # in pixels of the upright image
    *(pa.field(name, pa.float32()) for name in LANDMARKS),
]


@dataclass(frozen=True)
class Layout:
    """What the columns of a table of predictions are, and which model made them."""

    kind: Literal["action_units", "expressions"]
    labels: list[str]
    thresholds: dict[str, float]
    """Smallest probability at which an action unit counts as present; empty for expressions."""
    asked: list[str]
    """Sentences that the model was asked."""
    model: str
    folds: list[int | Literal["all"]]
    notice: str | None
    zero_shot: dict[str, Any] | None = None
    """See `zero_shot_figures`."""

    @classmethod
    def of(cls, config: TrainedConfig, model: str, asked: Sequence[str]) -> "Layout":
        """Return the layout of a model's predictions; `model` is its name as given."""
        folds = sorted({member.fold for member in config.members}, key=str)
        labels, sentences = config.labels, list(dict.fromkeys(asked))
        figures = zero_shot_figures(config)
        return cls(labels.kind, labels.names, config.thresholds, sentences, model, folds, config.notice, figures)

    @property
    def schema(self) -> pa.Schema:
        """Schema of the table."""
        decisions = [pa.field(EXPRESSION, pa.string())]
        if self.kind == "action_units":
            decisions = [pa.field(label, pa.int8()) for label in self.labels]
        values = [f"{PROBABILITY}{label}" for label in self.labels], [f"{ASKED}{sentence}" for sentence in self.asked]
        probabilities, cosines = ([pa.field(name, pa.float32()) for name in names] for names in values)
        return pa.schema(
            [*FRAMES, *probabilities, *decisions, *cosines], {METADATA: json.dumps(asdict(self), ensure_ascii=False)}
        )

    def rows(self, found: pa.RecordBatch, values: np.ndarray) -> pa.RecordBatch:
        """Return rows of the table.

        Args:
            found: Rows of `clef.predict.messages.FACES`.
            values: Probabilities and cosines of the rows with a face, float32 (rows, labels and sentences).
        """
        has_face = found["face"].is_valid().to_numpy(zero_copy_only=False)
        columns = {"file": found["sequence"], **{name: found[name] for name in found.schema.names if name in BASE}}
        columns |= _columns(LANDMARKS, found["landmarks"].is_valid(), found["landmarks"].flatten().to_numpy())
        probabilities = values[:, : len(self.labels)]
        columns |= _columns([f"{PROBABILITY}{label}" for label in self.labels], has_face, probabilities)
        if self.kind == "expressions":
            best = np.array(self.labels, object)[probabilities.argmax(axis=1)]
            columns |= _columns([EXPRESSION], has_face, best)
        else:
            limits = np.array([self.thresholds[label] for label in self.labels])
            columns |= _columns(self.labels, has_face, probabilities >= limits)
        columns |= _columns([f"{ASKED}{sentence}" for sentence in self.asked], has_face, values[:, len(self.labels) :])
        schema = self.schema
        return pa.RecordBatch.from_arrays(
            [columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema
        )


BASE = {field.name for field in FRAMES}


def _columns(names: Sequence[str], is_known: np.ndarray | pa.Array, known: np.ndarray) -> dict[str, pa.Array]:
    """Columns with the known values in the rows that have some, and nulls elsewhere."""
    places = np.flatnonzero(np.asarray(is_known))
    known = known.reshape(len(places), len(names))
    indices = np.full(len(is_known), -1)
    indices[places] = np.arange(len(places))
    take = pa.array(indices, mask=indices < 0)
    return {name: pa.array(known[:, column]).take(take) for column, name in enumerate(names)}
