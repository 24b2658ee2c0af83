"""Decode video files and give each frame its right number, also in damaged files.

The container's packets are the list of input frames: sorted by presentation time, the n-th packet is frame n. A decoded
frame is looked up by its time, so a frame that fails to decode leaves a gap and shifts no other frame. Packets that
players do not show are left out. For an undamaged file this equals plain decoding order, also at a variable frame rate.

Images are upright, with square pixels, in sRGB.
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.container
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type

from clef.errors import ClefError
from clef.recordings.hdr import is_hdr, to_sdr

NOT_DECODED = "the decoder gave no picture"
MAX_REORDERING = 16  # frames that a decoder may reorder: the picture buffer limit of H.264 and HEVC
FIELD_CODECS = {"h264", "hevc", "mpeg2video", "vc1", "wmv3"}
SMALLEST_PICTURE = 16  # bytes; smaller MPEG-4 packets only fill in for frames in other packets, or for skipped ones

Decoded = av.VideoFrame | str
"""A frame, or an error message."""


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


class _Timeline(NamedTuple):
    """Frame numbers by presentation time."""

    numbers: dict[int, int | None] | None
    """Frame number by time; None if it is unknown. There is no table if packets have no times, share them, or are not
    one for each frame: then only decoding order counts."""
    total: int
    clock: "_Clock"


class _Clock(NamedTuple):
    """Converts times of a stream to seconds."""

    unit: Fraction | None
    start: Fraction
    rate: Fraction | None

    def seconds(self, time: int | None, number: int) -> float | None:
        """Presentation time of a frame; one without a time gets it from its number and the average rate."""
        if time is not None and self.unit:
            return float(time * self.unit - self.start)
        return float(number / self.rate) if self.rate else None


def probe(path: Path) -> VideoFacts:
    """Read the facts of a video; raise a ClefError if it is missing, empty or no video.

    At most one frame is decoded, except in streams whose packets are not one for each frame.
    """
    frames = _read_timeline(path, declared=0).total
    with _open(path) as container:
        stream = _video_stream(container, path)
        first = next((item for item in _decode(container, stream) if isinstance(item, av.VideoFrame)), None)
        height, width = stream.height, stream.width
        if first is not None and frames:
            height, width = _display_size(first, stream.sample_aspect_ratio)
    if not frames or not width or not height:
        raise ClefError(f"{path}: the video stream holds no frames; expected a video; replace the file")
    return VideoFacts(frames, float(stream.average_rate) if stream.average_rate else None, width, height)


def declared_length(path: Path) -> tuple[int, float]:
    """Number of frames and duration in seconds by the header of a file alone, 0 where it has none.

    This is quick and may be wrong, see `probe`. An unreadable file raises a ClefError.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        seconds = (container.duration or 0) / av.time_base
        return stream.frames or round(seconds * (stream.average_rate or 0)), seconds


def frame_times(path: Path) -> np.ndarray | None:
    """Presentation times of all frames in seconds, by number; None if a file has neither times nor a frame rate.

    Only streams with odd packets are decoded. An unreadable file raises a ClefError, as in `probe`.
    """
    timeline = _read_timeline(path, declared=0)
    known = {number: time for time, number in (timeline.numbers or {}).items() if number is not None}
    if timeline.numbers is None and timeline.clock.unit:
        with _open(path) as container:
            decoded = enumerate(_decode(container, _video_stream(container, path)))
            known = {n: item.pts for n, item in decoded if not isinstance(item, str) and item.pts is not None}
    times = [timeline.clock.seconds(known.get(number), number) for number in range(timeline.total)]
    return None if not times or None in times else np.array(times)


def read_video(path: Path, declared: int | None = None) -> Iterator[VideoFrame]:
    """Decode a video frame by frame.

    Yields:
        Every number once, in order, up to the count that the container or `declared` gives. A frame that cannot be
        decoded has no image.
    """
    timeline = _read_timeline(path, declared or 0)
    times = {number: time for time, number in (timeline.numbers or {}).items() if number is not None}
    expected = 0

    def lost(numbers: range) -> Iterator[VideoFrame]:
        for number in numbers:
            yield VideoFrame(number, None, NOT_DECODED, timeline.clock.seconds(times.get(number), number))

    with _open(path) as container:
        stream = _video_stream(container, path)
        aspect = stream.sample_aspect_ratio
        for number, item in _sort_by_number(_number_frames(_decode(container, stream), timeline)):
            yield from lost(range(expected, number))
            time = times.get(number) if isinstance(item, str) else item.pts
            image, problem = (None, item) if isinstance(item, str) else _to_rgb(item, aspect)
            yield VideoFrame(number, image, problem, timeline.clock.seconds(time, number))
            expected = number + 1
    yield from lost(range(expected, timeline.total))


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


