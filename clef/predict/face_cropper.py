"""Find and crop all faces of recordings."""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa

from clef.errors import ClefError, abbreviate
from clef.faces.crop import crop_row
from clef.faces.detectors.threaded import ThreadedDetector
from clef.faces.face_track import SeveralFacesError, TrackedFrame, find_all_faces, track_face, track_people
from clef.faces.search import chunks
from clef.faces.shard import decode_crop
from clef.params.schema import CropParams
from clef.predict.messages import FACES, Emit, Message
from clef.recordings.frames import Frame, read_frames
from clef.recordings.sequence import RecordedSequence
from clef.runtime.read_ahead import read_ahead

ROWS_PER_MESSAGE = 32
FRAMES_READ_AHEAD = 8
FRAMES_PER_REPORT = 16


@dataclass(frozen=True)
class Job:
    """One video, or a few images."""

    recordings: list[RecordedSequence]

    def to_plain(self) -> list[dict[str, Any]]:
        """Plain data for JSON."""
        return [asdict(recording) for recording in self.recordings]


class FaceCropper:
    """Reads recordings, and emits a row for each of their frames and each face in it.

    Args:
        settings: Crop settings.
        start: Seconds of a video to skip.
        end: Second before which to stop; None for the end of a video.
        threads: Number of threads that detect faces.
    """

    def __init__(self, settings: CropParams, start: float, end: float | None, threads: int) -> None:
        self._opencv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detector")
        self._detector = ThreadedDetector(settings, self._pool, threads)
        self._settings, self._start, self._end = settings, start, end

    def crop(self, job: Job, emit: Emit) -> None:
        """Emit the rows of a job, and its end."""
        report = _Report()
        try:
            self._crop(job.recordings, report, emit)
        except ClefError as error:
            report.problems.setdefault(job.recordings[0].sequence, []).append(str(error))
        emit(Message("end", frames=report.frames, frames_with_face=report.with_face, problems=report.summary()))

    def close(self) -> None:
        """Stop the threads of the detector, and give OpenCV back its own."""
        self._pool.shutdown()
        cv2.setNumThreads(self._opencv_threads)

    def _crop(self, recordings: list[RecordedSequence], report: "_Report", emit: Emit) -> None:
        if recordings[0].is_single_image:
            frames = itertools.chain.from_iterable(read_frames(Path(), recording) for recording in recordings)
            found = find_all_faces(_counted(frames, emit), self._detector, self._settings)
            self._emit_rows(zip((recording.sequence for recording in recordings), found, strict=True), report, emit)
            return
        (video,) = recordings
        try:
            tracked = track_face(_counted(self._read(video), emit), self._detector, self._settings)
            self._emit_rows(((video.sequence, (item,)) for item in tracked), report, emit)
        except SeveralFacesError as several:
            emit(Message("restart"))
            report.clear()
            people = track_people(self._read(video), several.tracks, self._settings)
            self._emit_rows(((video.sequence, items) for items in people), report, emit)
        if not report.frames:
            raise ClefError(f"no frame from {self._start:g} s on{f' to {self._end:g} s' if self._end else ''}")

    def _read(self, video: RecordedSequence) -> Iterator[Frame]:
        return read_ahead(self._in_time(read_frames(Path(), video, self._start)), FRAMES_READ_AHEAD)

    def _in_time(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        if not self._start and self._end is None:
            yield from frames
            return
        for frame in frames:
            if frame.time is None:
                if frame.image is None:  # of a video that cannot be opened
                    yield frame
                    continue
                raise ClefError("has no presentation times, so --start and --end are unknown; convert it to MP4")
            if self._end is not None and frame.time >= self._end:
                return
            if frame.time >= self._start:
                yield frame

    def _emit_rows(self, found: Iterable[tuple[str, tuple[TrackedFrame, ...]]], report: "_Report", emit: Emit) -> None:
        rows = (row for name, items in found for row in self._rows(name, items, report))
        for batch in chunks(rows, ROWS_PER_MESSAGE):
            emit(Message("rows", pa.RecordBatch.from_pylist(batch, schema=FACES)))

    def _rows(self, name: str, items: tuple[TrackedFrame, ...], report: "_Report") -> Iterator[dict[str, Any]]:
        """Yield a row for each face in a frame, or one without a face."""
        shown = [(number, item) for number, item in enumerate(items) if item.face and item.frame.image is not None]
        report.add(name, items[0].frame, bool(shown))
        for number, item in shown:
            row = crop_row(name, item, self._settings)
            crop = decode_crop(row["crop"])
            assert crop is not None, "encoded just now"
            yield {**row, "face": number, "crop": crop.tobytes()}
        if not shown:
            yield crop_row(name, items[0], self._settings)


class _Report:
    """Counts frames, and collects problems by file."""

    def __init__(self) -> None:
        self.problems: dict[str, list[str]] = {}
        self.clear()

    def clear(self) -> None:
        self.frames = self.with_face = 0
        self.problems.clear()

    def add(self, name: str, frame: Frame, has_face: bool) -> None:
        self.frames += 1
        self.with_face += has_face
        if frame.problem:
            self.problems.setdefault(name, []).append(frame.problem.removeprefix(f"{name}: "))

    def summary(self) -> list[tuple[str, str]]:
        """What is wrong with each file, and with how many of its frames."""
        return [
            (name, found[0] if len(found) == 1 else f"{len(found)} frames cannot be decoded ({_distinct(found)})")
            for name, found in self.problems.items()
        ]


def _distinct(problems: list[str]) -> str:
    return abbreviate(list(dict.fromkeys(problems)), 3)


def _counted(frames: Iterable[Frame], emit: Emit) -> Iterator[Frame]:
    count = 0
    for frame in frames:
        yield frame
        count += 1
        if count == FRAMES_PER_REPORT:
            emit(Message("read", frames=count))
            count = 0
    emit(Message("read", frames=count))
