"""Crop a shard: every frame of its sequences becomes a row, with the face as a JPEG."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa

from clef.errors import ClefError
from clef.faces.alignment import crop_face
from clef.faces.detectors import Detector, Face, build_detector
from clef.faces.face_track import TrackedFrame, chunks, detect_faces, track_face
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.shard import ROWS_PER_BATCH, SCHEMA, read_batches, recordings_digest, write_shard
from clef.faces.shard_part import CropReport, ShardPart
from clef.params.schema import CropParams
from clef.recordings.frames import read_frames
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import check_guards

ReportFrames = Callable[[str, int], None]
"""Called with a sequence's name and the number of frames finished since the last call."""


def crop_shard(
    root: Path,
    sequences: list[RecordedSequence],
    settings: CropParams,
    target: Path,
    work: Path,
    progress: ReportFrames | None = None,
) -> CropReport:
    """Crop the faces of a shard's sequences into the file `target`, with rows in the order of the sequences.

    An interrupted job resumes from the finished sequences in the folder `work`, which is removed at the end. The file
    then has the same bytes. An unreadable source is not an error: it is in the report.
    """
    cv2.setNumThreads(settings.threads)
    detector = build_detector(settings)
    fingerprint = crop_fingerprint(settings, detector.fingerprint)
    parts = [ShardPart(work, root, group, fingerprint) for group in _group(sequences)]
    total = CropReport()
    for part in parts:
        report = part.finished_report()
        if report is None:
            check_guards()
            report = CropReport()
            part.write(_crop_batches(root, part.sequences, settings, detector, report, progress), report)
        elif progress:
            progress(part.sequences[-1].sequence, report.frames)
        for status, count in report.statuses.items():
            total.statuses[status] += count
        total.problems.extend(report.problems)
    rows = (batch for part in parts for batch in read_batches(part.rows))
    write_shard(target, rows, fingerprint, recordings_digest(sequences))
    check_guards()
    shutil.rmtree(work, ignore_errors=True)
    return total


def _group(sequences: list[RecordedSequence]) -> Iterator[list[RecordedSequence]]:
    """Group sequences into parts: each video or folder alone, single images by the batch."""
    for single, group in itertools.groupby(sequences, lambda sequence: sequence.is_single_image):
        yield from chunks(group, ROWS_PER_BATCH if single else 1)


def _crop_batches(
    root: Path,
    sequences: list[RecordedSequence],
    settings: CropParams,
    detector: Detector,
    report: CropReport,
    progress: ReportFrames | None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows in record batches, and fill in the report."""
    problems: dict[str, list[tuple[int, str]]] = {}

    def rows() -> Iterator[dict[str, Any]]:
        for sequence, tracked in _track(root, sequences, settings, detector):
            report.statuses[tracked.status] += 1
            if tracked.frame.problem:
                problems.setdefault(sequence.sequence, []).append((tracked.frame.number, tracked.frame.problem))
            yield _row(sequence, tracked, settings)

    for batch in chunks(rows(), ROWS_PER_BATCH):
        yield pa.RecordBatch.from_pylist(batch, schema=SCHEMA)
        if progress:
            progress(batch[-1]["sequence"], len(batch))
    for name, broken in problems.items():
        number, problem = broken[0]
        count = f"{len(broken)} frame{'s' if len(broken) > 1 else ''} from {number} on"
        report.problems.append((name, f"{count}: {problem}"))


def _track(
    root: Path, sequences: list[RecordedSequence], settings: CropParams, detector: Detector
) -> Iterator[tuple[RecordedSequence, TrackedFrame]]:
    detects = settings.detector != "none"
    if sequences[0].is_single_image:
        # Single images share detector calls, but nothing is tracked between them.
        frames = (frame for sequence in sequences for frame in read_frames(root, sequence))
        for sequence, item in zip(sequences, detect_faces(frames, detector, settings, every=1), strict=True):
            yield sequence, item if detects else _use_annotated_box(item)
        return
    settings = settings.model_copy(update={"every": settings.every if detects else 1})
    for sequence in sequences:
        yield from ((sequence, item) for item in track_face(read_frames(root, sequence), detector, settings))


def _use_annotated_box(tracked: TrackedFrame) -> TrackedFrame:
    """Use the annotated box as the face if there is one, instead of the whole image."""
    if tracked.frame.box is None or tracked.frame.image is None:
        return tracked
    if not tracked.frame.box[2]:
        return TrackedFrame(tracked.frame, "no_face", faces=0)
    return replace(tracked, face=Face(tracked.frame.box, 1.0))


def _row(sequence: RecordedSequence, tracked: TrackedFrame, settings: CropParams) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sequence": sequence.sequence,
        "frame": tracked.frame.number,
        "time": tracked.frame.time,
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
        raise ClefError(f"crop.size: OpenCV cannot encode a crop of {settings.size} pixels as JPEG; use a smaller size")
    row["crop"] = jpeg.tobytes()
    return row
