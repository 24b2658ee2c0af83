"""Crop a shard: every frame of its sequences becomes a row, with the face as a JPEG."""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa

from clef.errors import ClefError
from clef.faces.alignment import crop_face
from clef.faces.detectors import Detector, Face, build_detector
from clef.faces.detectors.threaded import ThreadedDetector
from clef.faces.face_track import SeveralFacesError, TrackedFrame, find_single_faces, track_face, track_person
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.search import chunks
from clef.faces.shard import ROWS_PER_BATCH, SCHEMA, read_batches, recordings_digest, write_shard
from clef.faces.shard_part import CropReport, ShardPart
from clef.params.schema import CropParams
from clef.recordings.frames import Frame, read_frames
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import check_guards
from clef.runtime.read_ahead import MapInOrder, map_ahead, read_ahead

ReportFrames = Callable[[str, int], None]
"""Called with a sequence's name and the number of frames read since the last call."""
AHEAD = 4
"""Frames, for each thread, that are decoded or encoded ahead of the detector or behind it."""


@dataclass(frozen=True)
class _Tools:
    """What crops a shard, in one thread or several; the rows are the same."""

    detector: Detector
    in_order: MapInOrder
    read_ahead: Callable[[Iterator[Frame]], Iterator[Frame]]


@contextmanager
def _tools(settings: CropParams) -> Iterator[_Tools]:
    if settings.threads == 1:
        detector = build_detector(settings)
        with detector.one_thread_each():
            yield _Tools(detector, map, iter)
        return
    ahead = AHEAD * settings.threads
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="crop") as pool:
        detector = ThreadedDetector(settings, pool, settings.threads)
        with detector.one_thread_each():
            yield _Tools(detector, partial(map_ahead, pool=pool, number=ahead), partial(read_ahead, number=ahead))


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
    cv2.setNumThreads(1)  # of each thread
    total = CropReport()
    with _tools(settings) as tools:
        fingerprint = crop_fingerprint(settings, tools.detector.fingerprint)
        parts = [ShardPart(work, root, group, fingerprint) for group in _group(sequences)]
        for part in parts:
            report = part.finished_report()
            if report is None:
                check_guards()
                report = _crop_part(root, part, settings, tools, progress)
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


def _crop_part(
    root: Path, part: ShardPart, settings: CropParams, tools: _Tools, progress: ReportFrames | None
) -> CropReport:
    frames = _counted(_read(root, part.sequences, tools), part.sequences[-1].sequence, progress)
    if part.sequences[0].is_single_image:
        # Single images share detector calls, but nothing is tracked between them.
        found = find_single_faces(frames, tools.detector, settings)
        tracked = found if settings.detector != "none" else map(_use_annotated_box, found)
        return _write(part, zip(part.sequences, tracked, strict=True), settings, tools)
    (sequence,) = part.sequences
    try:
        tracked = track_face(frames, tools.detector, settings)
        return _write(part, zip(itertools.repeat(sequence), tracked, strict=False), settings, tools)
    except SeveralFacesError as several:
        tracks = several.tracks
    tracked = track_person(_read(root, part.sequences, tools), tracks, settings)
    return _write(part, zip(itertools.repeat(sequence), tracked, strict=False), settings, tools)


def _read(root: Path, sequences: list[RecordedSequence], tools: _Tools) -> Iterator[Frame]:
    if sequences[0].is_single_image:
        images = tools.in_order(lambda sequence: list(read_frames(root, sequence)), sequences)
        return itertools.chain.from_iterable(images)
    (sequence,) = sequences
    return tools.read_ahead(read_frames(root, sequence, in_order=tools.in_order))


def _counted(frames: Iterator[Frame], sequence: str, progress: ReportFrames | None) -> Iterator[Frame]:
    count = 0
    for frame in frames:
        yield frame
        count += 1
        if progress and count == ROWS_PER_BATCH:
            progress(sequence, count)
            count = 0
    if progress and count:
        progress(sequence, count)


def _write(
    part: ShardPart, tracked: Iterable[tuple[RecordedSequence, TrackedFrame]], settings: CropParams, tools: _Tools
) -> CropReport:
    report = CropReport()
    part.write(_crop_batches(tracked, settings, tools, report), report)
    return report


def _crop_batches(
    tracked: Iterable[tuple[RecordedSequence, TrackedFrame]], settings: CropParams, tools: _Tools, report: CropReport
) -> Iterator[pa.RecordBatch]:
    """Yield the rows in record batches, and fill in the report."""
    problems: dict[str, list[tuple[int, str]]] = {}

    def reported() -> Iterator[tuple[RecordedSequence, TrackedFrame]]:
        for sequence, item in tracked:
            report.statuses[item.status] += 1
            if item.frame.problem:
                problems.setdefault(sequence.sequence, []).append((item.frame.number, item.frame.problem))
            yield sequence, item

    def row(cropped: tuple[RecordedSequence, TrackedFrame]) -> dict[str, Any]:
        sequence, item = cropped
        return crop_row(sequence.sequence, item, settings)

    for batch in chunks(tools.in_order(row, reported()), ROWS_PER_BATCH):
        yield pa.RecordBatch.from_pylist(batch, schema=SCHEMA)
    for name, broken in problems.items():
        number, problem = broken[0]
        count = f"{len(broken)} frame{'s' if len(broken) > 1 else ''} from {number} on"
        report.problems.append((name, f"{count}: {problem}"))


def _use_annotated_box(tracked: TrackedFrame) -> TrackedFrame:
    """Use the annotated box as the face if there is one, instead of the whole image."""
    if tracked.frame.box is None or tracked.frame.image is None:
        return tracked
    if not tracked.frame.box[2]:
        return TrackedFrame(tracked.frame, "no_face", faces=0)
    return replace(tracked, face=Face(tracked.frame.box, 1.0))


def crop_row(sequence: str, tracked: TrackedFrame, settings: CropParams) -> dict[str, Any]:
    """Crop the face of a frame, and return the row that a shard has for it."""
    row: dict[str, Any] = {
        "sequence": sequence,
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
