"""Messages from the processes that crop faces to the one that predicts, as Arrow record batches."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from clef.faces.shard import SCHEMA

FACES = pa.schema([*SCHEMA, pa.field("face", pa.int16())])
"""Rows of a shard with the name of the file as `sequence`. The crop is decoded: RGB, uint8, (side, side, 3)."""
NO_ROWS = pa.RecordBatch.from_pylist([], schema=FACES)


@dataclass(frozen=True)
class Message:
    """What happened to a job."""

    event: Literal["read", "rows", "restart", "end"]
    """`read`: frames were read, for the progress; `rows`: rows follow those of before; `restart`: all rows so far are
    void; `end`: the job is done."""
    rows: pa.RecordBatch = field(default_factory=lambda: NO_ROWS)
    frames: int = 0
    """Number of frames that were read (`read`), or that the job has (`end`)."""
    frames_with_face: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Name and problem of each file that could not be read as a whole."""

    def metadata(self) -> dict[str, str]:
        """All but the rows, as metadata of their record batch."""
        return {"message": json.dumps({key: value for key, value in vars(self).items() if key != "rows"})}

    @classmethod
    def parse(cls, rows: pa.RecordBatch, metadata: pa.KeyValueMetadata) -> "Message":
        """Return the message that a record batch with metadata carries."""
        values = json.loads(metadata[b"message"])
        values["problems"] = [(name, problem) for name, problem in values["problems"]]
        return cls(rows=rows, **values)


Emit = Callable[[Message], None]
