"""Predict videos and images: faces are cropped in several processes, and the model runs in this one."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from clef import __version__
from clef.errors import ClefError
from clef.faces.search import chunks
from clef.predict.batches import predict_messages
from clef.predict.face_cropper import Job
from clef.predict.inputs import Problem
from clef.predict.parts import Part
from clef.predict.prepare import prepare
from clef.predict.table import Layout
from clef.predict.workers import crop_jobs
from clef.recordings.sequence import RecordedSequence
from clef.recordings.video import declared_length
from clef.runtime.progress import progress
from clef.trained.trained_model import TrainedModel

IMAGES_PER_JOB = 32


@dataclass(frozen=True)
class Options:
    """How to predict."""

    cores: int
    start: float = 0.0
    """Seconds of each video to skip."""
    end: float | None = None
    """Second of each video before which to stop."""
    detector_weights: str | None = None

    def __post_init__(self) -> None:
        """Raise a ClefError if they make no sense."""
        if self.cores < 1:
            raise ClefError(f"workers: {self.cores}; expected 1 or more")
        if not self.start >= 0:  # nor is nan
            raise ClefError(f"start: {self.start:g} s; expected 0 or more")
        if self.end is not None and not self.end > self.start:
            raise ClefError(f"end: {self.end:g} s is not after the start, {self.start:g} s")


@dataclass
class Totals:
    """What was predicted."""

    files: int
    frames: int = 0
    frames_with_face: int = 0
    new_frames: int = 0
    """Frames that were not finished before a resume."""
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        files, frames = (f"{n} {unit}{'s' * (n != 1)}" for n, unit in ((self.files, "file"), (self.frames, "frame")))
        rate = f", {self.new_frames / self.seconds:.1f} frames/s" if self.new_frames and self.seconds else ""
        return f"{files}, {frames}, {self.frames_with_face} of them with a face{rate}"


def predict_files(
    model: TrainedModel, layout: Layout, recordings: Sequence[RecordedSequence], options: Options, work: Path
) -> tuple[list[Part], Totals]:
    """Predict recordings, and return a finished part of the table for each video or few images, in order.

    An interrupted call resumes from the finished parts in the folder `work`.

    Raises:
        ClefError: The model cannot be asked in words, or its face detector is missing or another one.
    """
    sentences, settings = prepare(model, layout, options.detector_weights)
    key = _key(model, layout, options)
    work.mkdir(parents=True, exist_ok=True)
    parts = [Part(work, job, layout.schema, key) for job in _jobs(recordings)]
    totals = Totals(len(recordings))
    todo = {id(part.job): part for part in parts if not part.is_finished()}
    lengths = {job: _declared_frames(part.job, options) for job, part in todo.items()}
    done = sum(part.end().frames for part in parts if id(part.job) not in todo)
    expected = done + sum(lengths.values())
    began = time.monotonic()
    # The longest first, so that no process has to wait for one that began late.
    jobs = sorted((part.job for part in todo.values()), key=lambda job: -lengths[id(job)])
    with progress("frame", done) as report:
        messages = crop_jobs(jobs, settings, options.start, options.end, options.cores)
        for job, message, values in predict_messages(model, sentences, messages):
            part = todo[id(job)]
            if message.event == "rows":
                part.write(layout.rows(message.rows, values))
            elif message.event == "restart":
                part.restart()
            elif message.event == "end":
                part.finish(message)
            else:
                done += message.frames
                totals.new_frames += message.frames
                rate = totals.new_frames / (time.monotonic() - began)
                report(done, max(done, expected), f"{rate:.1f} frames/s")
    totals.seconds = time.monotonic() - began
    for part in parts:
        end = part.end()
        totals.frames += end.frames
        totals.frames_with_face += end.frames_with_face
        totals.problems += end.problems
    return parts, totals


def all_rows(parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
    """Read the rows of finished parts."""
    return (batch for part in parts for batch in part.batches())


def _jobs(recordings: Sequence[RecordedSequence]) -> Iterator[Job]:
    for single, group in groupby(recordings, lambda recording: recording.is_single_image):
        yield from map(Job, chunks(group, IMAGES_PER_JOB if single else 1))


def _declared_frames(job: Job, options: Options) -> int:
    if job.recordings[0].is_single_image:
        return len(job.recordings)
    with suppress(ClefError):  # of a file that cannot be read, which is reported when it is
        frames, seconds = declared_length(Path(job.recordings[0].source))
        if seconds and (options.start or options.end is not None):
            shown = min(seconds, seconds if options.end is None else options.end) - options.start
            return round(frames * max(0.0, shown) / seconds)
        return frames
    return 0


def _key(model: TrainedModel, layout: Layout, options: Options) -> dict[str, Any]:
    """Return what rows depend on besides their files."""
    return {
        "clef": __version__,
        "crop": model.config.crop,
        "device": model.device.type,
        "layout": asdict(layout),
        "members": [member.sha256 for member in model.config.members],
        "time": [options.start, options.end],
    }
