"""List the frames of a video file by the times of its packets.

Sorted by presentation time, the n-th packet is frame n. Packets that players do not show are left out. For an undamaged
file this equals plain decoding order, also at a variable frame rate.
"""

import itertools
from bisect import bisect
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from clef.recordings.packets import (
    BROADCAST,
    allows_fields,
    decode,
    is_hidden,
    open_video,
    read_packets,
    restarts,
    video_stream,
)

FIELD_CODECS = {"h264", "hevc", "mpeg2video", "vc1", "wmv3"}
INDEXED = ("mov", "matroska")  # formats whose packets have the same times after a seek
SMALLEST_PICTURE = 16  # bytes; smaller MPEG-4 packets only fill in for frames in other packets, or for skipped ones


class Clock(NamedTuple):
    """Converts times of a stream to seconds."""

    unit: Fraction | None
    start: Fraction
    rate: Fraction | None

    def seconds(self, time: int | None, number: int) -> float | None:
        """Presentation time of a frame; one without a time gets it from its number and the average rate."""
        if time is not None and self.unit:
            return float(time * self.unit - self.start)
        return float(number / self.rate) if self.rate else None


class Timeline(NamedTuple):
    """Frame numbers by presentation time."""

    numbers: dict[int, int | None] | None
    """Frame number by time; None if it is unknown. There is no table if packets have no times, share them, or are not
    one for each frame: then only decoding order counts."""
    total: int
    clock: Clock
    restart: int | None = None
    """Time of a frame at which decoding can start so that no later frame differs, if it need not be the first."""


class _Packet(NamedTuple):
    time: int | None
    decoded_at: int | None
    size: int
    is_key: bool
    is_hidden: bool
    """Removed by an edit list, or only for reference."""
    restarts: bool


def read_timeline(path: Path, declared: int, start: float = 0.0) -> Timeline:
    """List the frames of a file from its packets, without decoding if there is one for each frame.

    `restart` is the last possible one before `start` seconds.
    """
    with open_video(path) as container:
        stream = video_stream(container, path)
        rate, unit, context = stream.average_rate, stream.time_base, stream.codec_context
        codec, extradata, container_format = context.name, context.extradata, container.format.name
        clock = Clock(unit, Fraction(container.start_time or 0, av.time_base), rate)
        # AVI has no presentation times. FFmpeg derives them, in the wrong order where it has to reorder.
        reordered = container_format == "avi" and codec != "mpeg4" and context.has_b_frames
        packets = [
            _Packet(
                item.pts,
                item.dts,
                item.size,
                item.is_keyframe,
                item.is_discard or is_hidden(codec, item),
                restarts(codec, extradata, item),
            )
            for item in read_packets(container, stream)
            if item.size
        ]
        if container_format.startswith("mov"):  # whose number of frames includes those that an edit list cuts off
            missing = sum(not entry.is_discard for entry in stream.index_entries[len(packets) :])
        elif container_format == "avi" and _is_whole_avi(path):
            missing = 0  # its number of frames includes repetitions, which have no packets
        else:
            missing = stream.frames - len(packets)
    shown = [packet for packet in packets if not packet.is_hidden]
    broadcast = container_format in BROADCAST
    first = _first_frame(path) if codec in FIELD_CODECS or broadcast else None
    if first is not None and container_format != "avi":
        opening = _start(packets[0], first, broadcast)
        shown = [packet for packet in shown if packet.time is None or packet.time >= opening]
    times = [packet.time for packet in shown]
    interlaced = codec in FIELD_CODECS and first is not None and first.interlaced_frame
    fields = allows_fields(extradata) if codec == "h264" else interlaced
    padded = codec == "mpeg4" and any(packet.size <= SMALLEST_PICTURE for packet in packets)
    # Matroska gives no times before 0, which pictures have that a cut leaves undecodable.
    before_start = container_format.startswith("matroska") and None in times
    if fields or padded or before_start:
        decoded = declared or _count_decoded(path)
        if decoded != len(times) or not fields:
            return Timeline(None, decoded, clock._replace(unit=None) if padded else clock)
    lost = max(0, declared - len(times), missing)
    total = len(times) + lost
    known = sorted(time for time in times if time is not None)
    if reordered or len(known) < len(times) or any(a == b for a, b in itertools.pairwise(known)):
        return Timeline(None, total, clock._replace(unit=None) if reordered else clock)
    end = shown[-1].decoded_at if shown else None
    numbers = _number(known, lost, end, rate * unit if rate and unit else None)
    restart = None
    if start > 0 and container_format.startswith(INDEXED) and not lost and unit:
        early = {time for time in known if (clock.seconds(time, 0) or 0.0) <= start}
        restart = _restart(packets, early, _delay(path) if codec == "h264" else None)
    return Timeline(dict(zip(known, numbers, strict=True)), total, clock, restart)


