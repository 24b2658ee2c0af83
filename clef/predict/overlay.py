"""Draw faces and their predictions into a video or an image."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pyarrow as pa

from clef.errors import ClefError
from clef.plots.style import PERSON_COLOURS
from clef.predict.table import POINTS, Layout
from clef.recordings.frames import read_frames
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import atomic_write
from clef.trained.columns import EXPRESSION, PROBABILITY

CODECS = ("libx264", "libvpx-vp9", "mpeg4")  # the first that this build of FFmpeg can write
TICKS_PER_SECOND = 90_000
FRAMES_PER_SECOND = 25  # of recordings without times
COLOURS = [tuple(bytes.fromhex(colour[1:])) for colour in PERSON_COLOURS]  # RGB
DARK, GREY, LIGHT, WHITE = (30, 30, 30), (90, 90, 90), (170, 170, 170), (255, 255, 255)

Row = dict[str, Any]
Colour = tuple[int, ...]


def check_overlay(target: Path, recordings: Sequence[RecordedSequence]) -> None:
    """Raise a ClefError if the recordings are not one that can be drawn into this file."""
    if len(recordings) != 1:
        raise ClefError(f"--overlay: {target}; expected one video or image, got {len(recordings)}; predict it alone")
    suffixes = (".mp4",) if recordings[0].kind == "video" else (".jpg", ".png")
    if target.suffix not in suffixes:
        raise ClefError(f"--overlay: {target}; expected a name that ends in {' or '.join(suffixes)}")


def write_overlay(target: Path, recording: RecordedSequence, rows: Iterable[pa.RecordBatch], layout: Layout) -> None:
    """Read a recording again, and write it with boxes, landmarks, ids and a bar for each label.

    Frames keep their times. Sound is left out. `rows` are those of the recording in the table of predictions.
    """
    drawn = _drawn(recording, rows, layout)
    first = next(drawn, None)
    if first is None:
        raise ClefError(f"--overlay: {recording.source} has no frame to draw")
    drawn = chain([first], drawn)
    with atomic_write(target) as partial:
        if recording.kind != "video":
            for _, image in drawn:
                encoded = cv2.imencode(target.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
                partial.write_bytes(encoded.tobytes())
            return
        with av.open(str(partial), "w", format="mp4") as container:
            _encode(container, drawn)


def _drawn(
    recording: RecordedSequence, batches: Iterable[pa.RecordBatch], layout: Layout
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the time and the image of each frame that has rows and an image."""
    rows = (row for batch in batches for row in batch.to_pylist())
    frames = read_frames(Path(), recording)
    for number, group in groupby(rows, lambda row: row["frame"]):
        frame = next(frame for frame in frames if frame.number == number)
        if frame.image is not None:
            image = _draw_frame(frame.image, [row for row in group if row["face"] is not None], layout)
            yield number / FRAMES_PER_SECOND if frame.time is None else frame.time, image


def _draw_frame(image: np.ndarray, faces: list[Row], layout: Layout) -> np.ndarray:
    """Draw boxes and landmarks, and the bars of as many people as fit into a strip on the right."""
    unit = max(1, round(min(image.shape[:2]) / 360))
    line, name, bar = 11 * unit, 8 * unit * max(6, *map(len, layout.labels)), 50 * unit
    height, width = image.shape[:2]
    canvas = cv2.copyMakeBorder(image, 0, 0, 0, name + bar + 12 * unit, cv2.BORDER_CONSTANT, value=DARK)
    top = 0
    for row in faces:
        colour = COLOURS[row["face"] % len(COLOURS)]
        _draw_face(canvas[:, :width], row, unit, colour)
        if top and top + line * (len(layout.labels) + 1) > height:
            continue
        _write(canvas, f"face {row['face']}", (width + 6 * unit, top + line), unit, colour)
        for label in layout.labels:
            top += line
            is_decided = row[EXPRESSION] == label if layout.kind == "expressions" else row[label] == 1
            _write(canvas, label, (width + 6 * unit, top + line), unit, WHITE)
            left, upper, lower = width + 6 * unit + name, top + 3 * unit, top + line
            cv2.rectangle(canvas, (left, upper), (left + bar, lower), GREY, -1)
            filled = left + round(bar * row[f"{PROBABILITY}{label}"])
            cv2.rectangle(canvas, (left, upper), (filled, lower), colour if is_decided else LIGHT, -1)
        top += 2 * line
    return canvas


def _draw_face(image: np.ndarray, row: Row, unit: int, colour: Colour) -> None:
    corners = (row["x"], row["y"]), (row["x"] + row["width"], row["y"] + row["height"])
    (left, top), (right, bottom) = ((round(x), round(y)) for x, y in corners)
    cv2.rectangle(image, (left, top), (right, bottom), colour, unit, cv2.LINE_AA)
    for point in POINTS:
        if row[f"{point}_x"] is not None:
            cv2.circle(image, (round(row[f"{point}_x"]), round(row[f"{point}_y"])), 2 * unit, colour, -1, cv2.LINE_AA)
    _write(image, f"{row['face']}", (max(left, 0) + 3 * unit, max(top, 0) + 14 * unit), unit, WHITE)


def _write(image: np.ndarray, text: str, place: tuple[int, int], unit: int, colour: Colour) -> None:
    for thickness, shade in ((3 * unit, DARK), (unit, colour)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35 * unit, shade, thickness, cv2.LINE_AA)


def _encode(container: "av.container.OutputContainer", drawn: Iterable[tuple[float, np.ndarray]]) -> None:
    codec = next(name for name in CODECS if name in av.codecs_available)
    stream = cast(av.VideoStream, container.add_stream(codec, rate=FRAMES_PER_SECOND))
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
    last = -1
    for time, image in drawn:
        height, width = image.shape[:2]
        if last < 0:
            stream.height, stream.width = height + height % 2, width + width % 2
        fitted: np.ndarray = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if fitted.shape[:2] != (stream.height, stream.width):  # the size of a video may change
            fitted = cv2.resize(image, (stream.width, stream.height))
        frame = av.VideoFrame.from_ndarray(fitted, format="rgb24")
        last = max(last + 1, round(time * TICKS_PER_SECOND))
        frame.pts, frame.time_base = last, stream.codec_context.time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
