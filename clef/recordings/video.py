"""Decode video files and give each frame its right number, also in damaged files.

The packets of the container are the list of input frames, see `timeline`. A decoded frame is looked up by its time, so
a frame that fails to decode leaves a gap and shifts no other frame.

Images are upright, with square pixels, in sRGB.
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.plane import VideoPlane

from clef.errors import ClefError
from clef.recordings.hdr import is_hdr, to_sdr
from clef.recordings.packets import Decoded, decode, open_video, read_packets, video_stream
from clef.recordings.timeline import Timeline, read_timeline

DIRECT_FORMATS = {"yuv420p", "yuvj420p", "yuva420p", "yuv422p", "yuvj422p"}
"""Converted to RGB without regard to the position of chroma samples, if the height is even and stays."""

NOT_DECODED = "the decoder gave no picture"
MAX_REORDERING = 16  # frames that a decoder may reorder: the picture buffer limit of H.264 and HEVC


class VideoFacts(NamedTuple):
    """What a container declares about its video."""

    frames: int
    """As many as players show, and those that a truncated file lacks."""
    fps: float | None
    """Average frame rate."""
    width: int
    """As displayed."""
    height: int


class VideoFrame(NamedTuple):
    """One frame of a video."""

    number: int
    """From 0."""
    image: np.ndarray | None
    """RGB, uint8, `(height, width, 3)`, or None if it cannot be decoded."""
    problem: str | None
    time: float | None
    """Presentation time in seconds since the start of the recording, as players show it."""


def probe(path: Path) -> VideoFacts:
    """Read the facts of a video; raise a ClefError if it is missing, empty or no video.

    At most one frame is decoded, except in streams whose packets are not one for each frame.
    """
    frames = read_timeline(path, declared=0).total
    with open_video(path) as container:
        stream = video_stream(container, path)
        first = next((item for item in decode(container, stream) if isinstance(item, av.VideoFrame)), None)
        height, width = stream.height, stream.width
        if first is not None and frames:
            height, width = _display_size(first)
    if not frames or not width or not height:
        raise ClefError(f"{path}: the video stream holds no frames; expected a video; replace the file")
    return VideoFacts(frames, float(stream.average_rate) if stream.average_rate else None, width, height)


def declared_length(path: Path) -> tuple[int, float]:
    """Number of frames and duration in seconds by the header of a file alone, 0 where it has none.

    This is quick and may be wrong, see `probe`. An unreadable file raises a ClefError.
    """
    with open_video(path) as container:
        stream = video_stream(container, path)
        seconds = (container.duration or 0) / av.time_base
        return stream.frames or round(seconds * (stream.average_rate or 0)), seconds


def frame_times(path: Path) -> np.ndarray | None:
    """Presentation times of all frames in seconds, by number; None if a file has neither times nor a frame rate.

    Only streams with odd packets are decoded. An unreadable file raises a ClefError, as in `probe`.
    """
    timeline = read_timeline(path, declared=0)
    known = {number: time for time, number in (timeline.numbers or {}).items() if number is not None}
    if timeline.numbers is None and timeline.clock.unit:
        with open_video(path) as container:
            decoded = enumerate(decode(container, video_stream(container, path)))
            known = {n: item.pts for n, item in decoded if not isinstance(item, str) and item.pts is not None}
    times = [timeline.clock.seconds(known.get(number), number) for number in range(timeline.total)]
    return None if not times or None in times else np.array(times)


def read_video(path: Path, declared: int | None = None, start: float = 0.0) -> Iterator[VideoFrame]:
    """Decode a video frame by frame.

    Args:
        path: The file.
        declared: Number of frames that a file must have, if it is known.
        start: Seconds before which frames may be left out, where that saves time.

    Yields:
        Every number once, in order, up to the count that the container or `declared` gives. A frame that cannot be
        decoded has no image.
    """
    timeline = read_timeline(path, declared or 0, start)
    times = {number: time for time, number in (timeline.numbers or {}).items() if number is not None}
    expected = 0

    def lost(numbers: range) -> Iterator[VideoFrame]:
        for number in numbers:
            yield VideoFrame(number, None, NOT_DECODED, timeline.clock.seconds(times.get(number), number))

    with open_video(path) as container:
        stream = video_stream(container, path)
        if timeline.restart is not None and _can_seek(path, timeline.restart):
            container.seek(timeline.restart, stream=stream)
            expected = next(number for number, time in times.items() if time == timeline.restart)
        for number, item in _sort_by_number(_number_frames(decode(container, stream), timeline), expected):
            yield from lost(range(expected, number))
            time = times.get(number) if isinstance(item, str) else item.pts
            image, problem = (None, item) if isinstance(item, str) else _to_rgb(item)
            yield VideoFrame(number, image, problem, timeline.clock.seconds(time, number))
            expected = number + 1
    yield from lost(range(expected, timeline.total))


def _can_seek(path: Path, time: int) -> bool:
    """Whether a seek to the time of a key frame leads to it: an index may be wrong."""
    with open_video(path) as container:
        stream = video_stream(container, path)
        try:
            container.seek(time, stream=stream)
        except av.FFmpegError:
            return False
        first = next(read_packets(container, stream), None)
        return first is not None and first.pts == time


def _number_frames(decoded: Iterable[Decoded], timeline: Timeline) -> Iterator[tuple[int, Decoded]]:
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


def _sort_by_number(numbered: Iterable[tuple[int, Decoded]], expected: int) -> Iterator[tuple[int, Decoded]]:
    """Sort frames from number `expected` on, and drop duplicates, as damaged streams give them.

    Frames in order pass without delay.
    """
    waiting: list[tuple[int, int, Decoded]] = []
    for arrival, frame in enumerate(itertools.chain(numbered, [None])):
        if frame is not None:
            heapq.heappush(waiting, (frame[0], arrival, frame[1]))
        while waiting and (frame is None or waiting[0][0] <= expected or len(waiting) > MAX_REORDERING):
            number, _, item = heapq.heappop(waiting)
            if number >= expected:
                yield number, item
                expected = number + 1


def _to_rgb(frame: av.VideoFrame) -> tuple[np.ndarray | None, str | None]:
    """Convert a frame to an upright image with square pixels."""
    if frame.is_corrupt:
        return None, "damaged picture"
    height, width = _square_pixels(frame)
    sample_format = "rgb48le" if is_hdr(frame) else "rgb24"
    try:
        # Where jobs fill all cores, waiting for the threads of each picture costs more than converting it.
        picture = _as_plain_picture(frame).reformat(width, height, sample_format, interpolation="BICUBIC", threads=1)
        image = cast(np.ndarray, picture.to_ndarray())
    except (av.FFmpegError, ValueError) as error:
        return None, f"no conversion to RGB: {error}"
    return _upright(to_sdr(image, frame.color_trc) if is_hdr(frame) else image, frame), None


def _as_plain_picture(frame: av.VideoFrame) -> av.VideoFrame:
    """Copy a picture without its field order and the position of its chroma samples, where they would change colours.

    PyAV cannot clear them, and FFmpeg's command pays no regard to them in a conversion.
    """
    direct = frame.format.name in DIRECT_FORMATS and not frame.height % 2 and not frame.interlaced_frame
    if frame.format.has_palette or (direct and _square_pixels(frame) == (frame.height, frame.width)):
        return frame
    picture = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, picture.planes, strict=True):
        used = min(source.line_size, target.line_size)
        _rows(target)[:, :used] = _rows(source)[:, :used]
    picture.colorspace, picture.color_range = frame.colorspace, frame.color_range
    return picture


def _rows(plane: VideoPlane) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)


def _upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Apply the display matrix of a frame: one of eight orientations, also mirrored ones."""
    across, down, turned = _orientation(frame)
    if turned:
        image = image.transpose(1, 0, 2)
    image = image[:: -1 if down else 1, :: -1 if across else 1]
    return np.ascontiguousarray(image)


def _orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read whether to transpose rows and columns first, returned last, and then to mirror columns and rows.

    The matrix maps a pixel (x, y) to (a x + c y, b x + d y), with y downwards; see libavutil/display.h.
    """
    side_data = cast(SideDataContainer, frame.side_data)  # PyAV declares another type
    if Type.DISPLAYMATRIX not in side_data:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.int32)[:5].tolist()
    return (a < 0, d < 0, False) if abs(a) + abs(d) >= abs(b) + abs(c) else (c < 0, b < 0, True)


def _square_pixels(frame: av.VideoFrame) -> tuple[int, int]:
    """Height and width of a frame after stretching its pixels to squares."""
    height, width = frame.height, frame.width
    aspect = cast(Fraction | None, frame.opaque)  # how wide a pixel is for its height
    if not aspect or aspect == 1 or not Fraction(1, 8) <= aspect <= 8:  # others are mistakes
        return height, width
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def _display_size(frame: av.VideoFrame) -> tuple[int, int]:
    height, width = _square_pixels(frame)
    return (width, height) if _orientation(frame)[2] else (height, width)