def _restart(packets: list[_Packet], early: set[int], delay: int | None) -> int | None:
    """The last of some times at which decoding can start: no packet before it is shown after it.

    None if more frames than `delay` are reordered. A decoder that finds this out loses a frame, and another one if it
    starts elsewhere.
    """
    found = None
    seen: list[int] = []  # sorted
    for packet in packets:
        if packet.time is None:
            return None
        place = bisect(seen, packet.time)
        if delay is not None and len(seen) - place > delay:
            return None
        if seen and packet.restarts and packet.time in early and place == len(seen):
            found = packet.time
        seen.insert(place, packet.time)
    return found


def _delay(path: Path) -> int:
    """Number of packets that a decoder holds back to reorder their frames; 0 if it is unknown."""
    with open_video(path) as container:
        for number, packet in enumerate(read_packets(container, video_stream(container, path))):
            try:
                if packet.decode():
                    return number
            except av.FFmpegError:
                return 0
    return 0


def _start(packet: _Packet, first: av.VideoFrame, broadcast: bool) -> int:
    """Time of the first picture of a recording, given its first packet and the first frame that a decoder gives.

    Earlier pictures refer to others that were cut off. Only a broadcast can start between key frames; in other files,
    the first packet counts even if it is damaged.
    """
    times = [first.pts, None if broadcast and not packet.is_key else packet.time]
    return min((time for time in times if time is not None), default=0)


def _number(times: list[int], lost: int, end: int | None, frames_per_tick: Fraction | None) -> list[int | None]:
    """Number frames by time; a number is unknown if one of the `lost` frames may come before.

    Packets come in decoding order. A lost packet is displayed after the last one was decoded, at `end`, perhaps before
    known frames that are displayed later still.
    """
    if not lost or not times:
        return list(range(len(times)))
    constant_rate = _number_by_clock(times, frames_per_tick, len(times) + lost) if frames_per_tick else None
    return constant_rate or [None if end is not None and time > end else n for n, time in enumerate(times)]


def _first_frame(path: Path) -> av.VideoFrame | None:
    """The first frame that is shown, without damaged ones before it."""
    with open_video(path) as container:
        frames = decode(container, video_stream(container, path))
        return next((item for item in frames if isinstance(item, av.VideoFrame) and not item.is_corrupt), None)


def _count_decoded(path: Path) -> int:
    with open_video(path) as container:
        return sum(1 for _ in decode(container, video_stream(container, path)))


def _is_whole_avi(path: Path) -> bool:
    with path.open("rb") as file:
        return int.from_bytes(file.read(8)[4:], "little") + 8 <= path.stat().st_size


def _number_by_clock(times: list[int], frames_per_tick: Fraction, total: int) -> list[int | None] | None:
    """Number frames by time in a file that lost packets. Returns None if the rate is not constant."""
    exact = [(time - times[0]) * frames_per_tick for time in times]
    numbers = [round(value) for value in exact]
    steady = all(abs(value - number) < Fraction(1, 4) for value, number in zip(exact, numbers, strict=True))
    return list(numbers) if steady and len(set(numbers)) == len(numbers) and numbers[-1] < total else None
