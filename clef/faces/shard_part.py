"""Finished parts of a shard, which let an interrupted crop job resume."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from clef.faces.shard import STATUSES, write_shard
from clef.params.schema import digest
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import check_guards, write_text


@dataclass
class CropReport:
    """Counts and problems of a shard or a part of it."""

    statuses: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))  # number of frames by status
    problems: list[tuple[str, str]] = field(default_factory=list)  # name and message of sequences with bad frames

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(self.statuses.values())


class ShardPart:
    """The rows of a few sequences, in an Arrow file, with a JSON file that marks them as finished.

    A part counts as finished only for the same settings and unchanged sources.
    """

    def __init__(self, work: Path, root: Path, sequences: list[RecordedSequence], fingerprint: dict[str, Any]) -> None:
        self.sequences = sequences
        self.rows = work / f"{sequences[0].sequence}.arrow"
        self._finished = work / f"{sequences[0].sequence}.json"
        self._fingerprint = fingerprint
        self._key = digest(
            {
                "fingerprint": fingerprint,
                "sequences": [asdict(sequence) for sequence in sequences],
                "sources": [file_states(root / sequence.source) for sequence in sequences],
            },
            length=64,
        )

    def finished_report(self) -> CropReport | None:
        """Return the report of a finished part, or None if the part must be cropped."""
        try:
            found = json.loads(self._finished.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if found.get("key") != self._key or not self.rows.is_file():
            return None
        return CropReport(found["statuses"], [(name, message) for name, message in found["problems"]])

    def write(self, batches: Iterable[pa.RecordBatch], report: CropReport) -> None:
        """Write the rows, then mark the part as finished. The report may fill up while the batches are consumed."""
        check_guards()
        self._finished.unlink(missing_ok=True)
        write_shard(self.rows, batches, self._fingerprint)
        write_text(self._finished, json.dumps({"key": self._key, **asdict(report)}, indent=1))


def file_states(source: Path) -> Any:
    """Return sizes and times of a file, or of the files in a folder."""
    if source.is_dir():
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(source.iterdir())]
    return (source.stat().st_size, source.stat().st_mtime_ns) if source.exists() else None
