"""Cropping a shard: every frame of its sequences becomes a row, every face a JPEG in it."""

import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa

from clef.errors import ClefError
from clef.faces.alignment import crop_face
from clef.faces.detectors import Detector, Face, build_detector
from clef.faces.face_track import Tracked, observe, track
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.parts import Part, PartReport
from clef.faces.shard import (
    ROWS_A_BATCH,
    SCHEMA,
    STATUSES,
    read_batches,
    recordings_digest,
    write_shard,
)
from clef.params.schema import CropParams
from clef.recordings.frames import Frame, read_frames
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import check_guards

Progress = Callable[[str, int], None]
"""Called with the sequence's name and how many more frames are done."""


@dataclass(frozen=True)
class ShardReport:
    """What came of a shard."""

    frames: int
    statuses: dict[str, int]
    """Frames by status; every status is there."""
    problems: list[tuple[str, str]]
    """Sequence and message, for each sequence with frames that cannot be read."""


def crop_shard(
    root: Path,
    sequences: list[RecordedSequence],
    settings: CropParams,
    target: Path,
    work: Path,
    progress: Progress | None = None,
) -> ShardReport:
    """Crop the faces of a shard's sequences into one file.

    A job that was killed goes on with the sequences it had not finished; the file is the same to the byte.

    Args:
        root: The data set's raw folder.
        sequences: In the order of the rows.
        settings: How faces are found and cut out.
        target: The shard.
        work: Folder for finished sequences; removed at the end.
        progress: Told of frames as they are done.

    Raises:
        ClefError: The detector cannot be made. A source that cannot be read is no error: it is in the report.
    """
    cv2.setNumThreads(settings.threads)
    detector = build_detector(settings)
    fingerprint = crop_fingerprint(settings, detector.fingerprint)
    parts = [Part(work, root, group, fingerprint) for group in _groups(sequences)]
    statuses = Counter(dict.fromkeys(STATUSES, 0))
    problems: list[tuple[str, str]] = []
    for part in parts:
        report = part.finished()
        if report is None:
            check_guards()
            report = PartReport({}, [])
            part.write(_batches(root, part.sequences, settings, detector, report, progress), report)
        elif progress:
            progress(part.sequences[-1].sequence, sum(report.statuses.values()))
        statuses.update(report.statuses)
        problems.extend(report.problems)
    rows = (batch for part in parts for batch in read_batches(part.rows))
    write_shard(target, rows, fingerprint, recordings_digest(sequences))
    check_guards()
    shutil.rmtree(work, ignore_errors=True)
    return ShardReport(sum(statuses.values()), dict(statuses), problems)


def _groups(sequences: list[RecordedSequence]) -> Iterator[list[RecordedSequence]]:
    """Videos and folders one by one, single images by the batch: a part is never one tiny file."""
    for single, group in itertools.groupby(sequences, lambda sequence: sequence.is_single_image):
        members = list(group)
        size = ROWS_A_BATCH if single else 1
        yield from (members[start : start + size] for start in range(0, len(members), size))


def _batches(
    root: Path,
    sequences: list[RecordedSequence],
    settings: CropParams,
    detector: Detector,
    report: PartReport,
    progress: Progress | None,
) -> Iterator[pa.RecordBatch]:
    """Record batches of the rows; fills the report on the way."""
    problems: dict[str, list[Frame]] = {}
    rows: list[dict[str, Any]] = []
    for sequence, tracked in _followed(root, sequences, settings, detector):
        report.statuses[tracked.status] = report.statuses.get(tracked.status, 0) + 1
        if tracked.frame.problem:
            problems.setdefault(sequence.sequence, []).append(Frame(tracked.frame.number, None, tracked.frame.problem))
        rows.append(_row(sequence, tracked, settings))
        if len(rows) == ROWS_A_BATCH:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
            rows = []
            if progress:
                progress(sequence.sequence, ROWS_A_BATCH)
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
        if progress:
            progress(sequences[-1].sequence, len(rows))
    for name, broken in problems.items():
        count = f"{len(broken)} frame{'s' if len(broken) > 1 else ''} from {broken[0].number} on"
        report.problems.append((name, f"{count}: {broken[0].problem}"))


def _followed(
    root: Path, sequences: list[RecordedSequence], settings: CropParams, detector: Detector
) -> Iterator[tuple[RecordedSequence, Tracked]]:
    if sequences[0].is_single_image:
        # one frame each; they share detector calls, but nothing is tracked from one to the next
        frames = (frame for sequence in sequences for frame in read_frames(root, sequence))
        for sequence, item in zip(sequences, observe(frames, detector, settings, every=1), strict=True):
            yield sequence, _in_its_box(sequence, item) if settings.detector == "none" else item
        return
    every = 1 if settings.detector == "none" else settings.every
    for sequence in sequences:
        tracked = track(read_frames(root, sequence), detector, settings.model_copy(update={"every": every}))
        yield from ((sequence, item) for item in tracked)


def _in_its_box(sequence: RecordedSequence, tracked: Tracked) -> Tracked:
    """The face where the data set says that it is; in the whole picture where it says nothing."""
    if sequence.box is None or tracked.frame.image is None:
        return tracked
    left, top, width, height = map(float, sequence.box)
    if not width:
        return Tracked(tracked.frame, "no_face", faces=0)
    return replace(tracked, face=Face((left, top, width, height), 1.0))


def _row(sequence: RecordedSequence, tracked: Tracked, settings: CropParams) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sequence": sequence.sequence,
        "frame": tracked.frame.number,
        "status": tracked.status,
        "faces": tracked.faces,
    }
    face, image = tracked.face, tracked.frame.image
    if face is None or image is None:
        return row
    row["x"], row["y"], row["width"], row["height"] = face.box
    row["score"] = face.score if tracked.status == "detected" else None
    row["landmarks"] = None if face.landmarks is None else face.landmarks.ravel().tolist()
    crop = cv2.cvtColor(crop_face(image, face, settings), cv2.COLOR_RGB2BGR)
    encoded, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
    if not encoded:
        raise ClefError(f"{sequence.source}: frame {tracked.frame.number}: crop cannot be encoded as JPEG")
    row["crop"] = jpeg.tobytes()
    return row