def _to_rgb(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[np.ndarray | None, str | None]:
    """Convert a frame to an upright image with square pixels; `aspect` is how wide a pixel is for its height."""
    if frame.is_corrupt:
        return None, "damaged picture"
    height, width = _square_pixels(frame.height, frame.width, aspect)
    try:
        if is_hdr(frame):
            image = to_sdr(frame.to_ndarray(format="rgb48le", width=width, height=height), frame.color_trc)
        else:
            image = frame.to_ndarray(format="rgb24", width=width, height=height)
    except (av.FFmpegError, ValueError) as error:
        return None, f"no conversion to RGB: {error}"
    return _upright(image, frame), None


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


def _square_pixels(height: int, width: int, aspect: Fraction | None) -> tuple[int, int]:
    """Size of an image after stretching its pixels, `aspect` wide for each high, to squares."""
    if not aspect or aspect == 1 or not Fraction(1, 8) <= aspect <= 8:  # others are mistakes
        return height, width
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def _display_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    height, width = _square_pixels(frame.height, frame.width, aspect)
    return (width, height) if _orientation(frame)[2] else (height, width)


def _read_timeline(path: Path, declared: int) -> _Timeline:
    """List the frames of a file from its packets, without decoding if there is one for each frame."""
    times: list[int | None] = []
    skipped = 0
    last_decoded = None
    smallest = None
    with _open(path) as container:
        stream = _video_stream(container, path)
        rate, unit, codec = stream.average_rate, stream.time_base, stream.codec_context.name
        clock = _Clock(unit, Fraction(container.start_time or 0, av.time_base), rate)
        # AVI has no presentation times. FFmpeg derives them, in the wrong order where it has to reorder.
        reordered = container.format.name == "avi" and codec != "mpeg4" and stream.codec_context.has_b_frames
        in_file = stream.frames
        for packet in _packets(container, stream):
            if not packet.size:
                continue
            smallest = min(packet.size, smallest or packet.size)
            if packet.is_discard or _is_hidden(codec, packet):  # removed by an edit list, or only for reference
                skipped += 1
            else:
                times.append(packet.pts)
                last_decoded = packet.dts
        if container.format.name == "avi" and _is_whole_avi(path):
            in_file = 0  # it also counts repetitions, which have no packets
    lost = max(0, declared - len(times), in_file - len(times) - skipped)
    interlaced = codec in FIELD_CODECS and _is_interlaced(path)
    if interlaced or (codec == "mpeg4" and smallest is not None and smallest <= SMALLEST_PICTURE):
        shown = declared or _count_decoded(path)
        if shown != len(times) or not interlaced:
            return _Timeline(None, shown, clock if interlaced else clock._replace(unit=None))
    total = len(times) + lost
    known = sorted(time for time in times if time is not None)
    if reordered or len(known) < len(times) or any(a == b for a, b in itertools.pairwise(known)):
        return _Timeline(None, total, clock._replace(unit=None) if reordered else clock)
    numbers: list[int | None] = list(range(len(known)))
    if lost and known:
        # Packets come in decoding order. A lost packet is displayed after the last one was decoded, perhaps before
        # known frames that are displayed later still, so the numbers of those are unknown.
        late = [last_decoded is not None and time > last_decoded for time in known]
        constant_rate = _number_by_clock(known, rate * unit, total) if rate and unit else None
        numbers = constant_rate or [None if is_late else n for n, is_late in zip(numbers, late, strict=True)]
    return _Timeline(dict(zip(known, numbers, strict=True)), total, clock)


def _is_hidden(codec: str, packet: av.Packet) -> bool:
    """Whether a packet holds a picture that is only a reference: RFC 6386, section 9.1; VP9 bitstream, section 6.2."""
    content = memoryview(packet)
    if codec == "vp8":
        return not content[0] & 0x10
    if codec == "vp9" and content[-1] & 0xE0 != 0xC0:  # not a superframe, which has one shown picture
        profile = content[0] >> 5 & 1 | content[0] >> 3 & 2
        bits = content[0] << (1 if profile == 3 else 0)
        return not bits & 0x08 and not bits & 0x02
    return False


def _count_decoded(path: Path) -> int:
    with _open(path) as container:
        return sum(1 for _ in _decode(container, _video_stream(container, path)))


def _is_interlaced(path: Path) -> bool:
    """Whether the first picture consists of two fields, which may be in two packets."""
    with _open(path) as container:
        frames = _decode(container, _video_stream(container, path))
        first = next((item for item in frames if isinstance(item, av.VideoFrame)), None)
    return first is not None and first.interlaced_frame


def _is_whole_avi(path: Path) -> bool:
    with path.open("rb") as file:
        return int.from_bytes(file.read(8)[4:], "little") + 8 <= path.stat().st_size


def _number_by_clock(times: list[int], frames_per_tick: Fraction, total: int) -> list[int | None] | None:
    """Number frames by time in a file that lost packets. Returns None if the rate is not constant."""
    exact = [(time - times[0]) * frames_per_tick for time in times]
    numbers = [round(value) for value in exact]
    steady = all(abs(value - number) < Fraction(1, 4) for value, number in zip(exact, numbers, strict=True))
    return list(numbers) if steady and len(set(numbers)) == len(numbers) and numbers[-1] < total else None
