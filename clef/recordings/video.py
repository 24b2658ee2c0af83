"""Decode video files and give each frame its right number, also in damaged files.

The container's packets are the list of input frames: sorted by presentation time, the n-th packet is frame n. A decoded
frame is looked up by its time, so a frame that fails to decode leaves a gap and shifts no other frame. For an
undamaged file this equals plain decoding order, also at a variable frame rate.
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.container
import numpy as np

from clef.errors import ClefError

NOT_DECODED = "the decoder gave no picture"
MAX_REORDERING = 16  # frames that a decoder may reorder: the picture buffer limit of H.264 and HEVC

Decoded = av.VideoFrame | str
"""A frame, or an error message."""


class VideoFacts(NamedTuple):
    """What a container declares about its video."""

    frames: int
    """As declared, or the number of packets if the container declares none."""
    fps: float | None
    """Average frame rate."""
    width: int
    """As displayed."""
    height: int


class _Timeline(NamedTuple):
    """Frame numbers by presentation time."""

    numbers: dict[int, int | None] | None
    """Frame number by time; None if it is unknown. There is no table if packets have no times or share them: then
    only decoding order counts."""
    total: int


def probe(path: Path) -> VideoFacts:
    """Read the facts of a video; raise a ClefError if it is missing, empty or no video. Decode one frame at most."""
    with _open(path) as container:
        stream = _video_stream(container, path)
        frames, rate = stream.frames, stream.average_rate
        width, height = stream.width, stream.height
        first = next(_decode(container, stream), None)
        if isinstance(first, av.VideoFrame):
            width, height = (first.height, first.width) if first.rotation % 180 else (first.width, first.height)
    if not frames:
        frames = _read_timeline(path, declared=0).total
    if not frames or not width or not height:
        raise ClefError(f"{path}: the video stream holds no frames; expected a video; replace the file")
    return VideoFacts(frames=frames, fps=float(rate) if rate else None, width=width, height=height)


def read_video(path: Path, declared: int | None = None) -> Iterator[tuple[int, np.ndarray | None, str | None]]:
    """Decode a video frame by frame.

    Yields:
        Number from 0; image as RGB uint8 `(height, width, 3)`, rotated for display; and the frame's problem, if any.
        Every number comes once, in order, up to the count that the container or `declared` gives. A frame that cannot
        be decoded has no image.
    """
    timeline = _read_timeline(path, declared or 0)
    expected = 0
    with _open(path) as container:
        decoded = _decode(container, _video_stream(container, path))
        for number, item in _sort_by_number(_number_frames(decoded, timeline)):
            for missing in range(expected, number):
                yield missing, None, NOT_DECODED
            yield number, *((None, item) if isinstance(item, str) else _to_rgb(item))
            expected = number + 1
    for missing in range(expected, timeline.total):
        yield missing, None, NOT_DECODED


def _number_frames(decoded: Iterable[Decoded], timeline: _Timeline) -> Iterator[tuple[int, Decoded]]:
    """Number the decoded frames. Error messages count as frames only if there are no times."""
    expected = 0
    for item in decoded:
        number: int | None = expected
        if timeline.numbers is not None:
            if isinstance(item, str):
                continue
            number = expected if item.pts is None else timeline.numbers.get(item.pts, expected)
        if number is not None:
            yield number, item
            expected = number + 1


def _sort_by_number(numbered: Iterable[tuple[int, Decoded]]) -> Iterator[tuple[int, Decoded]]:
    """Sort frames and drop duplicates, as damaged streams give them. Frames in order pass without delay."""
    waiting: list[tuple[int, int, Decoded]] = []
    expected = 0
    for arrival, frame in enumerate(itertools.chain(numbered, [None])):
        if frame is not None:
            heapq.heappush(waiting, (frame[0], arrival, frame[1]))
        while waiting and (frame is None or waiting[0][0] <= expected or len(waiting) > MAX_REORDERING):
            number, _, item = heapq.heappop(waiting)
            if number >= expected:
                yield number, item
                expected = number + 1


@contextmanager
def _open(path: Path) -> Iterator[av.container.InputContainer]:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if path.is_file() and not path.stat().st_size:
            reason = "the file is empty"
        raise ClefError(f"{path}: cannot be opened ({reason}); expected a video file; replace it") from None
    with container:
        yield container


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    raise ClefError(f"{path}: holds no video stream, or was cut off before it; expected a video file; replace it")


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # the container is damaged from here on; `_Timeline.total` counts the rest


def _decode(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Decoded]:
    """Yield frames in decoding order, and a message for each packet that the decoder rejects.

    Frame threading stays off: it reports errors some packets late and loses good frames at the end.
    """
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            if not isinstance(error, av.error.EOFError):
                yield f"decoder error: {error.strerror}"


def _to_rgb(frame: av.VideoFrame) -> tuple[np.ndarray | None, str | None]:
    if frame.is_corrupt:
        return None, "damaged picture"
    try:
        image = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        return None, f"no conversion to RGB: {error}"
    quarter_turns = round(frame.rotation / 90)  # counter-clockwise
    return (np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image), None


def _read_timeline(path: Path, declared: int) -> _Timeline:
    """List the frames of a file from its packets, without decoding."""
    times: list[int | None] = []
    skipped = 0
    last_decoded = None
    with _open(path) as container:
        stream = _video_stream(container, path)
        rate, unit = stream.average_rate, stream.time_base
        declared = max(declared, stream.frames)
        for packet in _packets(container, stream):
            if packet.size and packet.is_discard:  # removed by an edit list: not part of the displayed video
                skipped += 1
            elif packet.size:
                times.append(packet.pts)
                last_decoded = packet.dts
    lost = max(0, declared - len(times) - skipped)
    known = sorted(time for time in times if time is not None)
    total = len(times) + lost
    if len(known) < len(times) or any(a == b for a, b in itertools.pairwise(known)):
        return _Timeline(None, total)
    numbers: list[int | None] = list(range(len(known)))
    if lost and known:
        # Packets come in decoding order. A lost packet is displayed after the last one was decoded, perhaps before
        # known frames that are displayed later still, so the numbers of those are unknown.
        late = [last_decoded is not None and time > last_decoded for time in known]
        constant_rate = _number_by_clock(known, rate * unit, total) if rate and unit else None
        numbers = constant_rate or [None if is_late else n for n, is_late in zip(numbers, late, strict=True)]
    return _Timeline(dict(zip(known, numbers, strict=True)), total)


def _number_by_clock(times: list[int], frames_per_tick: Fraction, total: int) -> list[int | None] | None:
    """Number frames by time in a file that lost packets. Returns None if the rate is not constant."""
    exact = [(time - times[0]) * frames_per_tick for time in times]
    numbers = [round(value) for value in exact]
    steady = all(abs(value - number) < Fraction(1, 4) for value, number in zip(exact, numbers, strict=True))
    return list(numbers) if steady and len(set(numbers)) == len(numbers) and numbers[-1] < total else None
