"""What a killed crop job leaves behind, so that the next one goes on: finished parts of a shard."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clef.faces.shard import write_shard
from clef.params.schema import digest
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import check_guards, write_text


@dataclass(frozen=True)
class PartReport:
    """What came of a part."""

    statuses: dict[str, int]
    problems: list[tuple[str, str]]
    """Sequence and message."""


class Part:
    """The rows of a few sequences, as a file of batches and a small file that says the first one is finished.

    It counts as finished for the same settings and unchanged sources only.
    """

    def __init__(self, work: Path, root: Path, sequences: list[RecordedSequence], fingerprint: dict[str, Any]) -> None:
        self.sequences = sequences
        self.rows = work / f"{sequences[0].sequence}.arrow"
        self._done = work / f"{sequences[0].sequence}.json"
        self._fingerprint = fingerprint
        self._key = digest(
            {
                "fingerprint": fingerprint,
                "sequences": [asdict(sequence) for sequence in sequences],
                "sources": [_state(root / sequence.source) for sequence in sequences],
            },
            length=64,
        )

    def finished(self) -> PartReport | None:
        """The report of the part, or none where it has to be made."""
        try:
            found = json.loads(self._done.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if found.get("key") != self._key or not self.rows.is_file():
            return None
        return PartReport(found["statuses"], [(name, message) for name, message in found["problems"]])

    def write(self, batches: Iterable[pa.RecordBatch], report: PartReport) -> None:
        """Write the rows, then that they are finished.

        Args:
            batches: Consumed one by one.
            report: Read when the last batch is written, so that it may fill up meanwhile.
        """
        check_guards()
        self._done.unlink(missing_ok=True)
        write_shard(self.rows, batches, self._fingerprint)
        write_text(self._done, json.dumps({"key": self._key, **asdict(report)}, indent=1))


def _state(source: Path) -> Any:
    """Size and time of a file, or of the files of a folder; changes when they do."""
    if source.is_dir():
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(source.iterdir())]
    return (source.stat().st_size, source.stat().st_mtime_ns) if source.exists() else None
