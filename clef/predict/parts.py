"""Finished parts of a table of predictions, which let an interrupted command resume."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from clef.faces.shard_part import file_states
from clef.params.schema import digest
from clef.predict.face_cropper import Job
from clef.predict.messages import NO_ROWS, Message
from clef.runtime.files import write_text


class Part:
    """The rows of one job, in an Arrow file, with a JSON file that marks them as finished.

    A part counts as finished only for the same model and options, and unchanged files.
    """

    def __init__(self, work: Path, job: Job, schema: pa.Schema, key: dict[str, Any]) -> None:
        files = [(recording.source, file_states(Path(recording.source))) for recording in job.recordings]
        name = digest({"key": key, "files": files}, length=32)
        self.job = job
        self._rows, self._partial, self._finished = (work / f"{name}.{end}" for end in ("arrow", "partial", "json"))
        self._schema = schema
        self._writer: pa.RecordBatchFileWriter | None = None

    def is_finished(self) -> bool:
        """Whether an earlier call finished this part."""
        return self._finished.is_file()

    def end(self) -> Message:
        """The last message of the job of a finished part."""
        return Message.parse(NO_ROWS, {b"message": self._finished.read_bytes()})

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        self._open().write_batch(rows)

    def restart(self) -> None:
        """Remove all rows."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def finish(self, end: Message) -> None:
        """Mark the part as finished."""
        self._open().close()
        self._writer = None
        with open(self._partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(self._partial, self._rows)
        write_text(self._finished, end.metadata()["message"])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows of a finished part."""
        with pa.OSFile(str(self._rows), "rb") as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def _open(self) -> pa.RecordBatchFileWriter:
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._partial), self._schema)
        return self._writer
