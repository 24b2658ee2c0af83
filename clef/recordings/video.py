"""Decoding of video files, with every frame under its right number also where the file is damaged.

The packets of the container are the list of input frames: sorted by presentation time, the n-th packet is
frame n. A decoded frame is looked up in that list by its time, so that a frame which fails to decode leaves a
gap and shifts nothing. For an undamaged file this is plain decoding order, also with a variable frame rate.
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import numpy as np

from clef.errors import ClefError

NOT_DECODED = "the decoder gave no picture"
REORDERING = 16
"""Frames by which a decoder may be out of order at most, as H.264 and HEVC limit their picture buffers."""


@dataclass(frozen=True)
class VideoFacts:
    """What a container says about its video, size as displayed."""

    frames: int
    """As declared; counted by packet where the container declares none."""
    fps: float | None
    """Average rate in frames a second."""
    width: int
    height: int


@dataclass(frozen=True)
class _Timeline:
    """Which frame belongs to which presentation time."""

    positions: dict[int, int | None] | None
    """Frame by time, none where it cannot be told; no table where packets have no times or share them, and
    only the order of decoding counts."""
    total: int


def probe(path: Path) -> VideoFacts:
    """Read the facts of a video without decoding more than its first frame.

    Raises:
        ClefError: The file is missing or empty, is no video, or holds sound only.
    """
    with _opened(path) as container:
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

    Args:
        path: The file.
        declared: Frames that are known to belong to it, where the container may have lost some.

    Yields:
        Number from 0, picture as RGB uint8 `(height, width, 3)` turned as its display matrix says, and what
        is wrong with the frame. Every number up to the declared count comes once, in order; a frame that
        cannot be decoded comes without a picture.

    Raises:
        ClefError: As `probe`.
    """
    timeline = _read_timeline(path, declared or 0)
    following = 0
    with _opened(path) as container:
        for position, decoded in _in_order(_placed(_decode(container, _video_stream(container, path)), timeline)):
            for missing in range(following, position):
                yield missing, None, NOT_DECODED
            yield position, *((None, decoded) if isinstance(decoded, str) else _picture(decoded))
            following = position + 1
    for missing in range(following, timeline.total):
        yield missing, None, NOT_DECODED


def _placed(decoded: Iterable[av.VideoFrame | str], timeline: _Timeline) -> Iterator[tuple[int, av.VideoFrame | str]]:
    """Give each decoded frame its number; a message counts as a frame only where there are no times."""
    following = 0
    for item in decoded:
        position: int | None = following
        if timeline.positions is not None:
            if isinstance(item, str):
                continue
            position = following if item.pts is None else timeline.positions.get(item.pts, following)
        if position is not None:
            yield position, item
            following = position + 1


def _in_order(placed: Iterable[tuple[int, av.VideoFrame | str]]) -> Iterator[tuple[int, av.VideoFrame | str]]:
    """Sort frames that a damaged stream gives out of order, or twice; others pass without waiting."""
    held: list[tuple[int, int, av.VideoFrame | str]] = []
    following = 0
    for arrival, (position, item) in enumerate(placed):
        heapq.heappush(held, (position, arrival, item))
        while held and (held[0][0] <= following or len(held) > REORDERING):
            position, _, item = heapq.heappop(held)
            if position >= following:
                yield position, item
                following = position + 1
    for position, _, item in sorted(held):
        if position >= following:
            yield position, item
            following = position + 1


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
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
    """Packets up to the end or to where the container is damaged."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # what follows is counted by `_Timeline.total`


def _decode(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame | str]:
    """Frames in order of decoding, and a message for each packet that the decoder refuses.

    Frame threads stay off: with them an error surfaces some packets late, and at the end takes good frames
    along.
    """
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            if not isinstance(error, av.error.EOFError):
                yield f"the decoder says: {error.strerror}"


def _picture(frame: av.VideoFrame) -> tuple[np.ndarray | None, str | None]:
    if frame.is_corrupt:
        return None, "damaged picture"
    try:
        image = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        return None, f"no conversion to RGB: {error}"
    quarter_turns = round(frame.rotation / 90)  # counter-clockwise
    return (np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image), None


def _read_timeline(path: Path, declared: int) -> _Timeline:
    """List the frames of a file by reading its packets, without decoding."""
    times: list[int | None] = []
    skipped = 0
    last_decoded = None
    with _opened(path) as container:
        stream = _video_stream(container, path)
        rate, unit = stream.average_rate, stream.time_base
        declared = max(declared, stream.frames)
        for packet in _packets(container, stream):
            if packet.size and packet.is_discard:  # cut away by an edit list: no frame of the displayed video
                skipped += 1
            elif packet.size:
                times.append(packet.pts)
                last_decoded = packet.dts
    lost = max(0, declared - len(times) - skipped)
    known = sorted(time for time in times if time is not None)
    total = len(times) + lost
    if len(known) < len(times) or any(a == b for a, b in itertools.pairwise(known)):
        return _Timeline(None, total)
    positions: list[int | None] = list(range(len(known)))
    if lost and known:
        on_grid = _on_grid(known, rate * unit, total) if rate and unit else None
        # packets come by time of decoding: a lost one is shown no earlier than the last one was decoded, and
        # may be shown before any frame later than that
        late = [last_decoded is not None and time > last_decoded for time in known]
        positions = on_grid or [None if is_late else n for n, is_late in zip(positions, late, strict=True)]
    return _Timeline(dict(zip(known, positions, strict=True)), total)


def _on_grid(times: list[int], frames_a_tick: Fraction, total: int) -> list[int | None] | None:
    """Frame numbers by the clock, for a file that lost packets; none where its rate is not constant."""
    exact = [(time - times[0]) * frames_a_tick for time in times]
    numbers = [round(value) for value in exact]
    steady = all(abs(value - number) < Fraction(1, 4) for value, number in zip(exact, numbers, strict=True))
    return list(numbers) if steady and len(set(numbers)) == len(numbers) and numbers[-1] < total else None
